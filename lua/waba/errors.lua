-- The error object, the second result of every function that fails at run time.

local errors = {}

--- The kind of an error.
---@alias waba.ErrorKind
---| "invalid"      # the library or the gateway has refused the request: a field is missing, too long or of wrong type
---| "blocked"      # the account, the number or the recipient is blocked, or 360dialog does not allow this request
---| "auth"         # the API key is invalid, or it belongs to another business number
---| "not_found"    # the id, name or path does not exist
---| "rate_limited" # too many requests, or the gateway is overloaded; see `retry_after`
---| "window"       # the 24-hour window is closed: send a template
---| "recipient"    # this recipient can't be reached
---| "template"     # the template does not exist, or the parameters in the message do not match the template
---| "media"        # the media file can't be used
---| "unavailable"  # the gateway or the WhatsApp client behind it is down
---| "network"      # no connection, or the connection failed
---| "tls"          # the certificate or the handshake failed
---| "timeout"      # no response within the timeout
---| "cancelled"    # this program has ended the request
---| "protocol"     # the response violates HTTP or the gateway's documentation
---| "api"          # any other error of the platform

---@class waba.Error
---@field kind waba.ErrorKind
---@field message string        one sentence for people and logs. In texts from the gateway, the API key, the recipient
---                             and the content of the message are replaced by "(hidden)"
---@field code integer?         the error code of the platform: see `waba.explain(code)`
---@field subcode integer?      a second, more specific error code of the platform (Cloud hosting)
---@field trace_id string?      the id of the response, with which the platform's support finds it (Cloud hosting)
---@field status integer?       HTTP status
---@field title string?         the platform's short text of the error
---@field details string?       the platform's longer text of the error
---@field href string?          the URL of the platform's page about the error
---@field path string?          the path of the invalid field, such as "text.body"
---@field retryable boolean     true: a retry of the same call can succeed later
---@field retry_after number?   seconds to wait before a retry
---@field scope string?         kind rate_limited: the limit counts all requests of the API key ("key", the default),
---                             messages to this recipient ("pair"), or requests of this kind ("endpoint"). Kind
---                             timeout: the request waited for a rate limiter ("key" or "pair"), or for the previous
---                             message to the same recipient ("order")
---@field maybe_sent boolean    true: the gateway may have accepted the request, so a retry can send a message
---        twice
---@field answer table?         the complete response of the platform, unchanged, if it contains more than the error
---@field upload string?        the id with which `client.media:resumable` continues the upload
---@field errors table[]?       all errors in the response of the platform, unchanged, if there are several
---@field index integer?         set by `outbox:put` for a list: the position of the invalid entry
---@field summary waba.BulkSummary?  set by `client:send_all`: the results before the error
local Error = {}
Error.__index = Error
Error.__name = "waba.Error"

-- Returns the text that `assert(client:send(…))` shows. In Lua 5.1 and 5.2, `assert` accepts only strings as messages.
function Error:__tostring()
  local marks = {}
  if self.code then marks[#marks + 1] = "code " .. self.code end
  if self.status then marks[#marks + 1] = "HTTP " .. self.status end
  if self.maybe_sent then marks[#marks + 1] = "may have been sent" end
  local suffix = #marks > 0 and " (" .. table.concat(marks, ", ") .. ")" or ""
  return self.kind .. ": " .. self.message .. suffix
end

---@param fields { kind: waba.ErrorKind, message: string, [string]: any }
---@return waba.Error
function errors.new(fields)
  fields.retryable = fields.retryable or false
  fields.maybe_sent = fields.maybe_sent or false
  return setmetatable(fields, Error)
end

--- Creates the error for a field that violates a rule.
---@param path string     such as "interactive.action.buttons[2].reply.title"
---@param message string  which field is invalid, what is wrong with it, and what is allowed
---@return waba.Error
function errors.invalid(path, message)
  return errors.new { kind = "invalid", path = path, message = message }
end

function errors.is_error(value)
  return getmetatable(value) == Error
end

return errors
