-- `require "waba"`: the public API. Modules are loaded when they are first used.

---@class waba
local waba = { _VERSION = "waba " .. require "waba.version" }

-- The module and the name of each function of the API.
local FUNCTIONS = {
  client = { "waba.client", "new" },
  clients = { "waba.client.pool", "new" },
  check = { "waba.check", "check" },
  explain = { "waba.check", "explain" },
  split = { "waba.message.split", "text" },
  events = { "waba.hosting.events", "read" },
  receiver = { "waba.webhook.receiver", "new" },
  sender = { "waba.sender", "new" },
  status_tracker = { "waba.webhook.status_tracker", "new" },
  run = { "waba.transport.loop.native", "run" },
  spawn = { "waba.transport.loop.native", "spawn" },
  sleep = { "waba.runtime", "sleep" },
}

-- The names of the API whose values are complete modules.
local MODULES = {
  inbox = "waba.inbox", outbox = "waba.outbox", pace = "waba.pace", webhook = "waba.webhook",
}

-- The names of the API whose values are modules of another package: the module and the rock of each.
local PACKAGES = {
  emulator = { "waba.emulator", "waba-emulator" },
  migrate = { "waba.migrate", "waba-cli" },
}

local function load(_, name)
  local value
  if FUNCTIONS[name] then
    value = require(FUNCTIONS[name][1])[FUNCTIONS[name][2]]
  elseif MODULES[name] then
    value = require(MODULES[name])
  elseif PACKAGES[name] then
    value = require("waba.library").package(PACKAGES[name][1], PACKAGES[name][2], 2)
  else
    value = require("waba.message")[name]
  end
  if value ~= nil then rawset(waba, name, value) end
  return value
end

return setmetatable(waba, { __index = load })
