-- Builders of interactive messages that request an action of the customer: open a link or a flow, call, or share a
-- place, an address or a phone number. Cloud hosting only.

local frame = require "waba.message.frame"
local parts = require "waba.message.parts"

local copy, each, is_table, is_empty = parts.copy, parts.each, parts.is_table, parts.is_empty
local wire_string, with_strings = parts.wire_string, parts.with_strings
local named = frame.named

local message = {}

--- A message with a button that opens a web page. No webhook reports a tap on the button.
---@param content waba.InteractiveContent|{ display_text: string, url: string }  display_text: at most 20 characters
---@return waba.Message
function message.cta_url(content)
  return (named("cta_url", "cta_url", content))
end

--- A message with a button that opens a flow (a form inside WhatsApp). The customer's input arrives as a reply of kind
--- "flow".
---@param content waba.InteractiveContent|{ flow_id: string?, flow_name: string?, flow_cta: string, flow_token: string?, mode: string?, flow_action: string?, screen: string?, data: table?, flow_action_payload: table?, flow_message_version: string? }
---  either flow_id or flow_name is required; flow_cta: the label of the button, at most 30 characters; flow_token: a
---  text that the reply contains; mode: "published" (default) or "draft"; flow_action: "navigate" (default) or
---  "data_exchange"; screen: the first screen of the flow; data: the input of the first screen
---@return waba.Message
function message.flow(content)
  local result, parameters, action = named("flow", "flow", content)
  action.parameters = parameters
  parameters.flow_message_version = wire_string(parameters.flow_message_version) or "3"
  parameters.flow_id = wire_string(parameters.flow_id)
  parameters.flow_token = wire_string(parameters.flow_token)
  local screen, data = parameters.screen, parameters.data
  if parameters.flow_action_payload == nil and (screen ~= nil or data ~= nil) then
    if is_empty(data) then data = nil end
    parameters.flow_action_payload = { screen = screen, data = data }
    parameters.screen, parameters.data = nil, nil
  end
  return result
end

--- Requests a location from the customer. The reply is a message of type location.
---@param content string|{ body: string }
---@return waba.Message
function message.location_request(content)
  return (named("location_request_message", "send_location", content))
end

local function address_values(values)
  return with_strings(values, "phone_number", "in_pin_code", "house_number", "floor_number", "tower_number")
end

local function saved_address(saved)
  local result = with_strings(saved, "id")
  if is_table(result) then result.value = address_values(result.value) end
  return result
end

--- Requests an address from the customer (India). The reply has the kind "flow".
---@param content waba.InteractiveContent|{ country: string?, values: table?, saved_addresses: { id: string, value: table }[]?, validation_errors: table? }
---  country: "IN" by default; values: the first content of the fields name, phone_number, in_pin_code, house_number,
---  floor_number, tower_number, building_name, address, landmark_area, city, state; validation_errors: the error texts
---  of these fields, when an invalid address is requested again
---@return waba.Message
function message.address(content)
  local result, parameters, action = named("address_message", "address_message", content)
  action.parameters = parameters
  if parameters.country == nil then parameters.country = "IN" end
  parameters.values = address_values(parameters.values)
  parameters.saved_addresses = each(parameters.saved_addresses, saved_address)
  for _, name in ipairs { "values", "saved_addresses", "validation_errors" } do
    if is_empty(parameters[name]) then parameters[name] = nil end
  end
  parameters.validation_errors = copy(parameters.validation_errors)
  return result
end

--- Requests the phone number from the customer. The reply is a message of type contacts.
---@param content string|{ body: string }
---@return waba.Message
function message.request_contact_info(content)
  return (named("request_contact_info", "request_contact_info", content))
end

--- A message with a button that calls the business.
---@param content string|{ body: string, display_text: string?, ttl_minutes: integer?, payload: string? }
---  display_text: at most 20 characters, "Call Now" by default; ttl_minutes: minutes until the button expires, 1 to
---  43200, 10080 (7 days) by default; payload: at most 512 characters, which the event of the call contains
---@return waba.Message
function message.voice_call(content)
  local result, parameters = named("voice_call", "voice_call", content)
  parameters.payload = wire_string(parameters.payload)
  return result
end

--- Requests the permission to call the customer. The platform allows one request in 24 hours and two in 7 days.
---@param content? string|{ body: string? }
---@return waba.Message
function message.call_permission(content)
  return (named("call_permission_request", "call_permission_request", content))
end

return { builders = message }
