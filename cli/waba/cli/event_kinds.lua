-- The kinds of events that `waba trigger` posts, by the names of handlers or of account webhooks (cloud.md, section
-- 4.9).

local waba = require "waba"

local event_kinds = {}

-- A file for each type of media. Only the first bytes of each file are valid; programs recognise the type by these
-- bytes.
local FILES = {
  image = "\255\216\255\224 a photo", sticker = "RIFF\16\0\0\0WEBPVP8 sticker", video = "\0\0\0\24ftypmp42 a video",
  audio = "OggS a sound", voice = "OggS a voice note", document = "%PDF-1.4 a document",
}

local function media(kind, has_caption)
  return function(customer, options)
    return customer[kind](customer, { data = FILES[kind], caption = has_caption and options.text or nil,
      filename = kind == "document" and "document.pdf" or nil })
  end
end

-- Sends a message from the business to a customer. Some events refer to such a message. Returns the id of the message.
local function send(client, to)
  local sent, err = client:send(to, waba.template { name = "trigger", language = "en" })
  return sent and sent.id, err
end

local function status(name)
  return function(_, options, gateway, client)
    local id, err = send(client, options.from)
    if not id then return nil, err end
    return gateway:status(id, name)
  end
end

-- The argument `value` of the functions `of` and `change` is a value, or a function that returns the value.
local function resolved(value, options)
  return type(value) == "function" and value(options) or value
end

-- Calls a method of the emulator's customer.
local function of(method, value)
  return function(customer, options) return customer[method](customer, resolved(value, options)) end
end

-- Posts an account webhook. `value` is the value of the webhook's field.
local function change(value)
  return function(_, options, gateway, _, field) return gateway:change(field, resolved(value, options)) end
end

local function about_template(fields)
  fields.message_template_id, fields.message_template_name = 880011, "order_ready"
  fields.message_template_language = "en"
  return change(fields)
end

local function about_customer(options, fields)
  fields.metadata = { display_phone_number = options.number, phone_number_id = options.phone_number_id }
  fields.contacts = { { profile = { name = options.name }, wa_id = options.from } }
  return fields
end

local function echo(options)
  return { message_echoes = { {
    from = options.number, to = options.from, id = options.id, timestamp = tostring(os.time()), type = "text",
    text = { body = options.text or "Written in the app." },
  } } }
end

local function standby(options)
  return about_customer(options, {
    messages = { { from = options.from, id = options.id, timestamp = tostring(os.time()), type = "text",
      text = { body = options.text or "Hello" } } },
  })
end

local function handover(options)
  return {
    type = "control_passed", timestamp = tostring(os.time()), sender = { wa_id = options.from },
    control_passed = { previous_owner_role = "business_agent", new_owner_role = "primary" },
  }
end

local function preference(options)
  return about_customer(options, {
    user_preferences = { { wa_id = options.from, detail = "The user asked to stop marketing messages.",
      category = "marketing_messages", value = "stop", timestamp = os.time() } },
  })
end

---@class waba.cli.EventKind
---@field name string
---@field about string     the description in the list of `waba trigger`
---@field make fun(customer: waba.emulator.Customer, options: table, gateway: waba.emulator.Handle, client: waba.Client, field: string): any, waba.Error?
---@field cloud? boolean   true: the event exists on Cloud hosting only
---@field field? string    the field of an account webhook, if the field differs from `name`

---@type waba.cli.EventKind[]
event_kinds.list = {
  { name = "text", about = "a text", make = of("text", function(options) return options.text or "Hello" end) },
  { name = "image", about = "a picture", make = media("image", true) },
  { name = "video", about = "a video", make = media("video", true) },
  { name = "audio", about = "an audio file", make = media "audio" },
  { name = "voice", about = "a voice note", make = media "voice" },
  { name = "document", about = "a document", make = media("document", true) },
  { name = "sticker", about = "a sticker", make = media "sticker" },
  { name = "location", about = "a place",
    make = of("location", { latitude = 52.5163, longitude = 13.3777, name = "Brandenburg Gate" }) },
  { name = "contacts", about = "a contact card", make = of("contacts", {
    { name = { formatted_name = "Ann Kern", first_name = "Ann" }, phones = { { phone = "+49 151 5550100" } } } }) },
  { name = "button", about = "a tap on a template's quick reply", make = function(customer, options)
    return customer:button(options.text or "Yes", "YES")
  end },
  { name = "reply", about = "a tap on a reply button", make = of("reply", function(options)
    return { kind = "button", id = "yes", title = options.text or "Yes" }
  end) },
  { name = "list", about = "a chosen row of a list", make = of("reply", function(options)
    return { kind = "list", id = "row-1", title = options.text or "Monday", description = "9:00" }
  end) },
  { name = "flow", about = "the input of a flow", cloud = true,
    make = of("reply", { kind = "flow", name = "flow", body = "Sent", data = { flow_token = "token", seat = "2A" } }) },
  { name = "order", about = "a cart of products", make = of("order", function(options)
    return { catalog_id = "4711", text = options.text, product_items = { { product_retailer_id = "SKU-1",
      quantity = 2, item_price = 9.5, currency = "EUR" } } }
  end) },
  { name = "reaction", about = "a reaction to a message", cloud = true, make = function(customer, _, _, client)
    local id, err = send(client, customer.number)
    if not id then return nil, err end
    return customer:reaction(id, "\240\159\145\141")
  end },
  { name = "system", about = "a customer's new number", make = of("change_number", "+49 151 5550199") },
  { name = "unknown", about = "a message of a type that the API does not support", make = of "unknown" },
  { name = "sent", about = "a status", make = status "sent" },
  { name = "delivered", about = "a status", make = status "delivered" },
  { name = "read", about = "a status", make = status "read" },
  { name = "failed", about = "a status with an error", make = status "failed" },
  { name = "warning", about = "a status with a warning", make = status "warning" },
  { name = "deleted", about = "a message that the customer has deleted", make = function(customer)
    local id, err = customer:text "Hello"
    if not id then return nil, err end
    return customer:delete(id)
  end },
  { name = "error", about = "an error that belongs to no message",
    make = function(_, _, gateway) return gateway:error {} end },
  { name = "echo", about = "a message written in the Business app", cloud = true, field = "smb_message_echoes",
    make = change(echo) },
  { name = "standby", about = "a message that another sender answers", cloud = true, make = change(standby) },
  { name = "handover", about = "another sender holds the conversation", cloud = true, field = "messaging_handovers",
    make = change(handover) },
  { name = "preference", about = "a customer stops marketing messages", cloud = true, field = "user_preferences",
    make = change(preference) },
  { name = "message_template_status_update", about = "a template is paused", cloud = true,
    make = about_template { event = "PAUSED", reason = "NONE" } },
  { name = "message_template_quality_update", about = "a template's quality", cloud = true,
    make = about_template { previous_quality_score = "GREEN", new_quality_score = "YELLOW" } },
  { name = "template_category_update", about = "a template's category", cloud = true,
    make = about_template { previous_category = "UTILITY", new_category = "MARKETING" } },
  { name = "phone_number_quality_update", about = "the number's quality", cloud = true, make = change(function(options)
    return { display_phone_number = options.number, event = "FLAGGED", current_limit = "TIER_1K" }
  end) },
  { name = "account_update", about = "a violation", cloud = true,
    make = change { event = "ACCOUNT_VIOLATION", violation_info = { violation_type = "SPAM" } } },
  { name = "account_alerts", about = "an alert", cloud = true,
    make = change { entity_type = "PHONE_NUMBER", alert_info = { alert_severity = "WARNING", alert_status = "ACTIVE",
      alert_type = "PROFILE_PICTURE_LOST", alert_description = "The profile picture is lost." } } },
  { name = "business_capability_update", about = "the messaging limit", cloud = true,
    make = change { max_daily_conversations_per_business = "TIER_10K", max_phone_numbers_per_business = 20 } },
}

return event_kinds
