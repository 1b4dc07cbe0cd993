-- The rules of every body of POST /messages (cloud.md, section 2), and the check that applies them.

local common = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"

local cloud = {}

local absent, checker = rules.absent, common.checker
local new_error = checker.new_error
local required, text, object, _, choice, some_text, any_text, with = message_rules.constructors()

-- The frame ---------------------------------------------------------------------------------------

cloud.types = { "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "reaction",
  "interactive", "template", "pin" }

-- The message types that can be sent to a group (cloud.md, section 2.19); templates with text and media only.
local FOR_GROUPS = message_rules.set "text image audio video document sticker template pin"

local function check_recipient(value)
  local to, group = value.to, value.recipient_type == "group"
  if absent(to) then
    if absent(value.recipient) then return new_error("parameter_missing", "to or recipient is required") end
    return group and new_error("parameter_missing", "to is required for a group") or nil
  end
  if group then
    local is_id = to:find("%a") and not to:find("[^%w+/=_-]")
    return not is_id and new_error("parameter_invalid", "to is not the id of a group") or nil
  end
  if rules.fits(to, "user_id") then
    return new_error("parameter_invalid", "to is a business-scoped user id, which belongs into recipient")
  end
  if not to:find("%d") or to:find("[^%d%s+()./-]") then
    return new_error("parameter_invalid", "to is not a phone number")
  end
end

local FRAME = {
  messaging_product = common.PRODUCT, recipient_type = choice "individual group", to = text(1, 200),
  recipient = text(1, nil, "user_id"), type = { is = "string", one_of = cloud.types },
  context = object({ message_id = required(some_text) }), biz_opaque_callback_data = text(0, 512),
  recipient_identity_key_hash = some_text,
}

-- Messages without an approved template (cloud.md, section 11.3): the longest ttl_seconds of each category.
local LONGEST = { utility = 43200, authentication = 900 }

local DIRECT_SEND = {
  category = choice("utility authentication", { codes = { wrong = "invalid_parameter" } }),
  ttl_seconds = { is = "integer" }, direct_send_config = object({ template_name = text(1, 512, "template_name") }),
}

-- The types of messages that can be sent without an approved template: text and some interactive ones.
local DIRECT_TYPES = { text = true, interactive = true }

local function check_direct_send(message, kind)
  local category, seconds = message.category, message.ttl_seconds
  if absent(category) then
    for _, name in ipairs({ "ttl_seconds", "direct_send_config" }) do
      if not absent(message[name]) then
        return new_error("invalid_parameter", "%s is for messages with a category", name)
      end
    end
    return nil
  end
  if not DIRECT_TYPES[kind] then
    return new_error("invalid_parameter", "category: messages of type %s need a template", kind)
  elseif not absent(seconds) and (seconds < 30 or seconds > LONGEST[category]) then
    return new_error("invalid_parameter", "ttl_seconds must be from 30 to %d for the category %s", LONGEST[category],
      category)
  elseif category == "authentication" and absent(message.to) then
    return new_error("user_id_unsupported", "a message of the category authentication needs a phone number")
  end
end

local MARKETING = {
  product_policy = choice "CLOUD_API_FALLBACK STRICT", message_activity_sharing = { is = "boolean" },
  bid_spec = object({ per_message_bid_multiplier = { is = "number" } }),
}

-- The types ---------------------------------------------------------------------------------------

-- One emoji may be of several characters; letters and digits are not emojis.
local function one_emoji(value, path)
  if value ~= "" and (not value:find("[\128-\255]") and not value:find("^[%d#*]\239\184\143?\226\131\163$")
    or rules.characters(value) > 16) then
    return new_error("parameter_invalid", "%s must be one emoji, or empty to take the reaction away", path)
  end
end

local PIN = { is = "object", by = "type", fields = { message_id = required(some_text) },
  codes = { surplus = "parameter_invalid" }, variants = {
    pin = { fields = { expiration_days = { is = "integer", required = true, range = { 1, 30 } } } }, unpin = {},
  } }

--- The rule of each type's own object.
---@type table<string, waba.emulator.Rule>
cloud.content = {
  text = object({ body = required(text(1, 4096)), preview_url = { is = "boolean" } }),
  image = common.media_rule("image", "caption"), video = common.media_rule("video", "caption"),
  document = common.media_rule("document", "caption", "filename"), audio = common.media_rule("audio", "voice"),
  sticker = common.media_rule "sticker", location = message_rules.location(text(0, 1000)),
  contacts = message_rules.contacts(257, { place = any_text, phone = any_text, country = any_text }, {}),
  reaction = object({ message_id = required(some_text), emoji = { is = "string", required = true,
    check = one_emoji } }),
  interactive = require "waba.emulator.cloud.interactive_rules",
  template = require("waba.emulator.cloud.template_messages").rule, pin = PIN,
}

-- The check ---------------------------------------------------------------------------------------

-- The frame of each type, with its content.
local function frame_of(name, more)
  return object(with(with(FRAME, more), { [name] = required(cloud.content[name]) }), { check = check_recipient })
end

local frames, marketing_frame = {}, frame_of("template", MARKETING)
for _, name in ipairs(cloud.types) do frames[name] = frame_of(name, DIRECT_SEND) end

-- Checks the rules that concern several parts of a message.
local function check_together(message, kind)
  local found = check_direct_send(message, kind)
  if found then return found end
  if kind == "pin" and message.recipient_type ~= "group" then
    return new_error("parameter_invalid", "pin goes to groups only")
  elseif message.recipient_type == "group" and not FOR_GROUPS[kind] then
    return new_error("type_unsupported", "%s cannot be sent to a group", kind)
  elseif kind == "reaction" and not absent(message.context) then
    return new_error("parameter_invalid", "context: a reaction cannot be a reply")
  end
end

--- Finds the first error of a message.
---@param message table       decoded JSON
---@param context { find_media: function?, find_products: function?, marketing: boolean? }
---@return waba.emulator.RuleError|nil err
---@return string? type        the message's type, when there is no error
function cloud.check(message, context)
  local kind = absent(message.type) and "text" or message.type
  context.type = type(kind) == "string" and kind or nil
  local frame = context.marketing and marketing_frame or frames[kind] or object(FRAME, { open = true })
  local found = checker:first(message, frame, "", context) or check_together(message, kind)
  return found, not found and kind or nil
end

--- The rule of marking a message as read (cloud.md, section 2.20).
cloud.mark_read = object({
  messaging_product = common.PRODUCT, status = required(choice "read"), message_id = required(some_text),
  typing_indicator = object({ type = required(choice "text") }),
})

return cloud
