-- The actions of a customer besides sending messages (cloud.md, section 11.1): hiding the phone number, or getting a
-- new phone number or user id. Also posts messages of other senders to the customer, changes of control of the
-- conversation, and opt-outs (cloud.md, sections 4.9 and 11.2).

local inbound = require "waba.emulator.inbound"
local random = require "waba.emulator.random"

-- Each function implements a method of waba.emulator.Customer. The arguments are the gateway, the contact of the
-- customer, and the arguments of the method. Each function returns the result of the method, or nil and an error
-- message.
local traffic = {}

local function new_user_id() return "DE." .. random.digits(16) end

-- Returns the phone number of a customer for webhooks; nil if it is hidden.
local function shown_number(contact) return not contact.hidden and contact.wa_id or nil end

--- Hides the phone number of a customer in webhooks, or shows it again. Webhooks about a hidden customer have the user
--- id, so the customer gets a user id.
function traffic.hide_number(gateway, contact, arguments)
  contact.hidden = arguments.hidden or nil
  local user_id = contact.user_id or arguments.hidden and new_user_id() or nil
  gateway.contacts:set(contact.wa_id, { user_id = user_id })
  return { user_id = user_id }
end

--- Changes the phone number of a customer. A customer with a user id also gets a new user id.
function traffic.change_number(gateway, contact, arguments)
  local user_id = arguments.user_id or contact.user_id and new_user_id() or nil
  local id = inbound.customer_changed(gateway, contact, arguments.to, user_id)
  gateway.contacts:move(contact, arguments.to, user_id)
  return { id = id, user_id = user_id }
end

--- Changes the user id of a customer. With `field` the webhook is a change of the field user_id_update, otherwise a
--- system message.
function traffic.change_user_id(gateway, contact, arguments)
  local old, user_id = contact.user_id, arguments.user_id or new_user_id()
  if not old then return nil, "change_user_id: the customer has no user id: expected the option user_id of customer" end
  local id
  if arguments.field then
    gateway:post_messages({ user_id_update = { { user_id = { previous = old, current = user_id },
      wa_id = shown_number(contact), timestamp = tostring(gateway.clock:timestamp()),
      detail = "The user id has changed." } } }, contact.wa_id, "user_id_update")
  else
    id = inbound.customer_changed(gateway, contact, nil, user_id)
  end
  gateway.contacts:set(contact.wa_id, { user_id = user_id })
  return { id = id, user_id = user_id }
end

-- The name of the list that contains an echo, by the field of the webhook.
local ECHO_LISTS = { smb_message_echoes = "message_echoes", message_echoes = "message_echoes",
  standby = "message_echoes", messages = "messages" }

--- Posts an echo: the webhook about a message that the business has sent to the customer with another program.
function traffic.echo(gateway, contact, arguments)
  local list = ECHO_LISTS[arguments.field]
  if not list then
    return nil, ('echo: field: "%s" has no echoes: expected smb_message_echoes, message_echoes, standby or messages')
      :format(tostring(arguments.field))
  end
  local event = { from = gateway.options.number, to = shown_number(contact), to_user_id = contact.user_id,
    id = arguments.id or inbound.new_cloud_id(), timestamp = tostring(gateway.clock:timestamp()), type = arguments.type,
    [arguments.type] = arguments.content }
  gateway:post_messages({ [list] = { event } }, contact.wa_id, arguments.field)
  return event.id
end

--- Gives control of the conversation to another sender ("control_taken"), or back to the program ("control_passed").
--- While another sender controls the conversation, webhooks about the customer's messages have the field "standby".
function traffic.handover(gateway, contact, arguments)
  local kind, other = arguments.type, arguments.owner
  contact.standby = kind == "control_taken" or nil
  local taken = contact.standby
  gateway:post_messages({ type = kind, timestamp = tostring(gateway.clock:timestamp()),
    sender = { phone_number = shown_number(contact), user_id = contact.user_id },
    [kind] = { previous_owner_role = taken and "partner" or other, new_owner_role = taken and other or "partner" },
  }, contact.wa_id, "messaging_handovers")
  return true
end

--- Stops or resumes the messages of a category. While marketing messages are stopped, a marketing template fails
--- with 131050.
function traffic.preference(gateway, contact, arguments)
  contact.preferences = contact.preferences or {}
  contact.preferences[arguments.category] = arguments.value
  gateway:post_messages({ contacts = inbound.cloud_profile(contact), user_preferences = { {
    wa_id = shown_number(contact), user_id = contact.user_id, category = arguments.category, value = arguments.value,
    detail = ("User requested to %s marketing messages"):format(arguments.value),
    timestamp = gateway.clock:timestamp() } } }, contact.wa_id, "user_preferences")
  return true
end

return traffic
