-- Records for scripts/mutate.lua which specs execute each line of lua/waba. Each spec has a record; delete a record to
-- renew it. spec/support/reached.c is loaded into every program that a spec starts, but not into nginx.

local reached = {}

local FOLDER = "build/mutate/reached"

-- LUA_INIT loads the hook into Lua 5.4 and LuaJIT. LuaJIT's compiler is turned off, because compiled code calls no
-- hooks.
local LOADER = [[
local lua = jit and "luajit" or _VERSION == "Lua 5.4" and "lua5.4"
if jit then jit.off() end
if lua then package.loadlib("%s/" .. lua .. ".so", "luaopen_reached")() end
]]

local COMPILE = "cc -shared -fPIC -O2 $(pkg-config --cflags %s) -o %s/%s.so spec/support/reached.c"

local function run(command) assert(os.execute(command) == true, command) end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function record_of(spec) return ("%s/%s"):format(FOLDER, (spec:gsub("/", "+"))) end

-- Returns the lines of a file, or {} for a file that a spec has removed.
local function lines_of(path)
  local lines, file = {}, io.open(path)
  if not file then return lines end
  for line in file:lines() do lines[#lines + 1] = line:match("^%s*(.-)%s*$") end
  file:close()
  return lines
end

-- Replaces the numbers of lines by the texts of the lines. A text stays valid after other lines of the file have
-- changed.
local function number_to_text(from, to, tree, seconds)
  local texts, seen, out = {}, {}, { ("seconds\t%d\n"):format(seconds) }
  for line in io.lines(from) do
    local path, number = line:match("^(.*):(%d+)$")
    texts[path] = texts[path] or lines_of(tree .. "/" .. path)
    local text = texts[path][tonumber(number)]
    local entry = text and path .. "\t" .. text .. "\n"
    if entry and not seen[entry] then
      seen[entry] = true
      out[#out + 1] = entry
    end
  end
  write(to, table.concat(out))
end

--- Records the specs of a tree that have no record. `start(spec, variables)` runs a spec with environment variables.
function reached.record(tree, specs, start)
  local pipe = assert(io.popen("mkdir -p " .. FOLDER .. " && cd " .. FOLDER .. " && pwd"))
  local here = pipe:read("*l")
  pipe:close()
  for _, lua in ipairs { "lua5.4", "luajit" } do run(COMPILE:format(lua, FOLDER, lua)) end
  write(FOLDER .. "/init.lua", LOADER:format(here))
  for _, spec in ipairs(specs) do
    local file = io.open(record_of(spec))
    if file then
      file:close()
    else
      write(FOLDER .. "/lines", "")
      local begun = os.time()
      start(spec, ("LUA_INIT=@%s/init.lua REACHED=%s/lines"):format(here, here))
      number_to_text(FOLDER .. "/lines", record_of(spec), tree, os.time() - begun)
    end
  end
end

local records = {}

-- Returns the lines that a spec executes, as { [path] = { [text] = true } }.
local function record(spec)
  if not records[spec] then
    records[spec] = {}
    for line in io.lines(record_of(spec)) do
      local path, text = line:match("^(.-)\t(.*)$")
      records[spec][path] = records[spec][path] or {}
      records[spec][path][text] = true
    end
  end
  return records[spec]
end

--- Returns the seconds that a spec took when it was recorded.
function reached.seconds(spec) return tonumber((next(record(spec).seconds or {}))) or 0 end

local with_code = {}

-- Returns the number of the last line up to `number` for which the compiler has made instructions.
local function line_with_code(path, number)
  if not with_code[path] then
    with_code[path] = {}
    local pipe = assert(io.popen("luac5.4 -l -p " .. path))
    for line in pipe:lines() do
      local of_instruction = tonumber(line:match("^%s+%d+%s+%[(%d+)%]"))
      if of_instruction then with_code[path][of_instruction] = true end
    end
    pipe:close()
  end
  while number > 1 and not with_code[path][number] do number = number - 1 end
  return number
end

-- Returns the specs that execute a line of a file in a tree, as { [spec] = true }.
function reached.specs(tree, specs, path, number)
  local file = tree .. "/" .. path
  local text, found = lines_of(file)[line_with_code(file, number)], {}
  for _, spec in ipairs(specs) do
    local texts = record(spec)[path]
    if texts and texts[text] then found[spec] = true end
  end
  return found
end

return reached
