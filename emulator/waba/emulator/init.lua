-- Starts an emulator of 360dialog's gateways on the developer's machine. The emulator is a process with HTTP servers. A
-- program controls the process through an object.
--
--   local emulator = assert(require("waba.emulator").start())
--   local client = waba.client(emulator:options())
--   client:send("+49 151 1234567", waba.text "Hello")
--   emulator:customer("+49 151 1234567"):text "Hi"
--   emulator:stop()
--
-- On-Premise hosting and Cloud hosting (`emulator.cloud`) have a port each. Unlike 360dialog's gateways, the emulator
-- accepts webhook URLs with http on loopback, and has a certificate of its own authority (`ca_file`).

local errors = require "waba.errors"
local Handle = require "waba.emulator.commands"
local loopback = require "waba.loopback"
local options = require "waba.emulator.options"
local remote = require "waba.emulator.remote"

local emulator = {}

-- A process that does not respond to the command to stop is killed after this number of seconds.
local STOP_TIMEOUT = 5

--- The options of `waba.emulator.start`.
---@options waba.EmulatorOptions : waba.EmulatorProcessOptions
local HANDLE_OPTIONS = {
  interpreter = "string",         -- the Lua interpreter that runs the process; default: the program's own
  start_timeout = "number",       -- seconds to wait until the process listens; default: 10
  sleep = "fun(seconds: number)", -- the function that `wait` calls to sleep; default: detected
}

--- A business number. The object belongs to the number's On-Premise gateway; the field `cloud` is the object of the
--- number's Cloud gateway.
---@class waba.emulator.Number : waba.emulator.Handle
---@field cloud waba.emulator.CloudHandle
local Number = setmetatable({}, { __index = Handle })
Number.__index = Number
Number.__name = "waba.emulator.Number"
-- The error code of a status "failed" or "warning" if the program does not specify an error.
Number.USUAL_FAILURE = 500

--- A running emulator, which is also the object of its first business number.
---@class waba.Emulator : waba.emulator.Number
---@field numbers table<string, waba.emulator.Number>  the objects of all business numbers, by their digits
---@field pid integer|nil   the id of the emulator's process; nil after `connect`
local Emulator = setmetatable({}, { __index = Number })
Emulator.__index = Emulator
Emulator.__name = "waba.Emulator"

function Emulator:__tostring()
  return ("waba.Emulator (%s)"):format(self.remote.connection.engine and self.url or "stopped")
end

--- The object for a Cloud gateway, with the same methods as the object for an On-Premise gateway.
---@class waba.emulator.CloudHandle : waba.emulator.Handle
---@field phone_number_id string
---@field waba_id string
local Cloud = setmetatable({}, { __index = Handle })
Cloud.__index = Cloud
Cloud.__name = "waba.emulator.CloudHandle"
Cloud.USUAL_FAILURE = 131000

function Cloud:__tostring()
  return ("waba.Emulator's Cloud gateway (%s)"):format(self.remote.connection.engine and self.url or "stopped")
end

local function new_handle(class, described, common)
  described.remote = common.connection:to(described.name)
  described.ca_file, described.sleep = common.ca_file, common.sleep
  return setmetatable(described, class)
end

-- Creates the object of a business number from the descriptions of its gateways.
local function new_number(class, described, common)
  local self = new_handle(class, described.on_premise, common)
  self.cloud = new_handle(Cloud, described.cloud, common)
  return self
end

local function new_emulator(described, connection, sleep)
  local common = { ca_file = described.ca_file, sleep = sleep, connection = connection }
  local self = new_number(Emulator, described.numbers[1], common)
  self.common, self.numbers = common, { [self.number] = self }
  for i = 2, #described.numbers do
    local number = new_number(Number, described.numbers[i], common)
    self.numbers[number.number] = number
  end
  return self
end

--- Starts an emulator in a process of its own. The emulator ends when the program ends, also after a crash.
---@param settings? waba.EmulatorOptions
---@return waba.Emulator|nil
---@return waba.Error? err  set if a library is missing, or the emulator can't listen
function emulator.start(settings)
  options.check(settings, "waba.emulator.start", HANDLE_OPTIONS)
  local for_process, message = options.with_folders(settings or {})
  if not for_process then return nil, errors.new({ kind = "invalid", path = "templates", message = message }) end
  for name in pairs(HANDLE_OPTIONS) do for_process[name] = nil end
  settings = settings or {}
  local sleep = settings.sleep or remote.sleep
  local started, reason = remote.start(for_process, {
    interpreter = settings.interpreter, start_timeout = settings.start_timeout, sleep = sleep })
  if not started then return nil, errors.new({ kind = "unavailable", message = reason }) end
  local self = new_emulator(started, remote.connect(started.control, started.token), sleep)
  self.pid, self.started = started.pid, started
  return self
end

--- Connects to a running emulator. The method `stop` of a connected emulator ends the connection only.
---@param url string     the value of WABA_EMULATOR, which `waba emulator` prints, or the URL of its page
---@param token? string  the token of the control port; default: the token in the URL
---@return waba.Emulator|nil
---@return waba.Error? err  set if the emulator does not respond, or the token is invalid
function emulator.connect(url, token)
  if type(url) ~= "string" then error("waba.emulator.connect: the URL must be a string, not a " .. type(url), 2) end
  local origin = url:match("^http://[^/?#]+")
  token = token or url:match("[?&]token=([%w_-]+)")
  if not origin or not loopback.is_url(origin) or not token then
    return nil, errors.new({ kind = "invalid", path = "url",
      message = ("url: %s is not the URL of an emulator: expected http://127.0.0.1:PORT/?token=TOKEN"):format(url) })
  end
  local connection = remote.connect(origin, token)
  local described, err = connection:ask("describe", {})
  if not described then
    connection:close()
    return nil, err
  end
  return new_emulator(described, connection, remote.sleep)
end

--- Adds a business number, on both hostings. Missing options have the values of the first business number.
---@param settings waba.EmulatorProcessOptions  `number` is required; the options of the process are not allowed
---@return waba.emulator.Number|nil number  the object of the new business number
---@return waba.Error? err  set if the business number or the API key is already in use
function Emulator:add_number(settings)
  options.check_number(settings, "emulator:add_number")
  local loaded, message = options.with_folders(settings)
  if not loaded then return nil, errors.new({ kind = "invalid", path = "templates", message = message }) end
  local described, err = self:ask("add_number", loaded)
  if not described then return nil, err end
  local number = new_number(Number, described, self.common)
  self.numbers[number.number] = number
  return number
end

--- Serves a page for a browser, which shows a phone for each customer, the requests and the webhooks. Further calls
--- return the same URL.
---@return string|nil url  the URL with a token: on 127.0.0.1, at the port of the option `ui_port`
---@return waba.Error? err  set if the port is already in use
function Emulator:page() return self:ask "page" end

local function options_for(handle, more, hosting)
  local merged = { api_key = handle.api_key, base_url = handle.url, ca_file = handle.ca_file }
  for name, value in pairs(more or {}) do merged[name] = value end
  merged.hosting = hosting or merged.hosting
  return merged
end

--- Returns options of `waba.client` for this emulator: api_key, base_url, ca_file, and the options in `more`.
---@param more? table  further options of `waba.client`; with `hosting = "cloud"` the result is for the Cloud gateway
---@return table
function Number:options(more)
  if more ~= nil and type(more) ~= "table" then
    error("emulator:options: the options must be a table, not a " .. type(more), 2)
  end
  if more and more.hosting == "cloud" then self = self.cloud end
  return options_for(self, more)
end

--- Returns options of `waba.client` for the Cloud gateway.
---@param more? table
---@return table
function Cloud:options(more) return options_for(self, more, "cloud") end

--- Ends the emulator's process and removes the files of the process; after `connect`, ends the connection only.
--- Further calls of `stop` have no effect.
function Emulator:stop()
  local stopped = self.started and self.remote:ask("stop", {}, STOP_TIMEOUT)
  self.remote:close()
  if self.started then remote.finish(self.started, not stopped) end
  self.started = nil
end

return emulator
