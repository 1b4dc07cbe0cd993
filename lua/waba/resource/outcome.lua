-- Reads the results of `client:call` for the methods of resources.

local errors = require "waba.errors"
local values = require "waba.hosting.values"

local outcome = {}

--- Creates the error for a response without the content that the platform documents.
---@param response waba.Response
---@param absent string        the missing content, such as "templates"
---@param expected string      a description of the documented form: 'a list in its field "data"'
---@param maybe_sent? boolean  true: the gateway may have executed the request
function outcome.incomplete(response, absent, expected, maybe_sent)
  return errors.new {
    kind = "protocol", status = response.status, maybe_sent = maybe_sent,
    message = ("the response has no %s: expected %s"):format(absent, expected),
  }
end

-- Converts an error of kind "not_found" to an empty response, because the gateway returns this error for a value that
-- was never set.
function outcome.or_empty(json, response)
  if json == nil and response.kind == "not_found" then return {}, response end
  return json, response
end

--- Reads the response `{"success":true}`.
---@return true|nil
---@return waba.Error? err  the error of the call, or kind "api" if `success` is false
function outcome.success(json, response)
  if json == nil then return nil, response end
  if type(json) == "table" and values.flag(json.success) == false then
    return nil, errors.new {
      kind = "api", status = response.status,
      message = "the gateway did not execute the request: its response has success: false",
    }
  end
  return true
end

return outcome
