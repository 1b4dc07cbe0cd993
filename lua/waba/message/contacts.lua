-- The builder of contact cards.

local parts = require "waba.message.parts"
local recipient = require "waba.recipient"

local copy, each, is_empty, is_table = parts.copy, parts.each, parts.is_empty, parts.is_table
local with_strings = parts.with_strings

local message = {}

-- Converts the wa_id of a phone to digits. Keeps an invalid wa_id, which schema.lua reports.
local function contact_phone(phone)
  phone = with_strings(phone, "phone", "wa_id")
  if is_table(phone) and phone.wa_id ~= nil then phone.wa_id = recipient.normalize(phone.wa_id) or phone.wa_id end
  return phone
end

local function contact_card(card)
  card = copy(card)
  if not is_table(card) then return card end
  for _, name in ipairs { "addresses", "emails", "ims", "phones", "urls" } do
    if is_empty(card[name]) then card[name] = nil end
  end
  card.phones = each(card.phones, contact_phone)
  card.addresses = each(card.addresses, function(address) return with_strings(address, "zip") end)
  card.ims = each(card.ims, function(account) return with_strings(account, "user_id") end)
  return card
end

---@class waba.ContactCard
---@field name { formatted_name: string, first_name: string?, last_name: string?, middle_name: string?, prefix: string?, suffix: string? }
---@field phones? { phone: string?, type: string?, wa_id: string? }[]  the wa_id may have any form that `client:send`
---  accepts; only a card with a wa_id shows a button for messages
---@field emails? { email: string?, type: string? }[]
---@field addresses? { street: string?, city: string?, state: string?, zip: string?, country: string?, country_code: string?, type: string? }[]
---@field urls? { url: string?, type: string? }[]
---@field ims? { service: string?, user_id: string? }[]
---@field org? { company: string?, department: string?, title: string? }
---@field birthday? string  "YYYY-MM-DD"

--- Creates a message with one or more contact cards.
---@param cards waba.ContactCard[]
---@return waba.Message
function message.contacts(cards)
  if is_table(cards) and cards.name ~= nil then cards = { cards } end
  return { type = "contacts", contacts = each(cards, contact_card) }
end

return { builders = message }
