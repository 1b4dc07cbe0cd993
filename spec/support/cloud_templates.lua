-- Valid templates of Cloud hosting, at least one for each feature of templates. Specs also change these templates, and
-- check that the changed templates are refused.

local cloud_templates = {}

local function copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for name, inner in pairs(value) do result[name] = copy(inner) end
  return result
end

local function template(name, category, components, more)
  local result = { name = name, language = "de", category = category, components = components }
  for key, value in pairs(more or {}) do result[key] = value end
  return result
end

local BODY = { type = "BODY", text = "Hallo, Ihre Brille ist da." }
local IMAGE = { type = "HEADER", format = "IMAGE", example = { header_handle = { "4:aW1hZ2U=" } } }

local function buttons(...) return { type = "BUTTONS", buttons = { ... } } end

local function otp(more)
  local button = { type = "OTP", otp_type = "COPY_CODE", text = "Kopieren" }
  for key, value in pairs(more or {}) do button[key] = value end
  return button
end

local APPS = { { package_name = "com.example.shop", signature_hash = "K8a/AINcGX7" } }

local function login(name, button)
  return template(name, "AUTHENTICATION", {
    { type = "BODY", add_security_recommendation = true }, { type = "FOOTER", code_expiration_minutes = 10 },
    buttons(button),
  }, { message_send_ttl_seconds = 600 })
end

local function media_card(text)
  return {
    components = {
      IMAGE, { type = "BODY", text = text },
      buttons({ type = "QUICK_REPLY", text = "Mehr" },
        { type = "URL", text = "Ansehen", url = "https://kern.example/{{1}}", example = { "https://kern.example/1" } }),
    },
  }
end

local function product_card()
  return { components = { { type = "HEADER", format = "PRODUCT" }, buttons { type = "SPM", text = "View" } } }
end

local templates = {
  full = template("order_ready_v2", "UTILITY", {
    { type = "HEADER", format = "TEXT", text = "Bestellung {{1}}", example = { header_text = { "118" } } },
    {
      type = "BODY", text = "Hallo {{1}}, Ihre Brille {{2}} ist fertig.",
      example = { body_text = { { "Eva", "Modell Blau" } } },
    },
    { type = "FOOTER", text = "Kern Optik" },
    buttons(
      { type = "QUICK_REPLY", text = "Ich komme" },
      { type = "URL", text = "Details", url = "https://kern.example/o/{{1}}", example = { "https://kern.example/o/1" } },
      { type = "PHONE_NUMBER", text = "Anrufen", phone_number = "+49305550199" }),
  }),
  named = template("delivery_note", "UTILITY", {
    { type = "HEADER", format = "DOCUMENT", example = { header_handle = { "4:cGRm" } } },
    {
      type = "BODY", text = "Hi {{first_name}}, order {{order_no}} leaves today.",
      example = { body_text_named_params = {
        { param_name = "first_name", example = "Ida" }, { param_name = "order_no", example = "118" },
      } },
    },
  }, { parameter_format = "NAMED", message_send_ttl_seconds = 3600 }),
  named_header = template("named_header", "UTILITY", {
    {
      type = "HEADER", format = "TEXT", text = "Order {{order_no}}",
      example = { header_text_named_params = { { param_name = "order_no", example = "118" } } },
    },
    BODY,
  }, { parameter_format = "NAMED" }),
  video = template("video", "MARKETING", {
    { type = "HEADER", format = "VIDEO", example = { header_handle = { "4:bXA0" } } }, BODY,
  }),
  gif = template("gif", "MARKETING", {
    { type = "HEADER", format = "GIF", example = { header_handle = { "4:bXA0" } } }, BODY,
  }),
  location = template("location", "UTILITY", { { type = "HEADER", format = "LOCATION" }, BODY }),
  copy_code = login("login_code", otp()),
  one_tap = login("login_tap", otp { otp_type = "ONE_TAP", autofill_text = "Ausfüllen", supported_apps = APPS }),
  zero_tap = login("login_zero", otp {
    otp_type = "ZERO_TAP", autofill_text = "Ausfüllen", supported_apps = APPS, zero_tap_terms_accepted = true,
  }),
  one_tap_older = login("login_tap_older", otp {
    otp_type = "ONE_TAP", package_name = "example.shop", signature_hash = "K8a/AINcGX7",
  }),
  payment_request = template("payment_request", "UTILITY", { BODY, buttons(
    { type = "PAYMENT_REQUEST", text = "Copy Boleto code",
      payment_setting = { type = "boleto", boleto = { digitable_line = "0339902694414000000" } } },
    { type = "PAYMENT_REQUEST", text = "Open payment link",
      payment_setting = { type = "payment_link", payment_link = { uri = "https://pay.example/1" } } }) }),
  coupon = template("coupon", "MARKETING", { BODY, buttons { type = "COPY_CODE", example = "SAVE20" } }),
  offer = template("offer", "MARKETING", {
    IMAGE, { type = "LIMITED_TIME_OFFER", limited_time_offer = { text = "Nur heute", has_expiration = true } }, BODY,
    buttons({ type = "COPY_CODE", example = "SAVE20" },
      { type = "URL", text = "Ansehen", url = "https://kern.example/{{1}}", example = { "https://kern.example/1" } }),
  }, { message_send_ttl_seconds = 43200 }),
  carousel = template("carousel", "MARKETING", {
    BODY, { type = "CAROUSEL", cards = { media_card "Brille Blau", media_card "Brille Rot" } },
  }),
  products = template("products", "MARKETING", {
    BODY, { type = "CAROUSEL", cards = { product_card(), product_card() } },
  }),
  product = template("product", "MARKETING", {
    { type = "HEADER", format = "PRODUCT" }, BODY, buttons { type = "SPM", text = "View" },
  }),
  catalog = template("catalog", "MARKETING", { BODY, buttons { type = "CATALOG", text = "View catalog" } }),
  many_products = template("many_products", "MARKETING", { BODY, buttons { type = "MPM", text = "View items" } }),
  flow = template("flow", "UTILITY", {
    BODY,
    buttons { type = "FLOW", text = "Termin", flow_id = "880011", flow_action = "navigate", navigate_screen = "START" },
  }),
  call = template("call", "UTILITY", { BODY, buttons { type = "VOICE_CALL", text = "Anrufen", ttl_minutes = 1440 } }),
  contact = template("contact", "UTILITY", { BODY, buttons { type = "REQUEST_CONTACT_INFO" } }),
  permission = template("permission", "UTILITY", { BODY, { type = "CALL_PERMISSION_REQUEST" } }),
  order_details = template("order_details", "UTILITY", {
    BODY, buttons { type = "ORDER_DETAILS", text = "Bezahlen" },
  }, { sub_category = "ORDER_DETAILS", display_format = "ORDER_DETAILS" }),
  library = {
    name = "my_delivery", language = "en_US", category = "UTILITY", library_template_name = "delivery_update_1",
    library_template_body_inputs = { add_contact_number = true, code_expiration_minutes = 5 },
    library_template_button_inputs = {
      { type = "URL", url = { base_url = "https://x.example/{{1}}", url_suffix_example = "https://x.example/1" } },
      { type = "PHONE_NUMBER", phone_number = "+49305550199" },
    },
  },
}

function cloud_templates.new(name) return copy(assert(templates[name], name)) end

function cloud_templates.names()
  local names = {}
  for name in pairs(templates) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return cloud_templates
