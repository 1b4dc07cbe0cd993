-- `require "waba"`: the public face. Rooms are loaded when they are first used.

local version = require "waba.version"

---@class waba
local waba = { _VERSION = "waba " .. version }

-- Name to module, and the function in it.
local FACE = {
  client = { "waba.client", "new" },
  check = { "waba.check", "check" },
  explain = { "waba.check", "explain" },
  events = { "waba.webhook.events", "read" },
  receiver = { "waba.webhook.receiver", "new" },
  status_tracker = { "waba.webhook.status_tracker", "new" },
  run = { "waba.transport.loop.native", "run" },
  spawn = { "waba.transport.loop.native", "spawn" },
  sleep = { "waba.transport.loop", "sleep" },
}

-- Name to module that is a table of functions itself.
local ROOMS = {
  emulator = "waba.emulator", inbox = "waba.inbox", migrate = "waba.migrate", webhook = "waba.webhook",
}

local lazy = {}

function lazy.__index(_, name)
  local value
  if FACE[name] then
    value = require(FACE[name][1])[FACE[name][2]]
  elseif ROOMS[name] then
    value = require(ROOMS[name])
  else
    value = require("waba.message")[name]
  end
  if value ~= nil then rawset(waba, name, value) end
  return value
end

return setmetatable(waba, lazy)
