-- The list of blocked customers (cloud.md, section 8.4).

local digits = require("waba.emulator.contacts").digits
local json = require "waba.emulator.json"
local common_rules = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local responses = require("waba.emulator.responses").cloud

local block_list = {}

local required, _, object, list_of, _, some_text = message_rules.constructors()

-- The largest number of users in the list, and in one request.
local MOST_BLOCKED, MOST_AT_ONCE = 64000, 1000

local BODY = object({
  messaging_product = common_rules.PRODUCT,
  block_users = required(list_of(object({ user = required(some_text) }), 1, MOST_AT_ONCE)),
})

local function find(gateway, user)
  if user:find("^%u%u%.") then return gateway.contacts.users[user] end
  return gateway.contacts:find(user)
end

-- Blocks a user. Returns the name of an error code if the user can't be blocked.
local function block_one(gateway, contact, user)
  if digits(user) == digits(gateway.options.number) then return "recipient_is_sender" end
  if not gateway.contacts:window_open(contact) then return "window_closed" end
  if #gateway.blocked >= MOST_BLOCKED then return "block_list_full" end
  if not contact.blocked then table.insert(gateway.blocked, contact) end
  contact.blocked = true
end

local function unblock_one(gateway, contact)
  contact.blocked = nil
  for i = #gateway.blocked, 1, -1 do
    if gateway.blocked[i] == contact then table.remove(gateway.blocked, i) end
  end
end

-- Returns a handler that applies a function to each user in the body of a request. `name` is the name of the response
-- field with the users that were changed.
local function changer(name, apply)
  return function(gateway, _, body)
    local changed, failed = {}, {}
    for _, row in ipairs(body.block_users) do
      local contact = find(gateway, row.user) or {}
      local entry = { input = row.user, wa_id = contact.wa_id, user_id = contact.user_id }
      local code = apply(gateway, contact, row.user)
      if code then
        local title = responses.title(code)
        entry.errors = { { code = responses.number(code), message = title, error_data = { details = title } } }
      end
      table.insert(code and failed or changed, entry)
    end
    local users = { [name] = changed[1] and changed or nil, failed_users = failed[1] and failed or nil }
    if #failed == 0 then return responses.json(200, { messaging_product = "whatsapp", block_users = users }) end
    local mixed = json.decode(responses.error("block_failed", "some users were not blocked: see failed_users").body)
    mixed.messaging_product, mixed.block_users = "whatsapp", users
    mixed.error.messaging_product = "whatsapp"
    return responses.json(400, mixed)
  end
end

local function get(gateway, request)
  local found = {}
  for i, contact in ipairs(gateway.blocked) do
    found[i] = { messaging_product = "whatsapp", wa_id = contact.wa_id, user_id = contact.user_id }
  end
  return responses.page(gateway, request, found, 1000)
end

block_list.routes = {
  { "GET", "block_users", get },
  { "POST", "block_users", changer("added_users", block_one), BODY },
  { "DELETE", "block_users", changer("removed_users", unblock_one), BODY },
}

return block_list
