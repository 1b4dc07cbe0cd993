-- The rules for every On-Premise message type (on-premise.md, section 2), and the check that applies them. rules.lua
-- describes the notation.

local codes = require "waba.emulator.codes"
local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"

local on_premise = {}

local required, text, object, list, choice, some_text, _, with = message_rules.constructors()
local tagged = message_rules.tagged

--- The checker with the error codes of the WhatsApp client (on-premise.md, section 12).
on_premise.checker = rules.new(codes.on_premise, {
  missing = "parameter_missing", wrong = "parameter_invalid", surplus = "parameter_not_required",
  exclusive = "parameter_not_required", too_long = "parameter_invalid", wrong_type = "parameter_invalid",
  one_line = "white_space", no_controls = "control_characters", no_markup = "characters_forbidden",
  no_emoji = "characters_forbidden",
})

local checker = on_premise.checker
local new_error = checker.new_error

local MIB = message_rules.MIB

--- The MIME types and the largest size in bytes of each kind of media (on-premise.md, section 5.4).
on_premise.media = {
  image = { max = 5 * MIB, types = { ["image/jpeg"] = true, ["image/png"] = true } },
  audio = { max = 16 * MIB, types = { ["audio/aac"] = true, ["audio/mp4"] = true, ["audio/amr"] = true,
    ["audio/mpeg"] = true, ["audio/ogg"] = "codecs=opus" } },
  video = { max = 16 * MIB, types = { ["video/mp4"] = true, ["video/3gpp"] = true } },
  document = { max = 100 * MIB },
  sticker = { max = 100 * 1024, types = { ["image/webp"] = true } },
}

local function media(kind, fields)
  local provider = object({ name = required(some_text) })
  return message_rules.media(kind, some_text, with({ provider = provider }, fields or {}))
end

local CAPTION = text(0, 1024)
local IMAGE, VIDEO = media("image", { caption = CAPTION }), media("video", { caption = CAPTION })
local DOCUMENT = media("document", { caption = CAPTION, filename = some_text })

local contacts = message_rules.contacts(nil, {
  place = choice "HOME WORK", phone = choice "CELL MAIN IPHONE HOME WORK", country = text(0, nil, "country"),
}, { ims = list({ is = "object|string", fields = message_rules.strings "service user_id" }) })

-- Templates (on-premise.md, section 2.8) ----------------------------------------------------------

local LANGUAGE = required(object({ policy = required(choice "deterministic"),
  code = required(text(0, nil, "language")) }))
local NAME = required(text(1, 512, "template_name"))
local NAMESPACE = with(some_text, { codes = { empty = "namespace_empty" } })
local CODE = text(0, nil, "currency")

-- The field with the currency is `code` in templates, and `currency_code` in the older message type hsm. The gateway
-- accepts both names in templates and in hsm.
local function currency(more)
  return object(with({ code = CODE, currency_code = CODE, amount_1000 = { is = "integer", required = true } }, more),
    { at_least_one = { "code", "currency_code" } })
end

local function whole(least, most) return { is = "integer", range = { least, most } } end

local DATE = {
  day_of_week = { is = "integer|string", one_of = { 1, 2, 3, 4, 5, 6, 7, "1", "2", "3", "4", "5", "6", "7", "MONDAY",
    "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY" } },
  year = { is = "integer" }, month = whole(1, 12), day_of_month = whole(1, 31), hour = whole(0, 23),
  minute = whole(0, 59), calendar = choice "GREGORIAN SOLAR_HIJRI",
}
local NESTED_DATE = { component = object(DATE), unix_epoch = object({ timestamp = { is = "integer",
  required = true } }) }
local LINE = { "one_line", "no_controls" }
local FALLBACK = { fallback_value = required(some_text) }

local PARAMETERS = {
  text = with(text(1, nil, LINE), { codes = { empty = "parameter_missing" } }), currency = currency(FALLBACK),
  date_time = object(with(with(DATE, NESTED_DATE), with(FALLBACK, { timestamp = whole(0, 253402300799) }))),
  image = IMAGE, video = VIDEO, document = DOCUMENT, payload = text(1, 128),
}

-- Returns the fields of a component or a button that has at most `most` parameters of the types in `names`.
local function parameters(names, most)
  return { parameters = list(tagged(PARAMETERS, names, { wrong = "parameter_mismatch" }), 0, most,
    { codes = { count = "parameter_count" } }) }
end

local COMPONENT = { is = "object", by = "type", variants = {
  header = { fields = parameters("text image video document", 1) },
  body = { fields = parameters "text currency date_time" },
  button = { by = "sub_type", fields = { index = required(message_rules.button_index) }, variants = {
    quick_reply = { fields = parameters("payload", 1) }, url = { fields = parameters("text", 1) },
    copy_code = { fields = parameters("text", 1) },
  } },
} }

local template = object({ namespace = NAMESPACE, name = NAME, language = LANGUAGE,
  components = list(COMPONENT, 0, nil, { check = message_rules.once_each(checker) }) })

local hsm = object({ namespace = required(NAMESPACE), element_name = NAME, language = LANGUAGE,
  localizable_params = required(list(object({ default = required(text(1, nil, LINE)), currency = currency({}),
    date_time = object(NESTED_DATE) }))) })

-- Interactive messages (on-premise.md, sections 2.9 to 2.12) --------------------------------------

local function header(names)
  return tagged({ text = text(1, 60, "no_markup"), image = IMAGE, video = VIDEO, document = DOCUMENT }, names,
    { wrong = "header_invalid", wrong_type = "header_invalid", surplus = "header_invalid" })
end

local words = message_rules.words
local BODY, FOOTER = words(1024), words(60)
local PLAIN, PRODUCT = { "no_emoji", "no_markup" }, text(1, 100)

local function kind(head, action, body)
  return { fields = { header = head, body = body or required(BODY), footer = FOOTER,
    action = required(object(action)) } }
end

local NO_HEADER = { is = "any", check = function(_, path)
  return new_error("header_invalid", "Parameter '%s' is not allowed for an interactive message of type 'product'", path)
end }

local LIST_COUNTS = { count = "section_count", items = "row_count" }
local PRODUCT_COUNTS = { count = "section_count", items = "product_count" }

local interactive = { is = "object", by = "type", variants = {
  button = kind(header(), { buttons = message_rules.reply_buttons(text(1, 256)) }),
  list = kind(header "text", { button = required(text(1, 20, PLAIN)),
    sections = required(message_rules.row_sections(LIST_COUNTS)) }),
  product = kind(NO_HEADER, { catalog_id = required(some_text), product_retailer_id = required(PRODUCT) }, BODY),
  product_list = kind(required(header "text"), { catalog_id = required(some_text),
    sections = required(message_rules.product_sections(PRODUCT, PRODUCT_COUNTS)) }),
}, check = message_rules.check_products }

-- All types ---------------------------------------------------------------------------------------

--- The rule of the content of each type.
on_premise.content = {
  text = object({ body = required(with(text(1, 4096), { codes = { too_long = "message_too_long" } })) }),
  image = IMAGE, audio = media "audio", video = VIDEO, document = DOCUMENT, sticker = media "sticker",
  location = message_rules.location(text(0, 1000)), contacts = contacts, template = template, interactive = interactive,
  hsm = hsm,
}

--- The names of the types, in the order of the reference.
on_premise.types = { "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "template",
  "interactive", "hsm" }

local FRAME = {
  to = required(text(1, 20, "recipient")),
  recipient_type = { is = "string", one_of = { "individual" },
    codes = { wrong = "recipient_type_invalid", wrong_type = "recipient_type_invalid" } },
  type = { is = "string", one_of = on_premise.types },
  preview_url = { is = "boolean", check = function(_, path, context)
    return context.type ~= "text"
      and new_error("parameter_not_required", "Parameter '%s' is not required for type '%s'", path, context.type) or nil
  end },
}

-- Checks that a message with `preview_url` contains a link.
local function check_preview(message)
  if message.preview_url == true and not message.text.body:find("[hH][tT][tT][pP][sS]?://%S") then
    return new_error("parameter_invalid", "Parameter 'preview_url' needs an http:// or https:// URL in 'text.body'")
  end
end

-- The rules of complete messages, by type.
local frames = {}
for name, content in pairs(on_premise.content) do
  frames[name] = object(with(FRAME, { [name] = required(content) }), { check = check_preview, refused = {
    messaging_product = "it belongs to the Cloud API", context = "quoted replies belong to the Cloud API",
    biz_opaque_callback_data = "it belongs to the Cloud API", ttl = "it is obsolete" } })
end

--- Checks a message, which is the decoded body of a request. Returns the first error; or nil and the type of the
--- message. The context has two functions, which return an error for missing media or products: `find_media(id, kind,
--- path)` and `find_products(action, path)`.
function on_premise.check(message, context)
  context = context or {}
  local name = message.type == nil and "text" or message.type
  if message.type == nil and message.text == nil then
    return new_error("parameter_missing", "Parameter 'type' is mandatory for all messages but text")
  end
  context.type = type(name) == "string" and name or nil
  local found = checker:first(message, frames[name] or object(FRAME, { open = true }), "", context)
  return found, not found and name or nil
end

return on_premise
