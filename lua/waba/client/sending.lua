-- The options of `client:send`. Sends one message that was checked: encodes the body for the hosting, keeps the order
-- of messages to one recipient, and reads the response.

local call_endpoint = require "waba.client.call"
local client_options = require "waba.client.options"
local copy = require("waba.message.parts").copy
local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local option = require "waba.option"
local runtime = require "waba.runtime"

local sending = {}

--- The options of a message that is sent now or is put into an outbox.
---@options waba.MessageOptions
sending.MESSAGE_OPTIONS = {
  reply_to = "string",           -- id of the message to quote (Cloud hosting only)
  identity_key_hash = "string",  -- the platform delivers the message only if this is the hash of the recipient's
                                 -- identity (Cloud hosting only)
  marketing = "boolean|{ product_policy: string?, message_activity_sharing: boolean?, bid_spec: table? }",
                                 -- true: sends a marketing template with POST /marketing_messages (Cloud hosting only)
  category = "string",           -- "utility" or "authentication": sends a text or an interactive message outside the
                                 -- 24-hour window without an approved template (Direct Send; Cloud hosting only)
  ttl_seconds = "integer",       -- with category: the platform tries to deliver the message for 30 to 43200 seconds;
                                 -- for authentication at most 900
  direct_send_config = "{ template_name: string }", -- with category: the name of the template that the platform creates
  check_contact = "boolean",     -- true: if the gateway does not know the phone number, the client checks the contact.
                                 -- The client then sends the message to the wa_id in the result (On-Premise hosting
                                 -- only)
  timeout = "number>0",          -- seconds; default: the client's `timeout`
}

--- The options for sending one message.
---@options waba.SendOptions : waba.MessageOptions
sending.OPTIONS = option.with(sending.MESSAGE_OPTIONS, {
  data = "string",               -- a text of at most 512 characters; each status of the message contains the text
                                 -- (Cloud hosting only)
  bulk = "boolean",              -- true: all waiting messages without `bulk` are sent first
  ordered = "boolean|waba.OrderedOptions", -- replaces the client's option `ordered` for this message
  window = "waba.Receiver",      -- a receiver that knows the 24-hour windows. If the recipient's window is closed, only
                                 -- templates are sent; `send` returns an error of kind "window" for other messages
  otherwise = "waba.Message",    -- with `window`: a template that is sent instead of the message if the window is
                                 -- closed. The gateway can report a closed window in its response or in a later status
  before_attempt = "fun(): true|nil, waba.Error?", -- called before each attempt, when the rate limiter has admitted
                                 -- the message; may wait. If the function returns `nil, err`, the message is not sent,
                                 -- and `send` returns `nil, err`
  before_retry = "fun(err: waba.Error)", -- called before the wait for the next attempt, if the last attempt certainly
                                 -- did not send the message
})

-- The metatable of options that are used for many messages, and that were checked before the first message.
local Checked = { __name = "waba.CheckedOptions" }

--- Checks the options of `client:send`. An error has the position of the code that called a method of the client.
---@param options waba.SendOptions|nil
---@param what? string  the name of the options in an error text; default: "client:send"
function sending.check(options, what)
  if getmetatable(options) == Checked then return end
  what = what or "client:send"
  option.check(options, sending.OPTIONS, what, 3)
  if options.ordered then client_options.check_ordered(options.ordered, what, 4) end
  if options.window and type(options.window.window) ~= "function" then
    error(what .. ": option window must be a receiver from waba.receiver", 3)
  elseif options.otherwise and (not options.window or options.otherwise.type ~= "template") then
    error(what .. ": option otherwise must be a template, and requires option window", 3)
  end
end

--- Marks options that were checked, so that they are not checked for each message. The options must not be changed.
function sending.mark_checked(options) return setmetatable(options, Checked) end

--- Returns the message with the options that become fields of the message.
function sending.with_options(message, options)
  local category, ttl_seconds, config = options.category, options.ttl_seconds, options.direct_send_config
  if category == nil and ttl_seconds == nil and config == nil then return message end
  message = copy(message)
  if category ~= nil then message.category = category end
  if ttl_seconds ~= nil then message.ttl_seconds = ttl_seconds end
  if config ~= nil then message.direct_send_config = config end
  return message
end

-- Removes the definition of a template from the client after an error of kind "template", because the definition may be
-- out of date.
local function forget_template(self, call, err)
  local templates = err.kind == "template" and err.code and rawget(self, "templates")
  local template = templates and (call.json or core.decode(call.body)).template
  if template then templates:forget(template.name) end
end

--- Posts the body of a message. The call has the fields `to`, and `json` or `body`.
function sending.post(self, call, is_marketing)
  local hosting = self.hosting
  local endpoint = is_marketing and hosting.endpoints.send_marketing or hosting.endpoints.send
  local json, response = call_endpoint(self, endpoint, call)
  if json == nil then
    forget_template(self, call, response)
    return nil, response
  end
  local sent = hosting.read_sent(json, call.to)
  if sent then return sent end
  -- the sandbox's responses have an undocumented form (cloud.md, section 1.5)
  if self.sandbox then return { input = call.to } end
  return nil, errors.new {
    kind = "protocol", status = response.status, maybe_sent = true,
    message = "the gateway accepted the message, but its response has no message id",
  }
end

local post = sending.post

local send_now

-- Option check_contact: if `err` reports an unknown phone number, checks the contact, and sends the message to the
-- wa_id in the result. Returns other errors unchanged.
local function check_and_send(self, address, message, options, slot, err)
  local is_unknown = err.kind == "recipient" and err.code == self.hosting.unknown_contact
  if not (is_unknown and options and options.check_contact) then return nil, err end
  local contacts, failure = self.contacts:check({ "+" .. address }, { wait = true, force = true })
  if not contacts then return nil, failure end
  local wa_id = contacts[1] and contacts[1].wa_id
  if not wa_id then return nil, err end
  return send_now(self, wa_id, message, options, nil, slot, true)
end

function send_now(self, address, message, options, form, slot, is_checked)
  local body, err = self.hosting.encode_message(address, message, self, options, form)
  if not body then return nil, err end
  -- a field `= false` reserves memory for a value that is set later; LuaJIT reserves none for a field `= nil`
  local call = { json = body, to = address, body = false, head = false, timeout = false, connect_timeout = false }
  if slot then call.slot = slot end
  if options then
    if options.bulk then call.bulk = true end
    call.timeout, call.before_attempt, call.before_retry = options.timeout, options.before_attempt, options.before_retry
  end
  local sent
  sent, err = post(self, call, options and options.marketing)
  if sent or is_checked then return sent, err end
  return check_and_send(self, address, message, options, slot, err)
end

-- Sends a message after the previous messages to the same recipient.
local function send_in_order(self, ordered, address, message, options, form)
  local ordering = rawget(self, "ordering") or runtime.require("waba.delivery.ordering").new()
  self.ordering = ordering
  local spare = options and options.check_contact and 2 * (options.timeout or self.timeout) or 0
  local slot = ordering:slot(address, ordered, spare)
  return coroutines.ensure(slot.finish, slot, send_now, self, address, message, options, form, slot)
end

--- Sends a message that was checked. `address` and `form` are the results of `recipient.read`; `message` is the result
--- of `core.plain`.
function sending.send(self, address, message, options, form)
  local ordered = self.ordered
  if options and options.ordered ~= nil then ordered = options.ordered end
  if ordered then return send_in_order(self, ordered, address, message, options, form) end
  return send_now(self, address, message, options, form)
end

return sending
