-- Inboxes in SQLite and Redis, for specs that run the command on an inbox of the spec's process.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local inbox = {}

--- Opens an inbox in a new SQLite file or on a new Redis server.
---@param backend "sqlite"|"redis"
---@return { inbox: waba.Inbox, option: string, value: string, close: fun() } opened  `option` and `value`: the option of
---        the command that selects the inbox
function inbox.open(backend)
  if backend == "redis" then
    local server = redis.start()
    local box = waba.inbox.redis { port = server.port }
    return { inbox = box, option = "--redis", value = "redis://127.0.0.1:" .. server.port, close = function()
      box:close()
      server:stop()
    end }
  end
  local folder = process.folder()
  local file = folder:file "inbox.db"
  local box = waba.inbox.sqlite { file = file, sync = false }
  return { inbox = box, option = "--sqlite", value = file, close = function()
    box:close()
    folder:remove()
  end }
end

return inbox
