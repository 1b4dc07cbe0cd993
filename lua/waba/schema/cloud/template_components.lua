-- The rules for the components of a template that is created on Cloud hosting (cloud.md, sections 5.4 and 5.5).

local creation = require "waba.schema.template_creation"
local errors = require "waba.schema.errors"
local orders = require "waba.schema.cloud.orders"
local placeholders = require "waba.schema.placeholders"
local shared = require "waba.schema.shared"

local text, list_of, example = creation.text, creation.list_of, creation.example
local open, never, some_variants, has = creation.open, creation.never, creation.some_variants, creation.has
local required, object, some_text, with = shared.required, shared.object, shared.some_text, shared.with
local variants = shared.variants

local components = {}

local empty = { is = "object" }

-- { { param_name = "first_name", example = "Ida" }, … }
local named_params = {
  is = "list", unique = { "param_name" },
  each = object { param_name = required(some_text), example = required(some_text) },
}

local file_header = object({ example = creation.file_example }, { inferred = { check = function(header)
  if not (header.example and header.example.header_handle) then
    return errors.new("is missing; it is required for a header with media", ".example.header_handle")
  end
end } })

local headers = {
  TEXT = object {
    text = {
      is = "string", required = true, characters = { 1, 60 }, format = "no_markup",
      also = { { is = "string", format = placeholders.at_most_one } },
    },
    example = example { header_text = list_of(some_text, { 1, 1 }), header_text_named_params = named_params },
  },
  IMAGE = file_header,
  VIDEO = file_header,
  DOCUMENT = file_header,
  GIF = file_header,
  LOCATION = empty,
  PRODUCT = empty,
}

-- Returns the rules with the names in `names`.
local function only(names, rules)
  local chosen = {}
  for _, name in ipairs(names) do chosen[name] = rules[name] end
  return chosen
end

local function header(formats) return variants("format", only(formats, headers)) end

-- The category determines whether the text is required (template_creation.lua).
local function body(most)
  return object {
    text = with(text(most), { also = { { is = "string", format = placeholders.between_words } } }),
    example = example { body_text = list_of(list_of(some_text)), body_text_named_params = named_params },
    add_security_recommendation = { is = "boolean" },
  }
end

local label = required(text(25))

-- The rule of the list of apps that can read the code from the message.
local apps = {
  is = "list", count = { 1, 5 },
  each = object {
    package_name = required(text(224)),
    signature_hash = { is = "string", required = true, characters = { 11, 11 } },
  },
}

local function otp(fields, more)
  return object(with({ text = text(25), autofill_text = text(25) }, fields), more)
end

-- Returns the rule of a button for apps. In the older form, the button has the fields of one app, and no list
-- `supported_apps` (cloud.md, section 11.3).
local function app_otp(fields)
  fields.supported_apps = apps
  for name, rule in pairs(apps.each.fields) do fields[name] = with(rule, { required = false }) end
  return otp(fields, { only_with = { package_name = "signature_hash", signature_hash = "package_name" } })
end

local one_time_password = variants("otp_type", {
  COPY_CODE = otp {},
  ONE_TAP = app_otp {},
  ZERO_TAP = app_otp { zero_tap_terms_accepted = { required = true, one_of = { true }, as = "true" } },
})

local needs_app = open({}, { inferred = { check = function(button)
  if not (button.supported_apps or button.package_name) then
    return errors.new("is missing; it is required for every otp_type but COPY_CODE", ".supported_apps")
  end
end } })

local button_types = {
  QUICK_REPLY = object { text = label },
  URL = object({
    text = label,
    url = with(creation.url, { characters = { 1, 2000 } }),
    example = list_of(some_text, { 1, 1 }),
  }, { inferred = { check = function(button)
    if button.url:find "{{.-}}" and not button.example then
      return errors.new("is missing; the placeholder in url needs an example", ".example")
    end
  end } }),
  PHONE_NUMBER = object { text = label, phone_number = required(text(20)) },
  COPY_CODE = object { example = required(text(15)), text = text(25) },
  FLOW = object({
    text = label,
    flow_id = some_text,
    flow_name = some_text,
    flow_json = some_text,
    flow_action = { one_of = { "navigate", "data_exchange" } },
    navigate_screen = some_text,
    icon = some_text,
  }, { exactly_one = { "flow_id", "flow_name", "flow_json" } }),
  CATALOG = object { text = label },
  MPM = object { text = label },
  SPM = object { text = label },
  OTP = with(one_time_password, {
    also = { some_variants("otp_type", { ONE_TAP = needs_app, ZERO_TAP = needs_app }) },
  }),
  VOICE_CALL = object { text = label, ttl_minutes = { is = "integer", range = { 1, 43200 } } },
  REQUEST_CONTACT_INFO = object { text = text(25) },
  PAYMENT_REQUEST = object { text = label, payment_setting = required(orders.button_setting) },
}
-- the platform does not document the fields of these types
for _, name in ipairs { "ORDER_DETAILS", "POSTBACK", "REMINDER", "SEND_LOCATION", "APP", "EXTENSION" } do
  button_types[name] = open {}
end

-- The largest number of buttons of a type in a template (cloud.md, section 5.4).
local MOST_BUTTONS = {
  URL = 2, PHONE_NUMBER = 1, COPY_CODE = 1, FLOW = 1, CATALOG = 1, MPM = 1, SPM = 1, OTP = 1, VOICE_CALL = 1,
  REQUEST_CONTACT_INFO = 1, PAYMENT_REQUEST = 3,
}

-- All quick replies must be adjacent, and so must all other buttons.
local function are_grouped(list)
  local changes = 0
  for i = 2, #list do
    if (list[i].type == "QUICK_REPLY") ~= (list[i - 1].type == "QUICK_REPLY") then changes = changes + 1 end
    if changes > 1 then
      return errors.new("is at an invalid position: all QUICK_REPLY buttons must be adjacent, and so must all other "
        .. "buttons", ("[%d].type"):format(i))
    end
  end
end

local function buttons(most, names)
  return object { buttons = {
    is = "list", required = true, count = { 1, most },
    at_most = { field = "type", counts = MOST_BUTTONS },
    check = are_grouped, each = variants("type", names and only(names, button_types) or button_types),
  } }
end

local function list_of_components(by_type, also)
  return { is = "list", required = true, unique = { "type" }, also = also, each = variants("type", by_type) }
end

-- Components that depend on others ----------------------------------------------------------------

local function one_of(...) return { one_of = { ... } } end

local has_product = has { type = one_of "HEADER", format = one_of "PRODUCT" }

local has_product_button = has {
  type = one_of "BUTTONS",
  buttons = { is = "list", has = open { type = one_of "SPM" } },
}

-- Returns the rule of a list of components. If the list satisfies the rule `condition`, each component must satisfy the
-- rule of its type in `by_type`.
local function when(condition, by_type)
  return { is = "list", when = condition, each = some_variants("type", by_type) }
end

local function body_of(most, why)
  return open { text = {
    is = "string", characters = { 0, most }, message = ("may have at most %d characters %s"):format(most, why),
  } }
end

local product_body = body_of(160, "with a product")

local card = object {
  components = list_of_components({
    HEADER = header { "IMAGE", "VIDEO", "PRODUCT" },
    BODY = body(160),
    BUTTONS = buttons(2, { "QUICK_REPLY", "URL", "PHONE_NUMBER", "SPM" }),
  }, {
    has({ type = one_of "HEADER" }, "has no HEADER; a card needs one"),
    has({ type = one_of "BUTTONS" }, "has no BUTTONS; a card needs them"),
    with(when(has_product, { BUTTONS = creation.buttons(open { type = one_of("SPM", "URL") }) }), {
      message = "has a button of an invalid type; a card with a product takes only buttons of type SPM or URL",
    }),
    with(has({ type = one_of "HEADER", format = one_of "PRODUCT" },
      "has a button of type SPM; it needs a header of format PRODUCT"), { when = has_product_button }),
  }),
}

-- Returns a text with the types and formats of components and the types of their buttons. The order of the components
-- does not change the text.
local function parts_of(list)
  local parts = {}
  for i, component in ipairs(list) do
    local kinds = { component.type, component.format }
    for _, button in ipairs(component.buttons or {}) do kinds[#kinds + 1] = button.type end
    parts[i] = table.concat(kinds, " ")
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

local function have_same_parts(cards)
  local first = parts_of(cards[1].components)
  for i = 2, #cards do
    if parts_of(cards[i].components) ~= first then
      return errors.new("differ from those of the first card; all cards must have components of the same types and "
        .. "formats, and buttons of the same types", ("[%d].components"):format(i))
    end
  end
end

components.list = list_of_components({
  HEADER = header { "TEXT", "IMAGE", "VIDEO", "DOCUMENT", "GIF", "LOCATION", "PRODUCT" },
  BODY = body(1024),
  FOOTER = with(creation.footer, { exactly_one = creation.footer_fields }),
  BUTTONS = buttons(10),
  LIMITED_TIME_OFFER = object { limited_time_offer = required(object {
    text = required(text(16)), has_expiration = { is = "boolean" },
  }) },
  CAROUSEL = object {
    cards = { is = "list", required = true, count = { 2, 10 }, check = have_same_parts, each = card },
  },
  CALL_PERMISSION_REQUEST = empty,
}, {
  creation.has_body,
  when(has { type = one_of "LIMITED_TIME_OFFER" }, {
    BODY = body_of(600, "beside a limited-time offer"),
    FOOTER = open { type = never "is FOOTER; a limited-time offer takes none" },
  }),
  when(has { type = one_of "HEADER", format = one_of("TEXT", "DOCUMENT", "GIF", "LOCATION", "PRODUCT") }, {
    LIMITED_TIME_OFFER = open {
      type = never "is LIMITED_TIME_OFFER; the header beside it must be IMAGE or VIDEO",
    },
  }),
  when(has_product, { BODY = product_body }),
  when(has_product_button, { BODY = product_body }),
})

--- The values for the buttons of a template from the template library.
components.library_buttons = {
  is = "list",
  each = variants("type", {
    URL = object { url = required(object {
      base_url = { is = "string", required = true, characters = { 1, 2000 }, format = "url" },
      url_suffix_example = { is = "string", format = "url" },
    }) },
    PHONE_NUMBER = object { phone_number = required(text(20)) },
    QUICK_REPLY = empty,
    OTP = one_time_password,
  }),
}

--- The values for the body of a template from the template library.
components.library_body = object {
  add_contact_number = { is = "boolean" },
  add_learn_more_link = { is = "boolean" },
  add_security_recommendation = { is = "boolean" },
  add_track_package_link = { is = "boolean" },
  code_expiration_minutes = { is = "integer", range = { 1, 90 } },
}

return components
