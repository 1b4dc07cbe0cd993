-- The error object, the second result of every function that fails at run time. Both hostings, the transports and the
-- checks use the same one.

local errors = {}

--- The class of an error.
---@alias waba.ErrorKind
---| "invalid"      # refused by the library or the gateway: a field is missing, too long, of a wrong type
---| "blocked"      # 360dialog keeps this resource or the account closed
---| "auth"         # the API key is wrong, or belongs to another number
---| "not_found"    # no such id, name or path
---| "rate_limited" # too many requests, or the gateway is overloaded; see `retry_after`
---| "window"       # the 24-hour window is closed: send a template
---| "recipient"    # this recipient can't be reached
---| "template"     # the template does not exist, or its parameters do not match it
---| "media"        # the media file can't be used
---| "unavailable"  # the gateway or the WhatsApp client behind it is down
---| "network"      # no connection, or it broke
---| "tls"          # the certificate or the handshake failed
---| "timeout"      # no response within the timeout
---| "cancelled"    # ended by this program
---| "protocol"     # the response violates HTTP or the gateway's documentation
---| "api"          # any other error of the platform

---@class waba.Error
---@field kind waba.ErrorKind
---@field message string        one sentence for people and logs. In all texts of the gateway "(hidden)" replaces the
---                             key, the recipient and the content of the message
---@field code integer?         the platform's code: see `waba.explain(code)`
---@field subcode integer?      the platform's second code (Cloud hosting)
---@field trace_id string?      the platform's id of the response, for its support (Cloud hosting)
---@field status integer?       HTTP status
---@field title string?         the platform's text
---@field details string?       the platform's text
---@field href string?          the platform's page about the error
---@field path string?          the field that is invalid, as in "text.body"
---@field retryable boolean     the same call may succeed later
---@field retry_after number?   seconds to wait before that
---@field scope string?         kind rate_limited: what the limit applies to: "key" (all requests of the key; the
---                             default), "pair" (messages to this recipient), "endpoint" (requests of this kind). Kind
---                             timeout: what the request waited for: "key", "pair", or "order" (a message before this
---                             one)
---@field maybe_sent boolean    the gateway may have accepted the request: repeating it may do it twice
---@field answer table?         the platform's whole response, unchanged, if it has more than the error
---@field upload string?        the value with which an upload can be resumed (client.media:resumable)
---@field errors table[]?       all errors of the platform's response, unchanged, if there are several
---@field index integer?         of `outbox:put` with a list: the position of the invalid entry
---@field summary waba.BulkSummary?  of `client:send_all`: the results before the error
local Error = {}
Error.__index = Error
Error.__name = "waba.Error"

--- The text of `assert(client:send(…))` (not on Lua 5.1 and 5.2, whose `assert` accepts strings only).
function Error:__tostring()
  local marks = {}
  if self.code then marks[#marks + 1] = "code " .. self.code end
  if self.status then marks[#marks + 1] = "HTTP " .. self.status end
  if self.maybe_sent then marks[#marks + 1] = "may have been sent" end
  local suffix = #marks > 0 and " (" .. table.concat(marks, ", ") .. ")" or ""
  return self.kind .. ": " .. self.message .. suffix
end

--- Makes an error object of its fields. `retryable` and `maybe_sent` are false by default.
---@param fields { kind: waba.ErrorKind, message: string, [string]: any }
---@return waba.Error
function errors.new(fields)
  fields.retryable = fields.retryable or false
  fields.maybe_sent = fields.maybe_sent or false
  return setmetatable(fields, Error)
end

--- The error of a field that breaks a rule.
---@param path string     as in "interactive.action.buttons[2].reply.title"
---@param message string  which field, what is wrong, what is allowed
---@return waba.Error
function errors.invalid(path, message)
  return errors.new { kind = "invalid", path = path, message = message }
end

---@param value any
---@return boolean
function errors.is_error(value)
  return getmetatable(value) == Error
end

return errors
