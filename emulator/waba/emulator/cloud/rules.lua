-- The rules of every body of POST /messages (cloud.md, section 2), and the check that applies them.

local content = require "waba.emulator.cloud.content_rules"
local interactive = require "waba.emulator.cloud.interactive_rules"
local template = require "waba.emulator.cloud.template_message_rules"
local walker = require "waba.emulator.cloud.walker"

local rules = {}

local fault, absent = walker.fault, walker.absent

-- ---- The frame -------------------------------------------------------------------------------------

--- Every Graph body about WhatsApp begins with it.
rules.PRODUCT = { "messaging_product", type = "string", required = true, values = { "whatsapp" }, missing = 100,
  wrong = 100 }

local USER_ID = "^%u%u%.%w[%w.]*$"

local TYPES = { "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "reaction",
  "interactive", "template", "pin" }

-- What can be sent to a group (cloud.md, section 2.19); templates with text and media only.
local FOR_GROUPS = { text = true, image = true, audio = true, video = true, document = true, sticker = true,
  template = true, pin = true }

local function check_recipient(value)
  local to, group = value.to, value.recipient_type == "group"
  if absent(to) then
    if absent(value.recipient) then return fault(131008, "to or recipient is required") end
    return group and fault(131008, "to is required for a group") or nil
  elseif group then
    if not to:find("%a") or to:find("[^%w+/=_-]") then
      return fault(131009, "to is not the id of a group")
    end
  elseif to:find(USER_ID) then
    return fault(131009, "to is a business-scoped user id, which belongs into recipient")
  elseif not to:find("%d") or to:find("[^%d%s+()./-]") then
    return fault(131009, "to is not a phone number")
  end
end

local FRAME = {
  rules.PRODUCT,
  { "recipient_type", type = "string", values = { "individual", "group" } },
  { "to", type = "string", min = 1, max = 200 },
  { "recipient", type = "string", min = 1, pattern = USER_ID, says = "a business-scoped user id" },
  { "type", type = "string", values = TYPES },
  { "context", type = "object", fields = { { "message_id", type = "string", required = true, min = 1 } } },
  { "biz_opaque_callback_data", type = "string", max = 512 },
  { "recipient_identity_key_hash", type = "string", min = 1 },
}

-- Messages without an approved template (cloud.md, section 11.3): seconds that one of each category may wait at most.
local LONGEST = { utility = 43200, authentication = 900 }

local DIRECT_SEND = {
  { "category", type = "string", values = { "utility", "authentication" }, wrong = 100 },
  { "ttl_seconds", type = "integer" },
  { "direct_send_config", type = "object", fields = {
    { "template_name", type = "string", min = 1, max = 512, pattern = "^[a-z0-9_]+$",
      says = "a name of lower-case letters, digits and underscores" } } },
}

-- The types of messages that can be sent without an approved template: text and some interactive ones.
local DIRECT_TYPES = { text = true, interactive = true }

local function check_direct_send(message, kind)
  local category, seconds = message.category, message.ttl_seconds
  if absent(category) then
    for _, name in ipairs({ "ttl_seconds", "direct_send_config" }) do
      if not absent(message[name]) then
        return fault(100, "%s is for messages with a category", name)
      end
    end
    return nil
  end
  if not DIRECT_TYPES[kind] then
    return fault(100, "category: messages of type %s need a template", kind)
  elseif not absent(seconds) and (seconds < 30 or seconds > LONGEST[category]) then
    return fault(100, "ttl_seconds must be from 30 to %d for the category %s", LONGEST[category], category)
  elseif category == "authentication" and absent(message.to) then
    return fault(131062, "a message of the category authentication needs a phone number")
  end
end

local MARKETING = {
  { "product_policy", type = "string", values = { "CLOUD_API_FALLBACK", "STRICT" } },
  { "message_activity_sharing", type = "boolean" },
  { "bid_spec", type = "object", fields = { { "per_message_bid_multiplier", type = "number" } } },
}

-- ---- The types -------------------------------------------------------------------------------------

local function some_name(value, path)
  for _, part in ipairs({ "first_name", "last_name", "middle_name", "prefix", "suffix" }) do
    if not absent(value[part]) then return nil end
  end
  return fault(131008, "%s needs one of first_name, last_name, middle_name, prefix, suffix", path)
end

local function strings(names)
  local fields = {}
  for name in names:gmatch("%S+") do fields[#fields + 1] = { name, type = "string" } end
  return fields
end

local function list_of(name, members)
  return { name, type = "array", each = { type = "object", fields = strings(members) } }
end

local contact = { type = "object", fields = {
  { "name", type = "object", required = true, check = some_name, fields = {
    { "formatted_name", type = "string", required = true, min = 1 },
    { "first_name", type = "string" }, { "last_name", type = "string" }, { "middle_name", type = "string" },
    { "prefix", type = "string" }, { "suffix", type = "string" },
  } },
  list_of("phones", "phone type wa_id"),
  list_of("emails", "email type"),
  list_of("addresses", "street city state zip country country_code type"),
  list_of("urls", "url type"),
  { "org", type = "object", fields = strings "company department title" },
  { "birthday", type = "string", pattern = "^%d%d%d%d%-[01]%d%-[0-3]%d$", says = "a date written YYYY-MM-DD" },
} }

-- One emoji may be of several characters; letters and digits are none.
local function one_emoji(value, path)
  if value ~= "" and (not value:find("[\128-\255]") and not value:find("^[%d#*]\239\184\143?\226\131\163$")
    or walker.characters(value) > 16) then
    return fault(131009, "%s must be one emoji, or empty to take the reaction away", path)
  end
end

local function check_pin(value, path)
  if value.type == "pin" and absent(value.expiration_days) then
    return fault(131008, "%s.expiration_days is required", path)
  elseif value.type == "unpin" and not absent(value.expiration_days) then
    return fault(131009, "%s.expiration_days goes with a pin", path)
  end
end

local CONTENT = {
  text = { "text", type = "object", required = true, fields = {
    { "body", type = "string", required = true, min = 1, max = 4096 },
    { "preview_url", type = "boolean" },
  } },
  image = content.media_rule("image", true, "caption"),
  video = content.media_rule("video", true, "caption"),
  document = content.media_rule("document", true, "caption", "filename"),
  audio = content.media_rule("audio", true, "voice"),
  sticker = content.media_rule("sticker", true),
  location = content.location_rule(false),
  contacts = { "contacts", type = "array", required = true, min = 1, max = 257, each = contact },
  reaction = { "reaction", type = "object", required = true, fields = {
    { "message_id", type = "string", required = true, min = 1 },
    { "emoji", type = "string", required = true, check = one_emoji },
  } },
  template = template,
  pin = { "pin", type = "object", required = true, check = check_pin, fields = {
    { "type", type = "string", required = true, values = { "pin", "unpin" } },
    { "message_id", type = "string", required = true, min = 1 },
    { "expiration_days", type = "integer", from = 1, to = 30 },
  } },
}

-- ---- The check -------------------------------------------------------------------------------------

-- The frame of each type: with its content as the only further field.
local function frame_of(name, marketing)
  local fields = {}
  for _, list in ipairs({ FRAME, marketing and MARKETING or DIRECT_SEND }) do
    for _, field in ipairs(list) do fields[#fields + 1] = field end
  end
  return { type = "object", fields = fields, extra = { [name] = true }, check = check_recipient }
end

local frames, marketing_frame = {}, frame_of("template", true)
for _, name in ipairs(TYPES) do frames[name] = frame_of(name, false) end

local function check_interactive(value, context)
  if type(value) ~= "table" then
    return fault(131008, "interactive is required for the type interactive")
  end
  local rule = interactive[value.type]
  if not rule then
    return fault(131009, "interactive.type %s is not known", tostring(value.type))
  end
  local found = walker.walk(value, rule, "interactive", context)
  local action = value.action
  if not found and context.find_products and action.catalog_id then
    found = context.find_products(action, "interactive.action")
  end
  return found
end

-- What depends on several parts of a message.
local function check_together(message, kind)
  local found = check_direct_send(message, kind)
  if found then
    return found
  elseif kind == "pin" and message.recipient_type ~= "group" then
    return fault(131009, "pin goes to groups only")
  elseif message.recipient_type == "group" and not FOR_GROUPS[kind] then
    return fault(131051, "%s cannot be sent to a group", kind)
  elseif kind == "reaction" and not absent(message.context) then
    return fault(131009, "context: a reaction cannot be a reply")
  end
end

--- Finds the first fault of a message.
---@param message table       decoded JSON
---@param context { find_media: function?, find_products: function?, marketing: boolean? }
---@return waba.emulator.Fault|nil fault
---@return string? type        of the message, when there is no fault
function rules.check(message, context)
  local kind = absent(message.type) and "text" or message.type
  local frame = context.marketing and marketing_frame or frames[kind] or frames.text
  context.type = type(kind) == "string" and kind or nil
  local found = walker.walk(message, frame, "", context)
  if not found and kind == "interactive" then
    found = check_interactive(message.interactive, context)
  elseif not found then
    found = walker.walk(message[kind], CONTENT[kind], kind, context)
  end
  found = found or check_together(message, kind)
  return found, not found and kind or nil
end

--- The names of the types, in the order of the reference, and the rule of each type's own object.
rules.types, rules.content = TYPES, CONTENT

--- The rule of marking a message as read (cloud.md, section 2.20).
rules.mark_read = { type = "object", fields = {
  rules.PRODUCT,
  { "status", type = "string", required = true, values = { "read" } },
  { "message_id", type = "string", required = true, min = 1 },
  { "typing_indicator", type = "object", fields = {
    { "type", type = "string", required = true, values = { "text" } } } },
} }

return rules
