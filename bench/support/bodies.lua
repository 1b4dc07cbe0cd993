-- Makes bodies of webhooks with one message for every three statuses.

local bodies = {}

local MESSAGE = '{"from":"49151%07d","id":"ABGHSRURIzRWeAIQm0T7xkQz%s.%d","timestamp":"1712044800","type":"text",'
  .. '"text":{"body":"Guten Tag, ich hätte gern einen Termin am Freitag."}}'
local STATUS = '{"id":"gBGHSRURIzRWeAIJm0T7xkQz%s.%d","status":"%s","timestamp":"1712044801","type":"message",'
  .. '"message":{"recipient_id":"49151%07d"},"conversation":{"id":"73cfc2eee2c6d5643e831e2750a9a500",'
  .. '"expiration_timestamp":1712131201,"origin":{"type":"utility"}},'
  .. '"pricing":{"pricing_model":"CBP","billable":true,"category":"utility"}}'
local CLOUD_STATUS = '{"id":"wamid.HBgMNDkxNTEwMDAwMDAxFQIAERgS%s.%d","status":"%s","timestamp":"1712044801",'
  .. '"recipient_id":"49151%07d","conversation":{"id":"73cfc2eee2c6d5643e831e2750a9a500",'
  .. '"origin":{"type":"utility"}},'
  .. '"pricing":{"billable":true,"pricing_model":"PMP","category":"utility","type":"regular"}}'
local CHANGE = '{"field":"messages","value":{"messaging_product":"whatsapp",'
  .. '"metadata":{"display_phone_number":"4930555019","phone_number_id":"106540352242922"},%s}}'
local CONTACT = '{"profile":{"name":"Eva Kern"},"wa_id":"49151%07d"}'
local WORDS = { "sent", "delivered", "read" }

--- Returns a body of On-Premise hosting. The ids in bodies with different marks differ.
function bodies.make(events, mark, customers)
  local messages, statuses, contacts = {}, {}, {}
  local offset = tonumber(mark:match "%d+$") or 0
  for number = 1, events do
    local customer = (number + offset) % customers
    if number % 4 == 1 then
      messages[#messages + 1] = MESSAGE:format(customer, mark, number)
      contacts[#contacts + 1] = CONTACT:format(customer)
    else
      statuses[#statuses + 1] = STATUS:format(mark, number, WORDS[number % 3 + 1], customer)
    end
  end
  return ('{"contacts":[%s],"messages":[%s],"statuses":[%s]}'):format(
    table.concat(contacts, ","), table.concat(messages, ","), table.concat(statuses, ","))
end

--- Returns a body of Cloud hosting, with one change for each message and each status.
function bodies.cloud(events, mark, customers)
  local changes = {}
  for number = 1, events do
    local customer = number % customers
    local value
    if number % 4 == 1 then
      local message = MESSAGE:format(customer, mark, number)
      value = ('"contacts":[%s],"messages":[%s]'):format(CONTACT:format(customer), message)
    else
      value = ('"statuses":[%s]'):format(CLOUD_STATUS:format(mark, number, WORDS[number % 3 + 1], customer))
    end
    changes[number] = CHANGE:format(value)
  end
  return ('{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[%s]}]}'):format(
    table.concat(changes, ","))
end

return bodies
