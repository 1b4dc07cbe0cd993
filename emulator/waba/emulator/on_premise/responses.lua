-- The responses of the On-Premise gateway: the WhatsApp client's body with `errors`, and the gateway's own with `meta`
-- (on-premise.md, section 12).

local codes = require "waba.emulator.codes"

local responses = { codes = codes.on_premise, content_type = "application/json",
  href = "https://developers.facebook.com/docs/whatsapp/api/errors/" }

require("waba.emulator.responses").new(responses)

--- The platform's error object.
---@param code string|integer
---@param details? string
---@param title? string  in place of the table's
---@return { code: integer, title: string, details: string?, href: string }
function responses.row(code, details, title)
  return { code = responses.number(code), title = responses.title(code, title), details = details,
    href = responses.href }
end

--- An error response of the WhatsApp client.
---@param rows table[]     error objects
---@param status integer
---@param version string   the client's, for `meta`
---@return waba.emulator.Response
function responses.errors(rows, status, version)
  return responses.json(status, { errors = rows, meta = { api_status = "stable", version = version } })
end

--- An error response of 360dialog's gateway.
---@param status integer
---@param message string
---@param details? string[]
---@return waba.emulator.Response
function responses.meta(status, message, details)
  return responses.json(status, {
    meta = { success = false, http_code = status, developer_message = message, details = details },
  })
end

--- The response to an invalid body.
---@param messages string[]
---@param status? integer
---@return waba.emulator.Response
function responses.invalid(messages, status) return responses.meta(status or 400, "Validation error", messages) end

return responses
