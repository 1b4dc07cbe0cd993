-- make mutate: mutation testing. Makes one small change in the code at a time and runs the specs. Prints each change,
-- and the share of the changes that a spec detected. The changes are made in build/mutate/tree, a copy of the files
-- that git tracks.
--
--   make mutate FOLDER=lua/waba COUNT=100 SEED=1     (a file works as well as a folder)
--   make mutate FOLDER=src NEAREST=4                 only the four specs nearest to each change
--
-- For a change in Lua, runs only the specs that execute the changed line, and the nearest specs that start nginx. With
-- NEAREST the quickest specs run first. The first call runs all specs to record the lines that each spec executes;
-- delete build/mutate/reached to renew this record.
--
-- A seed always selects the same changes of the same code. A change reverses a comparison, exchanges `and` and `or`,
-- inverts a truth value, removes a negation or a `+ 1`, or replaces a `return nil` by a success.

package.path = "scripts/?.lua;" .. package.path
local reached = require "reached"

local FOLDER, COUNT, SEED, NEAREST = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local TREE = "build/mutate/tree"
local LUA = "lua5.4"

assert(FOLDER and COUNT and SEED, "usage: mutate.lua FOLDER COUNT SEED [NEAREST]")
FOLDER = FOLDER:gsub("/+$", "")

local function run(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local texts = {}

-- Returns the text of a spec in the copy. Texts are cached, because the specs do not change.
local function text_of(spec)
  texts[spec] = texts[spec] or read(TREE .. "/" .. spec)
  return texts[spec]
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- The places where a change is possible -----------------------------------------------------------

-- Returns a text of the same length in which comments and strings are blanks.
local function blank_out(text, is_lua)
  local out, at = {}, 1
  local function skip(stop)
    out[#out + 1] = text:sub(at, stop):gsub("[^\n]", " ")
    at = stop + 1
  end
  while at <= #text do
    local rest = text:sub(at, at + 80)
    if is_lua and (rest:find("^%-%-%[=*%[") or rest:find("^%[=*%[")) then
      local level = rest:match("^%-*%[(=*)%[")
      local _, stop = text:find("]" .. level .. "]", at, true)
      skip(stop or #text)
    elseif rest:find(is_lua and "^%-%-" or "^%s*#") and (is_lua or text:sub(at - 1, at - 1):find("^\n?$")) then
      skip((text:find("\n", at, true) or #text + 1) - 1)
      if at <= #text then skip(at) end
    elseif not is_lua and rest:find("^/%*") then
      local _, stop = text:find("*/", at, true)
      skip(stop or #text)
    elseif rest:find("^[\"']") then
      local quote, stop = rest:sub(1, 1), at + 1
      while stop <= #text and text:sub(stop, stop) ~= quote do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      skip(stop)
    else
      out[#out + 1] = text:sub(at, at)
      at = at + 1
    end
  end
  return table.concat(out)
end

-- Words that are replaced if blanks surround them, and their replacements.
local OPERATORS = {
  ["=="] = { lua = "~=", c = "!=" }, ["~="] = { lua = "==" }, ["!="] = { c = "==" },
  ["<"] = { lua = ">=", c = ">=" }, [">"] = { lua = "<=", c = "<=" },
  ["<="] = { lua = "<", c = "<" }, [">="] = { lua = ">", c = ">" },
  ["and"] = { lua = "or" }, ["or"] = { lua = "and" }, ["&&"] = { c = "||" }, ["||"] = { c = "&&" },
}

-- Adds all possible changes of a file in the order of their positions, as { file, from, to, text }.
local function changes_of(path, changes)
  local is_lua = path:find("%.lua$") ~= nil
  local text = read(TREE .. "/" .. path)
  local code = blank_out(text, is_lua)
  local function add(from, to, replacement)
    changes[#changes + 1] = { file = path, from = from, to = to, text = replacement }
  end
  for from, word, to in code:gmatch("()(%S+)()") do
    local other = OPERATORS[word] and OPERATORS[word][is_lua and "lua" or "c"]
    if other then add(from, to - 1, other) end
  end
  for from, word, to in code:gmatch("%f[%w_]()([%a_]+)()%f[^%w_]") do
    if word == "true" or word == "false" then add(from, to - 1, word == "true" and "false" or "true") end
    if is_lua and word == "not" then add(from, to, "") end
  end
  for from, to in code:gmatch("%w()%s*[+-] 1()%f[^%w.]") do add(from, to - 1, "") end
  if is_lua then
    for from, to in code:gmatch("return ()nil(),") do add(from, to - 1, "true") end
  else
    for from in code:gmatch("[%s(]()![%w_(]") do add(from, from, "") end
    for from, to in code:gmatch("return ()NULL();") do add(from, to - 1, "\"\"") end
  end
end

local function choose()
  local changes, chosen = {}, {}
  for _, path in ipairs(lines_of(run("git ls-files " .. FOLDER))) do
    if path:find("%.lua$") or path:find("%.c$") then changes_of(path, changes) end
  end
  table.sort(changes, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.from ~= b.from then return a.from < b.from end
    return a.text < b.text
  end)
  math.randomseed(SEED)
  for i = 1, #changes do -- the next change replaces a change that does not compile
    local j = math.random(i, #changes)
    changes[i], changes[j] = changes[j], changes[i]
    chosen[i] = changes[i]
  end
  return chosen
end

-- The specs, the nearest first --------------------------------------------------------------------

-- Patterns of the names of C files, and the specs nearest to them. The first pattern that matches is used.
local C_SPECS = {
  { "^json_pick", { "json", "hosting/sent" } }, { "^json_flood", { "json_flood", "json" } },
  { "^json_value", { "json", "metatables", "message", "digits" } }, { "^json", { "json", "digits", "json_flood" } },
  { "^alarm", { "alarm", "transport/loop" } },
  { "^system", { "core", "limit", "resource/media", "allocation" } },
  { "^buffer", { "allocation", "transfer", "engine" } },
  { "^file", { "file", "bulk/journal", "core", "inbox" } }, { "^terminal", { "terminal", "cli/progress" } },
  { "^response_head", { "response_head", "transport/ngx", "transport/contract" } },
  { "^request_head", { "request", "foreign_code", "transport/ngx", "transport/contract" } },
  { "^origin", { "request", "core" } },
  { "^text", { "text", "core", "request", "json", "client" } },
  { "^sha256", { "core", "webhook/contract" } },
  { "^core", { "core", "request", "text", "resource/media", "pace", "store" } },
  { "^curl", { "transport/proxy", "engine", "foreign_code", "allocation" } },
  { "^credentials", { "request", "client", "allocation", "transfer" } },
  { "^yield", { "transport/loop/yield" } },
  { "^head", { "transfer", "transport/proxy", "request", "transport/contract", "engine", "allocation" } },
  { "^watch", { "watch", "engine", "transfer", "allocation" } },
  { "^http2", { "http2", "transfer", "certainty", "transport/goaway", "engine" } },
  { "^failure", { "failure", "transfer", "certainty", "transport/proxy", "transport/curl", "transport/contract",
    "limit" } },
  { "^pool", { "engine", "transfer", "transport/contract", "transport/loop", "allocation" } },
  { "^sink", { "sink", "transfer", "resource/media", "engine", "transport/contract", "allocation" } },
  { "^source", { "source", "transfer", "certainty", "resource/media", "transport/goaway", "allocation" } },
  { "^engine", { "engine", "transfer", "allocation", "transport/proxy", "foreign_code", "transport/contract",
    "limit" } },
  { "", { "transfer", "engine", "transport/contract", "allocation", "certainty", "foreign_code", "transport/goaway",
    "limit" } },
}

local function c_specs(name)
  for _, row in ipairs(C_SPECS) do
    if name:find(row[1]) then return row[2] end
  end
end

-- Patterns of the paths of Lua modules, and specs near to them. More specs are found by their names and by `require`.
local LUA_SPECS = {
  { "^emulator/on_premise/template", { "emulator/templates", "emulator/rules" } },
  { "^emulator/on_premise/.*rules", { "emulator/rules", "two_readings" } },
  { "^emulator/on_premise/", { "emulator/rules", "emulator/webhooks", "emulator/gateway", "emulator/customer" } },
  { "^emulator/cloud/template", {
    "emulator/cloud/templates", "emulator/cloud/message_rules", "emulator/cloud/resources",
  } },
  { "^emulator/cloud/.*rules", { "emulator/cloud/message_rules", "two_readings", "emulator/cloud/messages" } },
  { "^emulator/cloud/", { "emulator/cloud/messages", "emulator/cloud/resources", "emulator/cloud/customers" } },
  { "^http/", { "http/exchange", "http/connection", "webhook/server", "webhook/hostile_peers", "emulator/server" } },
  { "^cli/", { "cli", "cli/streams" } },
  { "^schema/", { "schema/rules" } },
  { "^inbox/work/", { "inbox/work", "webhook/work" } }, { "^inbox/ngx_work", { "transport/ngx_timer" } },
  { "^resource/.*settings", { "resource/number_settings" } },
  { "^resource/templates/", { "hosting/cloud/templates", "resource/templates" } },
  { "^resource/profile/", { "resource/profile", "hosting/cloud/profile" } },
  { "^resource/media/", { "resource/cloud_media", "resource/media", "resource/media_parts" } },
  { "^resource/", { "resource/failures", "resource/invalid_arguments", "resource/both_hostings" } },
  { "^hosting/.*error", { "hosting/cloud/errors", "hosting/tables", "check", "two_readings" } },
  { "^hosting/[%l_]+/init$", { "hosting/tables" } }, { "^hosting/", { "cloud", "resource/both_hostings" } },
  { "^schema/placeholders", { "hosting/cloud/templates", "resource/templates" } },
  { "^schema/template", { "hosting/cloud/templates", "resource/templates" } },
  { "^transport/curl", { "transport/curl_attempts", "transport/contract", "transport/loop" } },
  { "^coroutines$", { "transport/loop/yield", "bulk/loops", "webhook/work" } },
  { "^runtime$", { "transport/loop/yield", "transport/loop/copas", "transport/ngx", "bulk/loops", "webhook/work" } },
  { "^transport/ngx", { "transport/ngx", "webhook/nginx" } },
  { "^transport/http1", { "transport/ngx", "transport/contract" } },
  { "^client/pool", { "clients" } }, { "^client/of_number", { "webhook/numbers", "outbox" } },
  { "^client/", { "client", "delivery", "wrong_hosting" } }, { "^delivery/", { "client", "certainty" } },
  { "^webhook/addresses", { "webhook/numbers" } },
  { "^webhook/", { "webhook/customers", "conversations", "webhook/receiver" } },
  { "^message/", { "message/cloud", "message", "message_types" } },
  { "^message/definition", { "resource/definitions" } },
  { "^message/filling", { "resource/definitions" } },
  { "^pace/", { "pace/limiters", "pace" } }, { "^inbox/window", { "webhook/customers", "conversations" } },
  { "^inbox/gather", { "webhook/customers" } },
  { "^inbox/", { "store_failure", "inbox", "webhook/receiver", "webhook/work" } },
  { "^store/", { "store/agreement", "store_failure", "store", "inbox", "outbox" } },
  { "^outbox/", { "store_failure", "outbox", "outbox/crash" } },
  { "^sender/", { "sender/results", "sender/init", "store_failure", "outbox" } },
  { "^client/", { "wrong_use", "webhook/customers", "conversations" } },
  { "^bulk/", { "bulk", "bulk/journal", "webhook/customers", "bulk/loops", "bulk/crash", "outbox" } },
  { "^hosting/on_premise/", { "client", "check" } }, { "^hosting/cloud/health", { "resource/cloud_health" } },
  { "^schema/list_rules", { "hosting/cloud/templates" } },
  { "^schema", { "schema", "two_readings", "message_types", "message" } },
}

-- Returns the Lua files that contain the name of a module.
local naming
local function files_naming(module)
  if not naming then
    naming = {}
    for _, path in ipairs(lines_of(run("cd " .. TREE .. " && find lua cli emulator spec -name \"*.lua\" | sort"))) do
      if path:find("%.lua$") then
        for name in read(TREE .. "/" .. path):gmatch("\"(waba[%w_.]*)\"") do
          naming[name] = naming[name] or {}
          naming[name][path] = true
        end
      end
    end
  end
  return pairs(naming[module:gsub("/init$", ""):gsub("/", ".")] or {})
end

-- Calls `raise(spec, by)` for the specs near to a module. For the specs of modules that require this module, `by` has
-- half of its value.
local function raise_for_module(module, raise, by, seen)
  seen[module] = true
  local place, name = module:gsub("^waba/?", ""):gsub("/?init$", ""), module:match("([^/]+)$")
  raise("spec/" .. place .. "_spec.lua", 16 * by)
  raise("spec/" .. place:gsub("/", "_") .. "_spec.lua", 16 * by)
  if name ~= "init" then raise("/" .. name .. "_spec.lua", 8 * by) end
  local above = place
  while above:find("/") do
    above = above:gsub("/[^/]*$", "")
    raise("spec/" .. above .. "_spec.lua", 4 * by)
  end
  for path in files_naming(module) do
    local requirer = path:match("^%a+/(waba/.*)%.lua$")
    if not requirer then
      raise(path, 8 * by)
    elseif not seen[requirer] and by > 0.25 and requirer ~= "waba/init" then
      raise_for_module(requirer, raise, by / 2, seen)
    end
  end
end

local function all_specs() return lines_of(run("cd " .. TREE .. " && find spec -name \"*_spec.lua\" | sort")) end

local function starts_nginx(spec) return text_of(spec):find("support.nginx", 1, true) ~= nil end

-- Returns the specs of a list that execute a line of a Lua file, in the order of the list. Returns the whole list if no
-- record of a spec has the line.
local function executing(specs, near, path, line)
  local found, list = reached.specs(TREE, specs, path, line), {}
  if not next(found) then return specs, near end
  for i, spec in ipairs(specs) do
    if found[spec] or i <= near and starts_nginx(spec) then list[#list + 1] = spec end
  end
  return list, #list
end

-- Returns the specs in the order of their runs, and the number of specs that are near to the file.
local function specs_for(path, line)
  local scores, specs, near = {}, all_specs(), 0
  local name = path:match("([^/]+)%.%w+$")
  local module = path:match("^%a+/(waba/.*)%.lua$")
  for _, spec in ipairs(specs) do scores[spec] = 0 end
  local function raise(ending, by)
    for _, spec in ipairs(specs) do
      if spec:sub(-#ending) == ending then scores[spec] = scores[spec] + by end
    end
  end
  if module then
    local place = module:gsub("^waba/", "")
    local folder = place:match("^.+/")
    raise_for_module(module, raise, 1, {})
    for _, row in ipairs(LUA_SPECS) do
      for i, spec in ipairs(place:find(row[1]) and row[2] or {}) do raise("spec/" .. spec .. "_spec.lua", 20 - i) end
    end
    for _, spec in ipairs(specs) do
      if folder and spec:match("^spec/(.+/)") == folder then raise(spec, 2) end
      if #name > 4 and text_of(spec):find("%f[%w_]" .. name .. "%f[^%w_]") then raise(spec, 3) end
    end
  else
    for i, spec in ipairs(c_specs(name)) do raise("spec/" .. spec .. "_spec.lua", 20 - i) end
  end
  table.sort(specs, function(a, b)
    if scores[a] ~= scores[b] then return scores[a] > scores[b] end
    return a < b
  end)
  while specs[near + 1] and scores[specs[near + 1]] > 0 do near = near + 1 end
  if module then return executing(specs, near, path, line) end
  return specs, near
end

-- The scratch copy --------------------------------------------------------------------------------

local function prepare()
  run(("rm -rf %s && mkdir -p %s"):format(TREE, TREE))
  run("git ls-files -z | tar -c --null -T - 2>/dev/null | tar -x -C " .. TREE)
end

local function in_tree(command, seconds)
  -- the specs start make, which must not inherit these variables
  local clean = "unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL"
  return os.execute(("cd %s && %s && timeout -k 5 %d sh -c '%s' >output 2>&1"):format(TREE, clean, seconds, command))
    == true
end

local function build()
  return in_tree(("make -s LUA=%s modules && make -s LUA=%s env >environment"):format(LUA, LUA), 600)
end

local function passes(spec, seconds, variables)
  local command = '. ./environment && %s exec %s "$(command -v busted)" --no-keep-going %s'
  return in_tree(command:format(variables or "", LUA, spec), seconds)
end

-- The seconds that each spec takes without a change; false: the spec fails without a change.
local durations = {}

local function time_of(spec, seconds)
  local start = os.time()
  return passes(spec, seconds) and os.time() - start
end

-- One change after the other ----------------------------------------------------------------------

local function line_of(change, original)
  local _, number = original:sub(1, change.from):gsub("\n", "")
  return number + 1
end

local function describe(change, original)
  local first = original:sub(1, change.from - 1):match("[^\n]*$")
  local last = original:sub(change.to + 1):match("^[^\n]*")
  local was = (first .. original:sub(change.from, change.to) .. last):match("^%s*(.-)%s*$")
  local is = (first .. change.text .. last):match("^%s*(.-)%s*$")
  return ("%s:%d\n    - %s\n    + %s"):format(change.file, line_of(change, original), was, is)
end

-- Writes a file in the copy. Returns false if the file does not compile.
local function put(path, text)
  write(TREE .. "/" .. path, text)
  return not path:find("%.c$") or build()
end

-- Returns whether a spec fails because of the change between `original` and `text`.
local function notices(spec, path, text, original)
  local duration = durations[spec]
  if duration == false then return false end
  local expected = duration or path:find("%.lua$") and math.max(30, reached.seconds(spec))
  local changed = time_of(spec, expected and 30 + 4 * expected or 600)
  durations[spec] = duration or changed or nil
  -- runs the spec without the change, because the spec may fail without the change too
  if not changed and not duration then
    put(path, original)
    durations[spec] = time_of(spec, 600) or time_of(spec, 600)
    put(path, text)
    if not durations[spec] then print("left out " .. spec .. ": it fails without any change") end
  end
  return not changed and durations[spec] ~= false
end

-- Returns the checksums of the compiled modules.
local function sums() return run(("cksum %s/build/%s/waba/*.so"):format(TREE, LUA)) end

-- Returns the first `count` specs of a list. If `path` is a Lua file, the quickest of these specs is the first.
local function first_of(specs, count, path)
  local chosen, places = {}, {}
  for i = 1, count do chosen[i], places[specs[i]] = specs[i], i end
  if not path:find("%.lua$") then return chosen end
  table.sort(chosen, function(a, b)
    local one, other = reached.seconds(a), reached.seconds(b)
    if one ~= other then return one < other end
    return places[a] < places[b]
  end)
  return chosen
end

-- Returns the name of the spec that detects the change, or nil if no spec detects it. Returns false if the changed code
-- does not compile, or compiles to the same bytes.
local function try(change, original)
  local specs, near = specs_for(change.file, line_of(change, original))
  local count = NEAREST and math.min(math.max(near, 1), NEAREST) or #specs
  local changed = original:sub(1, change.from - 1) .. change.text .. original:sub(change.to + 1)
  local before = change.file:find("%.c$") and sums()
  if not put(change.file, changed) or before and sums() == before then return false end
  for _, spec in ipairs(first_of(specs, count, change.file)) do
    if notices(spec, change.file, changed, original) then return spec end
  end
end

prepare()
-- the changes are chosen in the copy, because the files of the checkout may be edited during the run
local changes = choose()
print(("%d places in %s, %d changes with seed %d"):format(#changes, FOLDER, math.min(COUNT, #changes), SEED))
assert(in_tree("make -s LUA=luajit modules", 600) and build(), -- some specs start programs of the other interpreter
  "the scratch copy does not build: see " .. TREE .. "/output")

local has_lua = run("git ls-files " .. FOLDER):find("%.lua\n") ~= nil
if has_lua then reached.record(TREE, all_specs(), function(spec, variables) passes(spec, 600, variables) end) end

local noticed, tried = 0, 0
for _, change in ipairs(changes) do
  if tried == COUNT then break end
  local original = read(TREE .. "/" .. change.file)
  local spec = try(change, original)
  put(change.file, original)
  if spec ~= false then
    tried = tried + 1
    if spec then noticed = noticed + 1 end
    local by = spec and "\n    by " .. spec or ""
    print((spec and "noticed   " or "UNNOTICED ") .. describe(change, original) .. by)
    io.stdout:flush()
  end
end
print(("%d of %d changes noticed"):format(noticed, tried))
