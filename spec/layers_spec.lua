-- A module requires only modules of its own layer and of lower layers.

-- Layers from the lowest to the highest. A name stands for the module `waba.<name>` and for all modules below it.
local LAYERS = {
  { "core", "coroutines", "curl", "errors", "option", "runtime", "*" }, -- "*": every other module directly in lua/waba/
  { "message", "schema" },
  { "hosting" },
  { "transport", "http" },
  { "delivery" },
  { "client", "resource", "check" },
  { "store" },
  { "inbox", "outbox", "pace" },
  { "webhook", "sender" },
  { "bulk", "migrate" },
  { "cli", "emulator" },
}

-- Modules that may load a module of a higher layer when it is first used.
local LAZY = {
  ["waba"] = "*",                          -- loads the modules of the public API
  ["waba.client"] = "waba.bulk",           -- for client:send_all and client:estimate
  ["waba.runtime"] = "waba.transport.loop", -- the adapter of the event loop that the program uses
}

local FOLDERS = { "lua", "cli", "emulator" }

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local read_file = require("spec.support.documents").read

-- Returns a map from module names to paths, for the three packages.
local function modules()
  local found = {}
  for _, folder in ipairs(FOLDERS) do
    for _, path in ipairs(lines_of("find " .. folder .. "/waba -name '*.lua'")) do
      local name = path:sub(#folder + 2):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      found[name] = path
    end
  end
  return found
end

local rank_of = {}
for rank, names in ipairs(LAYERS) do
  for _, name in ipairs(names) do rank_of[name] = rank end
end

local function rank(module)
  if module == "waba" then return rank_of.bulk end -- the packages cli and emulator require "waba"
  return rank_of[module:match "^waba%.([%w_]+)"] or rank_of["*"]
end

-- Returns the strings of a file that are module names or beginnings of module names.
local function named_modules(path, known)
  local names = {}
  for line in read_file(path):gmatch "[^\n]+" do
    local code = line:gsub("^%s*%-%-.*", ""):gsub("%s%-%-%s.*", "")
    for name in code:gmatch '"(waba[%w_.]*)"' do
      local module = name:gsub("%.$", "")
      if known[module] or name ~= module then names[#names + 1] = module end
    end
  end
  return names
end

local function is_lazy(from, to)
  local allowed = LAZY[from]
  return allowed == "*" or allowed ~= nil and (to == allowed or to:sub(1, #allowed + 1) == allowed .. ".")
end

describe("the layers", function()
  local known = modules()

  it("contain modules", function()
    local count = 0
    for name, path in pairs(known) do
      count = count + #named_modules(path, known)
      assert.truthy(rank(name))
    end
    assert.is_true(count > 400, count .. " uses of modules")
  end)

  it("require only modules of the same and of lower layers", function()
    local wrong = {}
    for from, path in pairs(known) do
      for _, to in ipairs(named_modules(path, known)) do
        if rank(to) > rank(from) and not is_lazy(from, to) then wrong[#wrong + 1] = from .. " requires " .. to end
      end
    end
    table.sort(wrong)
    assert.same({}, wrong)
  end)

  it("have no unused exception", function()
    for from, to in pairs(LAZY) do
      local used = false
      for _, name in ipairs(named_modules(known[from], known)) do
        used = used or rank(name) > rank(from) or to == "*"
      end
      assert.is_true(used, from)
    end
  end)

  -- The emulator is a package of its own, which is not installed in production.
  it("allow only the emulator's entry and its command to use the emulator", function()
    local ALLOWED = { ["lua/waba/init.lua"] = true, ["cli/waba/cli/commands/emulator.lua"] = true }
    local wrong, uses = {}, 0
    for _, path in ipairs(lines_of "find lua cli examples -name '*.lua' -o -path '*/bin/*'") do
      for _, module in ipairs(named_modules(path, known)) do
        if module:find "^waba%.emulator" then
          uses = uses + 1
          if not ALLOWED[path] then wrong[#wrong + 1] = path end
        end
      end
    end
    assert.same({}, wrong)
    assert.equal(2, uses)
  end)
end)
