-- The emulator of a soak test: a process that is killed and started again with the same port, record and failures. With
-- HTTP/2 an nginx is in front of the emulator.

local emulators = require "waba.emulator"
local nginx = require "spec.support.nginx"
local faults = require "bench.support.soak_faults"
local waba = require "waba"

local gateways = {}

local Gateway = {}
Gateway.__index = Gateway

-- The start is tried several times, because the port of the killed process may be blocked for a short time.
local TRIES, PAUSE = 50, 0.1

---@param folder string   the folder of the certificate authority and the record
---@param settings { seed: integer, tls: boolean, timeout: number, intensity: number }
function gateways.new(folder, settings)
  return setmetatable({ folder = folder, record = folder .. "/record", settings = settings, starts = 0 }, Gateway)
end

-- Returns the port of a URL, for the next start.
local function port_of(handle) return tonumber(handle.url:match ":(%d+)$") end

local function options_of(self)
  local ports = self.ports or {}
  return {
    authority = self.folder .. "/authority", record = self.record, api_key = "soak-key", port = ports.on_premise,
    tls = self.settings.tls, seed = self.settings.seed + self.starts, statuses = false, keep = 100,
    cloud = { api_key = "soak-key", port = ports.cloud }, sleep = waba.sleep, start_timeout = 60,
  }
end

--- Starts the emulator on its previous ports.
---@param hosting "on_premise"|"cloud"  the hosting whose gateway is used
function Gateway:start(hosting, http2)
  self.hosting, self.http2, self.starts = hosting, http2, self.starts + 1
  local emulator, err
  for _ = 1, TRIES do
    emulator, err = emulators.start(options_of(self))
    if emulator then break end
    waba.sleep(PAUSE)
  end
  if not emulator then error(err, 0) end
  self.emulator = emulator
  self.ports = { on_premise = port_of(emulator), cloud = port_of(emulator.cloud) }
  if http2 and not self.proxy then
    self.proxy = nginx.http2_proxy(hosting == "cloud" and emulator.cloud.url or emulator.url)
  end
  faults.order(hosting == "cloud" and emulator.cloud or emulator, {
    hosting = hosting, http2 = http2, timeout = self.settings.timeout, intensity = self.settings.intensity,
  })
end

--- Kills the emulator, and starts it again after some time.
function Gateway:restart()
  os.execute(("kill -9 %d"):format(self.emulator.pid))
  waba.sleep(self.settings.timeout * 0.1)
  self.emulator:stop()
  self:start(self.hosting, self.http2)
end

--- Stops the emulator; can be called more than once.
function Gateway:stop()
  if self.emulator then self.emulator:stop() end
  if self.proxy then self.proxy.stop() end
  self.proxy = nil
end

function Gateway:options(more)
  more.hosting = self.hosting
  if self.proxy then more.base_url, more.ca_file = self.proxy.url, self.proxy.ca_file end
  return self.emulator:options(more)
end

return gateways
