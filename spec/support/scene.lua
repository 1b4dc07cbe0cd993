-- What a spec of a resource plays in: an emulator, a client of its On-Premise gateway, a folder for files.

local folders = require "spec.support.folder"
local waba = require "waba"

local scene = {}

--- Opens one; `close` puts all of it away.
---@param options? table  of the emulator
---@return table emulator
---@return waba.Client client
---@return function close
---@return table folder
function scene.open(options)
  local given = { statuses = false }
  for name, value in pairs(options or {}) do given[name] = value end
  local emulator = assert(waba.emulator.start(given))
  local client = waba.client(emulator:options { pace = false, retry = false })
  local folder = folders.new()
  local function close()
    client:close()
    emulator:stop()
    folder:remove()
  end
  return emulator, client, close, folder
end

return scene
