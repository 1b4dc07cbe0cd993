-- Environment variables for missing options of `waba.client`: D360_API_KEY, WABA_HOSTING, WABA_BASE_URL,
-- WABA_CLOUD_BASE_URL and WABA_CA_FILE. An option overrides its variable; an empty variable counts as unset.

local core = require "waba.core"

local environment = {}

local function variable(name)
  local value = os.getenv(name)
  if value ~= "" then return value end
end

-- Reads a URL from a variable.
local function url_of(name, level)
  local url = variable(name)
  local origin, message = core.origin(url or "https://none.example")
  if not origin then error(("waba.client: the environment variable %s: %s"):format(name, message), level + 1) end
  return url
end

-- The gateway's address. WABA_BASE_URL belongs to the hosting that WABA_HOSTING names. A client of the other hosting uses
-- WABA_CLOUD_BASE_URL, or needs the option base_url.
local function base_url_for(hosting, named, level)
  local cloud = hosting == "cloud" and url_of("WABA_CLOUD_BASE_URL", level + 1)
  if cloud then return cloud end
  local url = url_of("WABA_BASE_URL", level + 1)
  if url and named and named ~= hosting then
    error(('waba.client: option hosting is "%s", but WABA_BASE_URL is the address for WABA_HOSTING=%s: give option '
      .. "base_url too, or set WABA_HOSTING=%s and its WABA_BASE_URL"):format(hosting, named, hosting), level + 1)
  end
  return url
end

--- Completes the options from the environment.
---@param given waba.ClientOptions
---@param level integer  for `error`, as in the calling function
---@return waba.ClientOptions complete
function environment.complete(given, level)
  local complete = {}
  for name, value in pairs(given) do complete[name] = value end
  local named = variable "WABA_HOSTING"
  complete.api_key = given.api_key or variable "D360_API_KEY"
  complete.hosting = given.hosting or named
  if not given.base_url and not given.sandbox then
    complete.base_url = base_url_for(complete.hosting or "on_premise", named, level + 1)
  end
  complete.ca_file = given.ca_file or variable "WABA_CA_FILE"
  return complete
end

return environment
