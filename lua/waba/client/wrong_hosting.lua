-- Completes errors that a client of the wrong hosting gets: a key that the gateway does not know, a path that it does
-- not have, an On-Premise gateway that is gone. The message then names the option that would be right.

local loopback = require "waba.loopback"

local wrong_hosting = {}

local OTHER = {
  on_premise = 'if the number is on Cloud hosting, give hosting = "cloud"',
  cloud = 'if the number is on On-Premise hosting, give hosting = "on_premise"',
}
local ENDED = 'On-Premise hosting ended in October 2025: for a number on Cloud hosting give hosting = "cloud"'

local UNREACHED = { network = true, tls = true, timeout = true }

-- Whether no connection came about; a rate limiter's timeout has a scope.
local function is_unreached(client, err)
  return UNREACHED[err.kind] and not err.status and not err.maybe_sent and not err.scope
    and not loopback.is_url(client.base_url)
end

--- The hint that belongs to an error, if any.
---@param client waba.Client
---@param endpoint waba.Endpoint
---@param err waba.Error
---@return string|nil
function wrong_hosting.hint(client, endpoint, err)
  local hosting = client.hosting.name
  if client.sandbox or err.code then return nil end -- a code is the platform's, behind the right gateway
  -- an id in the path may be what was not found
  local is_fixed = not endpoint.raw and not endpoint.path:find("{", 1, true)
  if err.status == 401 or err.status == 404 and is_fixed then return OTHER[hosting] end
  if hosting == "on_premise" and is_unreached(client, err) then return ENDED end
end

--- The error, with the hint in its message.
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
