-- Finds the handlers of an event and runs them: the one of its type, the one of its kind, then `any`.

local protect = require("waba.runtime").protect
local inbound = require "waba.hosting.inbound"
local options = require "waba.options"

local router = {}

--- Called with an event, and how often it was tried.
---@alias waba.Handler fun(event: waba.Event, attempts: integer)

--- Handlers by name. All that fit an event are run, in this order: by type, by kind, `any`.
---@class waba.Handlers
---@field text? waba.Handler
---@field image? waba.Handler
---@field video? waba.Handler
---@field audio? waba.Handler     a sound, and a voice note where there is no `voice`
---@field voice? waba.Handler     a voice note
---@field document? waba.Handler
---@field sticker? waba.Handler
---@field location? waba.Handler
---@field contacts? waba.Handler  shared address-book entries
---@field button? waba.Handler    a tapped quick reply of a template
---@field reply? waba.Handler     what was chosen of a list, of buttons, or entered in a flow
---@field interactive? waba.Handler  the same, where there is no `reply`
---@field order? waba.Handler     a cart of products
---@field reaction? waba.Handler
---@field edit? waba.Handler      a message was changed (Cloud)
---@field revoke? waba.Handler    a message was taken back (Cloud)
---@field request_welcome? waba.Handler  a chat was opened for the first time (Cloud)
---@field system? waba.Handler    a new number, a new phone
---@field unknown? waba.Handler   a message of a type that the platform or this library can't read
---@field sent? waba.Handler      statuses of messages
---@field delivered? waba.Handler
---@field read? waba.Handler
---@field played? waba.Handler
---@field failed? waba.Handler
---@field deleted? waba.Handler
---@field warning? waba.Handler
---@field payment? waba.Handler   what became of a payment (Cloud)
---@field message? waba.Handler   every message
---@field status? waba.Handler    every status
---@field account? waba.Handler   news of the account
---@field any? waba.Handler       everything
---@field error? fun(event: waba.Event, err: any)  each error the platform reports by itself, and each time a handler
---                               raised, with what it raised

--- Names of `waba.Handlers`, for `options.check`. Types this library does not know go to `unknown`, so that a slip of
--- the pen is told from a new type.
router.NAMES = {
  message = "function", status = "function", error = "function", account = "function", any = "function",
  reply = "function", unknown = "function", payment = "function",
}
local STATUSES = {
  sent = true, delivered = true, read = true, played = true, failed = true, deleted = true, warning = true,
}
for name in pairs(inbound.types) do router.NAMES[name] = "function" end
for name in pairs(STATUSES) do router.NAMES[name] = "function" end

local function is_voice(event)
  return event.type == "voice" or event.type == "audio" and event.media ~= nil and event.media.voice == true
end

-- The names under which the handler of a message's type is looked for; the first one found counts.
local function message_names(event)
  if type(rawget(event, "reply")) == "table" then return { "reply", "interactive" } end
  if is_voice(event) then return { "voice", "audio" } end
  if inbound.types[event.type] then return { event.type } end
  return { "unknown" }
end

local function specific_handler(on, event)
  if event.kind == "status" then
    if rawget(event, "type") then return event.type == "payment" and on.payment or nil end
    return STATUSES[event.status] and on[event.status] or nil
  end
  if event.kind ~= "message" then return nil end
  for _, name in ipairs(message_names(event)) do
    if on[name] then return on[name] end
  end
end

--- A function that runs the handlers of an event.
---
--- All that fit are run, in this order: by type (`text`, `image`, `button`, `reply`, `order`, …; for
--- a status its word, as `failed`; what became of a payment `payment`), by kind (`message`, `status`, `account`), `any`. A voice note goes
--- to `voice`, or to `audio` when there is no such handler; what the platform or this library can't
--- read to `unknown`. Each is called with the event and how often it was tried.
---
--- `error` is called with the event and an error: for each error the platform reports out of band,
--- and each time a handler raised.
---@param on? waba.Handlers
---@return fun(event: waba.Event, attempts: integer?): boolean ok, any raised
function router.new(on)
  on = options.check(on, router.NAMES, "waba.receiver: on", 3)

  return function(event, attempts)
    local handlers = { specific_handler(on, event) }
    if event.kind == "error" then
      if on.error then handlers[1] = function(news) return on.error(news, news.error) end end
    else
      handlers[#handlers + 1] = on[event.kind]
    end
    handlers[#handlers + 1] = on.any
    for _, handler in ipairs(handlers) do
      local ok, raised = protect(handler, event, attempts)
      if not ok then
        if on.error and event.kind ~= "error" then protect(on.error, event, raised) end
        return false, raised
      end
    end
    return true
  end
end

return router
