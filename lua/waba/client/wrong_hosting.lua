-- Adds a hint to errors that a client of the wrong hosting gets: an unknown key, an unknown path, an On-Premise gateway
-- that can't be reached. The hint names the right option.

local loopback = require "waba.loopback"

local wrong_hosting = {}

local OTHER = {
  on_premise = 'if the number is on Cloud hosting, give hosting = "cloud"',
  cloud = 'if the number is on On-Premise hosting, give hosting = "on_premise"',
}
local ENDED = 'On-Premise hosting ended in October 2025: for a number on Cloud hosting give hosting = "cloud"'

local UNREACHED = { network = true, tls = true, timeout = true }

-- Where libcurl reads the proxy of an https URL.
local PROXY_VARIABLES = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

local function uses_proxy(client)
  if client.proxy then return client.proxy ~= "" end
  for _, name in ipairs(PROXY_VARIABLES) do
    if (os.getenv(name) or "") ~= "" then return true end
  end
  return false
end

-- Whether no connection to the gateway was established; a timeout of the rate limiter has a scope. Behind a proxy the
-- proxy may be what failed.
local function is_unreached(client, err)
  return UNREACHED[err.kind] and not err.status and not err.maybe_sent and not err.scope
    and not loopback.is_url(client.base_url) and not uses_proxy(client)
end

--- Returns the hint for an error, if there is one.
---@param client waba.Client
---@param endpoint waba.Endpoint
---@param err waba.Error
---@return string|nil
function wrong_hosting.hint(client, endpoint, err)
  local hosting = client.hosting.name
  if client.sandbox or err.code then return nil end -- a code comes from the platform, so the gateway is the right one
  -- with an id in the path the 404 may be about the id
  local is_fixed = not endpoint.raw and not endpoint.path:find("{", 1, true)
  if err.status == 401 or err.status == 404 and is_fixed then return OTHER[hosting] end
  if hosting == "on_premise" and is_unreached(client, err) then return ENDED end
end

--- Adds the hint to the message of an error.
---@param client waba.Client
---@param endpoint waba.Endpoint
---@param err waba.Error
---@return waba.Error err
function wrong_hosting.complete(client, endpoint, err)
  local hint = wrong_hosting.hint(client, endpoint, err)
  if hint and not err.message:find(hint, 1, true) then err.message = err.message .. "; " .. hint end
  return err
end

return wrong_hosting
