-- Customers of the emulator, who send messages to the business number: one method for every type of
-- message they can send.

local errors = require "waba.errors"

local customers = {}

--- A customer of the business number.
---@class waba.emulator.Customer
---@field number string  the number in the form that the program wrote
---@field name string|nil
local Customer = {}
Customer.__index = Customer
Customer.__name = "waba.emulator.Customer"

--- Options of any message.
---@class waba.emulator.InboundOptions
---@field reply_to? string               id of the message it quotes
---@field forwarded? boolean
---@field frequently_forwarded? boolean
---@field referred_product? { catalog_id: string, product_retailer_id: string }
---@field referral? table                the advertisement it came from, as the platform writes it
---@field mentions? string[]
---@field errors? table[]
---@field identity? table
---@field timestamp? integer             Unix seconds; the emulator's present by default
---@field id? string                     to repeat a message the receiver has seen
---@field profile? boolean               false: the webhook has no `contacts`
---@field fields? table                  further fields of the message, as the platform may add them

--- A file a customer sends: `data` or `file`, unless it is `undownloaded`.
---@class waba.emulator.CustomerMedia : waba.emulator.InboundOptions
---@field data? string      bytes
---@field file? string      path
---@field type? string      MIME type; the usual one of the kind by default
---@field caption? string
---@field filename? string
---@field metadata? table   of a sticker
---@field undownloaded? boolean  the client did not fetch it: it has no id

local USUAL_TYPES = {
  image = "image/jpeg", audio = "audio/mpeg", voice = "audio/ogg; codecs=opus", video = "video/mp4",
  document = "application/pdf", sticker = "image/webp",
}

--- Makes a customer of an emulator.
---@param remote waba.emulator.Remote
---@param number string
---@param about? { name: string?, user_id: string?, username: string?, hidden: boolean? }
---@return waba.emulator.Customer
function customers.new(remote, number, about)
  about = about or {}
  return setmetatable({ remote = remote, number = tostring(number), name = about.name, about = about }, Customer)
end

local function failed(message)
  return nil, errors.new({ kind = "unavailable", message = message })
end

local function ask(self, name, arguments)
  local result, message = self.remote:call(name, arguments)
  if result == nil then return failed(message) end
  return result
end

-- Returns the options for the process: the customer's data and the given options.
local function options_for(self, given)
  local options = {}
  for _, fields in ipairs({ self.about, given or {} }) do
    for name, value in pairs(fields) do options[name] = value end
  end
  return options
end

local function send(self, kind, content, options)
  return ask(self, "customer", { from = self.number, type = kind, content = content, options = options })
end

local OPTIONS = { reply_to = true, forwarded = true, frequently_forwarded = true, referred_product = true,
  referral = true, mentions = true, errors = true, identity = true, timestamp = true, id = true, profile = true,
  fields = true }

-- Takes the options of the message out of one table that holds its content too.
local function split(self, given)
  local content, options = {}, options_for(self)
  for name, value in pairs(given) do
    if OPTIONS[name] then
      options[name] = value
    else
      content[name] = value
    end
  end
  return content, options
end

--- Sends a text.
---@param body string
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:text(body, options)
  if type(body) ~= "string" then error("customer:text: the text must be a string", 2) end
  return send(self, "text", { body = body }, options_for(self, options))
end

local function send_media(self, kind, given)
  if type(given) ~= "table" or not (given.data or given.file or given.undownloaded) then
    error(("customer:%s: data, file or undownloaded is required"):format(kind), 3)
  end
  local content, options = split(self, given)
  local body = given.data or given.file and { file = given.file }
  content.data, content.file = nil, nil
  content.type = given.type or USUAL_TYPES[kind]
  if body and not given.undownloaded then
    local id, message = self.remote:upload(body, content.type)
    if not id then return failed(message) end
    content.media_id = id
  end
  return send(self, kind, content, options)
end

--- Sends a picture; its bytes can be downloaded under the id of the webhook.
---@param media waba.emulator.CustomerMedia
---@return string|nil id
---@return waba.Error? err
function Customer:image(media) return send_media(self, "image", media) end

--- Sends an audio file.
---@param media waba.emulator.CustomerMedia
---@return string|nil id
---@return waba.Error? err
function Customer:audio(media) return send_media(self, "audio", media) end

--- Sends a voice note.
---@param media waba.emulator.CustomerMedia
---@return string|nil id
---@return waba.Error? err
function Customer:voice(media) return send_media(self, "voice", media) end

--- Sends a video.
---@param media waba.emulator.CustomerMedia
---@return string|nil id
---@return waba.Error? err
function Customer:video(media) return send_media(self, "video", media) end

--- Sends a document.
---@param media waba.emulator.CustomerMedia
---@return string|nil id
---@return waba.Error? err
function Customer:document(media) return send_media(self, "document", media) end

--- Sends a sticker.
---@param media waba.emulator.CustomerMedia
---@return string|nil id
---@return waba.Error? err
function Customer:sticker(media) return send_media(self, "sticker", media) end

--- Sends a place: latitude, longitude, and name, address, url where given.
---@param place table
---@return string|nil id
---@return waba.Error? err
function Customer:location(place) return send(self, "location", split(self, place)) end

--- Sends contacts, as the platform writes them.
---@param contacts table[]
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:contacts(contacts, options)
  return send(self, "contacts", contacts, options_for(self, options))
end

--- Taps a quick-reply button of a template.
---@param text string
---@param payload? string  none: the webhook has null
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:button(text, payload, options)
  return send(self, "button", { text = text, payload = payload }, options_for(self, options))
end

--- Replies to an interactive message: kind "button" or "list" with id, title (and description), or
--- "flow" with name, body and data.
---@param reply { kind: string?, id: string?, title: string?, description: string?, name: string?, body: string?, data: table? }
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:reply(reply, options)
  return send(self, "reply", reply, options_for(self, options))
end

--- Taps a button or a row of a message that the customer received.
---@param message_id string  what sending returned
---@param choice string      id, title, text or payload of the button or row
---@param options? waba.emulator.InboundOptions
---@return string|nil id     nil when the message has no such button
---@return waba.Error? err
function Customer:tap(message_id, choice, options)
  return ask(self, "tap", { from = self.number, id = message_id, choice = choice,
    options = options_for(self, options) })
end

--- Orders from the catalogue: catalog_id, text, product_items.
---@param order table
---@return string|nil id
---@return waba.Error? err
function Customer:order(order) return send(self, "order", split(self, order)) end

--- Sends a system message of WhatsApp about the customer: with its type, its body and its other fields.
---@param system table  the content in the platform's form
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:system(system, options)
  return send(self, "system", system, options_for(self, options))
end

--- Moves the customer to another number, and sends the system message about it.
---@param number string
---@return string|nil id
---@return waba.Error? err
function Customer:change_number(number)
  local before, after = self.number:gsub("%D", ""), tostring(number):gsub("%D", "")
  local id, err = self:system({ type = "user_changed_number", new_wa_id = after,
    body = ("User %s changed from %s to %s"):format(self.name or before, before, after) })
  if id then self.number = tostring(number) end
  return id, err
end

--- Gives the customer a new identity, as a new phone does: messages to it fail with 1028 until the
--- identity is acknowledged. Sends the system message about it.
---@return string|nil id
---@return waba.Error? err
function Customer:change_identity()
  local changed, err = ask(self, "change_identity", { number = self.number })
  if not changed then return nil, err end
  return self:system({ type = "user_identity_changed", identity = changed.hash, user = changed.wa_id,
    body = ("The identity of %s has changed"):format(self.name or changed.wa_id) })
end

--- Sends something the client can't show: the webhook has type "unknown" with error 501.
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:unknown(options) return send(self, "unknown", nil, options_for(self, options)) end

--- Sends a disappearing message that the client can't show.
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:ephemeral(options)
  return send(self, "ephemeral", nil, options_for(self, options))
end

--- Reacts to a message. The On-Premise client can't show reactions: the webhook has type "unknown".
---@param message_id string
---@param emoji string
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:reaction(message_id, emoji, options)
  return send(self, "reaction", { message_id = message_id, emoji = emoji }, options_for(self, options))
end

--- Sends a message of any type whose content is sent unchanged.
---@param kind string
---@param content any
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:message(kind, content, options)
  local complete = options_for(self, options)
  complete.raw = true
  return send(self, kind, content, complete)
end

--- Deletes a message it had sent: the webhook is a status "deleted".
---@param message_id string
---@return true|nil
---@return waba.Error? err
function Customer:delete(message_id)
  return ask(self, "delete", { from = self.number, id = message_id })
end

return customers
