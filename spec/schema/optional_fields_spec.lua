-- Which fields of a message may be left out. The spec removes each field of each example, one at a time, and checks the
-- message.

local messages = require "spec.support.messages"
local waba = require "waba"

-- The optional fields of each message type and of each interactive kind. "[]" stands for any element of a list.
local BOTH = {
  contacts = [[contacts[].addresses contacts[].addresses[].city contacts[].addresses[].country
    contacts[].addresses[].country_code contacts[].addresses[].street contacts[].addresses[].type
    contacts[].addresses[].zip contacts[].birthday contacts[].emails contacts[].emails[].email contacts[].emails[].type
    contacts[].name.first_name contacts[].name.last_name contacts[].name.prefix contacts[].org contacts[].org.company
    contacts[].org.title contacts[].phones contacts[].phones[].phone contacts[].phones[].type contacts[].phones[].wa_id
    contacts[].urls contacts[].urls[].type contacts[].urls[].url]],
  document = "document.caption document.filename", image = "image.caption", video = "video.caption",
  ["interactive/button"] = "interactive.header",
  ["interactive/list"] = "interactive.action.sections[].rows[].description interactive.footer interactive.header",
  ["interactive/product"] = "interactive.body", location = "location.address location.name",
  template = [[template.components template.components[].parameters template.components[].parameters[].date_time.day_of_month
    template.components[].parameters[].date_time.month template.components[].parameters[].date_time.year
    template.components[].parameters[].document.filename template.language.policy template.namespace]],
  text = "text.preview_url",
}

local OPTIONAL = {
  on_premise = {
    contacts = "contacts[].ims contacts[].ims[].service contacts[].ims[].user_id",
    hsm = "hsm.localizable_params[].currency hsm.namespace", -- a parameter without `currency` is a text
  },
  cloud = {
    audio = "audio.voice", template = "template.components[].cards[].components[].parameters",
    ["interactive/address_message"] = [[interactive.action.parameters.saved_addresses
      interactive.action.parameters.saved_addresses[].value.city
      interactive.action.parameters.saved_addresses[].value.in_pin_code
      interactive.action.parameters.saved_addresses[].value.name
      interactive.action.parameters.saved_addresses[].value.phone_number]],
    ["interactive/call_permission_request"] = "interactive.body",
    ["interactive/catalog_message"] = [[interactive.action.parameters
      interactive.action.parameters.thumbnail_product_retailer_id interactive.footer]],
    ["interactive/cta_url"] = "interactive.footer interactive.header",
    ["interactive/flow"] = [[interactive.action.parameters.flow_action interactive.action.parameters.flow_action_payload.data
      interactive.action.parameters.flow_action_payload.data.branch
      interactive.action.parameters.flow_action_payload.data.seats interactive.action.parameters.flow_token
      interactive.action.parameters.mode interactive.footer interactive.header]],
    ["interactive/order_details"] = [[interactive.action.parameters.order interactive.action.parameters.order.items[].retailer_id
      interactive.action.parameters.payment_settings[].payment_gateway.configuration_name
      interactive.action.parameters.payment_settings[].payment_gateway.type interactive.action.parameters.payment_type
      interactive.header]],
    ["interactive/order_status"] = "interactive.action.parameters.order interactive.footer",
    ["interactive/voice_call"] = "interactive.action.parameters interactive.action.parameters.payload",
  },
}

-- The example of order_details has no field `order`, so this message is checked too.
local ORDER = { name = "an order", message = waba.order_details {
  body = "Your cart", reference_id = "ord-1", type = "physical-goods", currency = "INR",
  total_amount = { value = 5500, offset = 100 },
  payment_settings = { { type = "payment_gateway", payment_gateway = { type = "razorpay", configuration_name = "shop" } } },
  order = {
    items = { { retailer_id = "B-1", name = "Boot", amount = { value = 5000, offset = 100 }, quantity = 1 } },
    status = "pending", subtotal = { value = 5000, offset = 100 }, tax = { value = 500, offset = 100 },
  },
} }

local function kind_of(message)
  local content = message[message.type]
  return message.type == "interactive" and "interactive/" .. content.type or message.type
end

-- Calls a function for each field below a table, with the field's table, name and path.
local function each_field(value, visit, place)
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    local inner = value[name]
    local at = type(name) == "number" and place .. "[]" or place and place .. "." .. name or name
    if type(name) == "string" then visit(value, name, at) end
    if type(inner) == "table" then each_field(inner, visit, at) end
  end
end

for _, hosting in ipairs { "on_premise", "cloud" } do
  it("a message of " .. hosting .. " hosting has every field but the optional ones", function()
    local expected, found = {}, {}
    for _, lists in ipairs { BOTH, OPTIONAL[hosting] } do
      for kind, names in pairs(lists) do
        for name in names:gmatch "%S+" do expected[kind .. ": " .. name] = true end
      end
    end
    local examples = messages.examples(hosting)
    if hosting == "cloud" then examples[#examples + 1] = ORDER end
    for _, example in ipairs(examples) do
      local message = messages.copy(example.message)
      local kind = kind_of(message)
      assert(waba.check(message, hosting))
      each_field(message, function(value, name, at)
        local kept = value[name]
        value[name] = nil
        if waba.check(message, hosting) then found[kind .. ": " .. at] = true end
        value[name] = kept
      end)
    end
    assert.same(expected, found)
  end)
end
