-- The fixture of the specs of resources: an emulator, a client of its On-Premise gateway, a folder for files.

local folders = require "spec.support.folder"
local waba = require "waba"

local fixture = {}

--- Starts the emulator. The function `close` stops the emulator, closes the client and removes the folder.
---@param options? table  options of the emulator
function fixture.open(options)
  local emulator_options = { statuses = false }
  for name, value in pairs(options or {}) do emulator_options[name] = value end
  local emulator = assert(waba.emulator.start(emulator_options))
  local client = waba.client(emulator:options { pace = false, retry = false })
  local folder = folders.new()
  local function close()
    client:close()
    emulator:stop()
    folder:remove()
  end
  return emulator, client, close, folder
end

return fixture
