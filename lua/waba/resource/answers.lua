-- Pieces of JSON answers, read so that nothing the gateway may leave out, or write as null, surprises.

local core = require "waba.core"
local errors = require "waba.errors"
local values = require "waba.hosting.values"

local answers = { without_null = values.without_null }

--- A text that says something, or nil.
---@param value any
---@return string|nil
function answers.text(value)
  if type(value) == "string" and value ~= "" then return value end
end

--- An identifier, whichever way it is written: digit for digit, as a string.
---@param value any
---@return string|nil
function answers.identifier(value)
  return answers.text(values.text(value))
end

--- A table, or an empty one in its place.
---@param value any
---@return table
function answers.object(value)
  return type(value) == "table" and value or {}
end

--- What lies under some names of an answer, or nil.
---@param json any
---@param ... string|integer
---@return any
function answers.dig(json, ...)
  for i = 1, select("#", ...) do
    if type(json) ~= "table" then return nil end
    json = json[select(i, ...)]
  end
  if json == core.null then return nil end
  return json
end

--- The error of an answer that misses what it promises.
---@param response waba.Response
---@param message string       "the answer has no templates"
---@param maybe_sent? boolean  the gateway may have done what it was asked for
---@return waba.Error
function answers.broken(response, message, maybe_sent)
  return errors.new { kind = "protocol", status = response.status, message = message, maybe_sent = maybe_sent }
end

--- Reads `{"success":true}`.
---@param json any
---@param response waba.Response|waba.Error
---@return true|nil
---@return waba.Error? err  the one of the call, or kind "api" when the answer denies its success
function answers.success(json, response)
  if json == nil then return nil, response end
  if type(json) == "table" and values.flag(json.success) == false then
    return nil, errors.new {
      kind = "api", status = response.status, message = "the gateway answered that it did not succeed",
    }
  end
  return true
end

return answers
