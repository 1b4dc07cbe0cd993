-- Finds and runs the handlers of an event.

local protect = require("waba.coroutines").protect
local event_fields = require "waba.hosting.event_fields"
local option = require "waba.option"

local router = {}

local HANDLER = "fun(event: waba.Event, attempts: integer)"

--- Handlers of notifications about the account, by field (Cloud; cloud.md, section 4.9).
---@options waba.AccountHandlers
local ACCOUNT = {
  account_alerts = HANDLER,
  account_review_update = HANDLER,
  account_settings_update = HANDLER,
  account_update = HANDLER,
  automatic_events = HANDLER,
  business_capability_update = HANDLER,
  business_username_update = HANDLER,
  calls = HANDLER,
  consumer_profile = HANDLER,
  flows = HANDLER,
  group_lifecycle_update = HANDLER,
  group_participants_update = HANDLER,
  group_settings_update = HANDLER,
  group_status_update = HANDLER,
  history = HANDLER,
  message_template_components_update = HANDLER,
  message_template_quality_update = HANDLER,
  message_template_status_update = HANDLER,
  partner_solutions = HANDLER,
  payment_configuration_update = HANDLER,
  phone_number_name_update = HANDLER,
  phone_number_quality_update = HANDLER,
  security = HANDLER,
  smb_app_state_sync = HANDLER,
  template_category_update = HANDLER,
  tracking_events = HANDLER,
  user_id_update = HANDLER,
}

--- Handlers by name. All handlers that apply to an event are called, in this order: the handler of its type, the
--- handler of its kind, `any`. Each handler is called with the event and the number of attempts to handle the event.
--- Any other name in the table raises an error.
---@options waba.Handlers : waba.AccountHandlers
router.HANDLERS = option.with(ACCOUNT, {
  text = HANDLER,
  image = HANDLER,
  video = HANDLER,
  audio = HANDLER,           -- an audio file; also a voice note if there is no handler `voice`
  voice = HANDLER,           -- a voice note
  document = HANDLER,
  sticker = HANDLER,
  location = HANDLER,
  contacts = HANDLER,        -- shared contacts
  button = HANDLER,          -- a quick reply of a template
  reply = HANDLER,           -- the choice from a list or from buttons, or the input of a flow
  interactive = HANDLER,     -- called for a reply if there is no handler `reply`
  order = HANDLER,           -- a cart of products
  reaction = HANDLER,
  edit = HANDLER,            -- a customer has changed a message (Cloud)
  revoke = HANDLER,          -- a customer has deleted a message (Cloud)
  request_welcome = HANDLER, -- a customer has opened the chat for the first time (Cloud)
  system = HANDLER,          -- a customer has a new phone number or a new phone
  unknown = HANDLER,         -- a message of a type that the platform or this library cannot read
  sent = HANDLER,            -- the status "sent" of a message; each status has a handler with its name
  delivered = HANDLER,
  read = HANDLER,
  played = HANDLER,
  failed = HANDLER,
  deleted = HANDLER,
  warning = HANDLER,
  payment = HANDLER,         -- the result of a payment (Cloud)
  message = HANDLER,         -- every message
  status = HANDLER,          -- every status
  account = HANDLER,         -- every notification about the account
  echo = HANDLER,            -- a message that the business has sent without this API, for example with the Business app
  standby = HANDLER,         -- a customer's message while another sender controls the conversation (Cloud)
  handover = HANDLER,        -- another sender controls the conversation now (Cloud)
  preference = HANDLER,      -- a customer wants no marketing messages, or wants them again (Cloud)
  customer_changed = HANDLER, -- the phone number or the user id of a customer has changed, or has become known; see
                             -- `event.customer` and `event.previous`
  step = "table<string, fun(event: waba.Event, attempts: integer)>", -- handlers by the name of the step that `event:ask`
                             -- has set. Only the handler of the step gets the customer's next message
  any = HANDLER,             -- every event
  error = "fun(event: waba.Event, err: any)", -- called for each error that the platform reports in a webhook, and for each
                             -- error that a handler raises
})

-- Account fields whose name in webhooks differs from the name of the handler.
local FIELDS = { business_username_updates = "business_username_update" }

local STATUSES = {
  sent = true, delivered = true, read = true, played = true, failed = true, deleted = true, warning = true,
}

local function specific_handler(on, event)
  if event.kind == "status" then
    if rawget(event, "type") then return event.type == "payment" and on.payment or nil end
    return STATUSES[event.status] and on[event.status] or nil
  end
  if event.kind == "account" then
    local field = FIELDS[event.field] or event.field
    return ACCOUNT[field] and on[field] or nil
  end
  if event.kind ~= "message" then return nil end
  if type(rawget(event, "reply")) == "table" then return on.reply or on.interactive end
  local is_voice = event.type == "voice" or event.type == "audio" and event.media and event.media.voice == true
  if is_voice then return on.voice or on.audio end
  if event_fields.types[event.type] then return on[event.type] end
  return on.unknown
end

--- Returns the function that runs the handlers of an event.
---
--- The function calls `open(event, prepare, subject, attempts)` first. If `open` returns false, no handler is called.
--- Otherwise `open` returns nil or a `waba.Session`, whose method `close` is called after the handlers. The function
--- calls `prepare(event, subject)` before the first handler; `open` may also call `prepare`.
---@return fun(event: waba.Event, attempts: integer?, prepare: function?, subject: any, open: function?): boolean, any
---        run  returns whether the handlers have returned, and the error that a handler has raised
---@return fun(event: waba.Event): boolean has_handlers
function router.new(on)
  on = option.check(on, router.HANDLERS, "waba.receiver: on", 4)

  local function handle_error(event) return on.error(event, event.error) end

  -- Returns the handlers to call, in this order: `customer_changed`, the handler of the type, the handler of the kind,
  -- `any`.
  local function handlers_of(event, step)
    local changed = event.previous and on.customer_changed or nil
    local of_step = step and on.step and on.step[step]
    if event.is_late then return changed, nil, nil, on.any end
    if of_step then return changed, of_step, nil, nil end
    if event.kind == "error" then return changed, on.error and handle_error, nil, on.any end
    return changed, specific_handler(on, event), on[event.kind], on.any
  end

  local function handle(event, attempts, prepare, subject, open)
    local session
    if open then session = open(event, prepare, subject, attempts) end
    if session == false then return end
    local changed, specific, of_kind, any = handlers_of(event, session and session.step)
    if prepare and (changed or specific or of_kind or any) then prepare(event, subject) end
    if changed then changed(event, attempts) end
    if specific then specific(event, attempts) end
    if of_kind then of_kind(event, attempts) end
    if any then any(event, attempts) end
    if session then session:close() end
  end

  return function(event, attempts, prepare, subject, open)
    local ok, raised = protect(handle, event, attempts, prepare, subject, open)
    if ok then return true end
    if on.error and event.kind ~= "error" then protect(on.error, event, raised) end
    return false, raised
  end, function(event)
    local changed, specific, of_kind, any = handlers_of(event)
    return (changed or specific or of_kind or any) ~= nil
  end
end

return router
