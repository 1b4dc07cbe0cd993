-- The error object: what every function of the library returns beside nil when the world did
-- something wrong. One shape for both hostings, the transports and the local checks.

local errors = {}

--- What went wrong, coarsely: the field to branch on.
---@alias waba.ErrorKind
---| "invalid"      # refused here or there: a field is missing, too long, of the wrong kind
---| "blocked"      # 360dialog keeps this resource closed, or the account itself
---| "auth"         # the API key is wrong, or belongs to another number
---| "not_found"    # no such id, name or path
---| "rate_limited" # too fast, or overloaded; see `retry_after`
---| "window"       # the 24-hour window is closed: send a template
---| "recipient"    # this recipient can't be reached
---| "template"     # the template, or its parameters, don't fit
---| "media"        # the media file can't be used
---| "unavailable"  # the gateway or the WhatsApp client behind it is down
---| "network"      # no connection, or it broke
---| "tls"          # the certificate or the handshake failed
---| "timeout"      # the time was over
---| "cancelled"    # ended by this side
---| "protocol"     # the answer is not what HTTP or the gateway promises
---| "api"          # any other refusal by the platform

---@class waba.Error
---@field kind waba.ErrorKind
---@field message string        one sentence for people and logs. Where the gateway repeats the key, a recipient or the
---                             content of a message, it has "(hidden)" instead, as have the other texts of the gateway
---@field code integer?         the platform's code: `waba.explain(code)` tells more
---@field subcode integer?      the platform's second code (Cloud hosting)
---@field trace_id string?      the platform's name of this answer, for its support (Cloud hosting)
---@field status integer?       HTTP status
---@field title string?         the platform's words
---@field details string?       the platform's words
---@field href string?          the platform's page about it
---@field path string?          the field that is invalid, as in "text.body"
---@field retryable boolean     the same call may succeed later
---@field retry_after number?   seconds to wait before that
---@field scope string?         kind rate_limited: what is too fast: "key" (all of it, also when not said), "pair" (what
---                             goes to this one recipient), "endpoint" (this kind of request). Kind timeout: what
---                             the turn did not come in: "key", "pair", or "order" (a message before this one)
---@field maybe_sent boolean    the gateway may have accepted the request: repeating it may do it twice
---@field answer table?         the platform's whole response, unchanged, where it has more than the error
---@field upload string?         what an upload can be resumed with (client.media:resumable)
---@field errors table[]?       all errors of the platform's response, unchanged, if there are several
---@field summary waba.BulkSummary?  of `client:send_all`: what was done before
local Error = {}
Error.__index = Error
Error.__name = "waba.Error"

--- `assert(client:send(…))` reads well with it (but on Lua 5.1 and 5.2, whose `assert` takes strings only).
function Error:__tostring()
  local marks = {}
  if self.code then marks[#marks + 1] = "code " .. self.code end
  if self.status then marks[#marks + 1] = "HTTP " .. self.status end
  if self.maybe_sent then marks[#marks + 1] = "may have been sent" end
  local suffix = #marks > 0 and " (" .. table.concat(marks, ", ") .. ")" or ""
  return self.kind .. ": " .. self.message .. suffix
end

--- Makes an error object of its fields; `retryable` and `maybe_sent` are false when not given.
---@param fields { kind: waba.ErrorKind, message: string, [string]: any }
---@return waba.Error
function errors.new(fields)
  fields.retryable = fields.retryable or false
  fields.maybe_sent = fields.maybe_sent or false
  return setmetatable(fields, Error)
end

--- The error of a field that breaks a rule.
---@param path string     as in "interactive.action.buttons[2].reply.title"
---@param message string  what it is, what it has, what is allowed
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
