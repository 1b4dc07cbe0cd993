-- Functions for the responses of both hostings.

local json = require "waba.emulator.json"

local responses = {}

--- Makes the responses of a hosting: an object with `json`, `row` of its codes, and `commanded`.
---@param own { codes: table<string|integer, waba.emulator.Code>, href: string, content_type: string, meta: function }
---  meta(status, message, details): an error as 360dialog's gateway responds with it
---@return table
function responses.new(own)
  --- Returns a response with a JSON value.
  ---@param status integer
  ---@param value any
  ---@return waba.emulator.Response
  function own.json(status, value)
    return { status = status, headers = { ["content-type"] = own.content_type }, body = json.encode(value) }
  end

  --- Returns `title`, or by default the title of the code in the table.
  ---@param code string|integer
  ---@param title? string
  ---@return string
  function own.title(code, title)
    local known = own.codes[code]
    return title or known and known.title or "Unknown error"
  end

  --- The number of a code and the HTTP status of its responses.
  ---@param code string|integer
  ---@param status? integer  in place of the table's
  ---@return integer code
  ---@return integer status
  function own.number(code, status)
    local known = own.codes[code]
    return known and known.code or code, status or known and known.status or 400
  end

  --- The response that a command `fail_next` asks for, if it asks for one.
  ---@param command table
  ---@param rows table[]|nil  its error objects
  ---@param error_response fun(rows: table[], status: integer): waba.emulator.Response
  ---@return waba.emulator.Response|nil
  function own.commanded(command, rows, error_response)
    local response
    if command.body then
      response = { status = command.status or 500, body = command.body, headers = {} }
    elseif command.developer_message then
      response = own.meta(command.status or 400, command.developer_message, command.details)
    elseif rows then
      response = error_response(rows, select(2, own.number(rows[1].code or 0, command.status)))
    elseif command.status then
      response = own.meta(command.status, "Failure ordered by fail_next")
    end
    for name, value in pairs(response and command.headers or {}) do response.headers[name:lower()] = tostring(value) end
    return response
  end

  return own
end

return responses
