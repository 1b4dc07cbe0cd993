-- The customers of an emulator: the object waba.emulator.Customer with a method for each action of a customer.

local option = require "waba.option"

local customers = {}

--- A customer of the business number.
---@class waba.emulator.Customer
---@field number string  the phone number as the program wrote it
---@field name string|nil
local Customer = {}
Customer.__index = Customer
Customer.__name = "waba.emulator.Customer"

--- The options of each message of a customer.
---@options waba.emulator.InboundOptions
local INBOUND = {
  reply_to = "string",               -- the id of the quoted message
  forwarded = "boolean",             -- true: the customer has forwarded the message
  frequently_forwarded = "boolean",  -- true: the message was forwarded many times
  referred_product = "{ catalog_id: string, product_retailer_id: string }", -- the product that the message is about
  referral = "table",                -- the advertisement that the message came from, in the platform's form
  mentions = "string[]",             -- the mentioned users
  errors = "table[]",                -- the errors in the webhook
  identity = "table",                -- the identity of the customer
  timestamp = "integer",             -- Unix seconds; default: the emulator's current time
  id = "string",                     -- the id of the message; an id that was used before makes a duplicate
  profile = "boolean",               -- false: the webhook has no `contacts`
  fields = "table",                  -- further fields of the message, such as fields that the platform may add later
  standby = "boolean",               -- true: another sender controls the conversation, so the webhook has the field
                                     -- "standby" (Cloud)
}

--- A file that a customer sends: `data` or `file` is required, unless the file is `undownloaded`.
---@options waba.emulator.CustomerMedia : waba.emulator.InboundOptions
local MEDIA = option.with(INBOUND, {
  data = "string",                   -- the bytes of the file
  file = "string",                   -- the path of the file
  type = "string",                   -- MIME type; default: the usual type of this kind of media
  caption = "string",                -- the text below the file
  filename = "string",               -- the name of a document
  metadata = "table",                -- the metadata of a sticker
  animated = "boolean",              -- true: the sticker is animated (Cloud)
  undownloaded = "boolean",          -- true: the WhatsApp client has not downloaded the file, so the webhook has no id
})

local PLACE = option.with(INBOUND, {
  latitude = "number", longitude = "number", name = "string", address = "string", url = "string",
})
local ORDER = option.with(INBOUND, { catalog_id = "string", text = "string", product_items = "table" })

local USUAL_TYPES = {
  image = "image/jpeg", audio = "audio/mpeg", voice = "audio/ogg; codecs=opus", video = "video/mp4",
  document = "application/pdf", sticker = "image/webp",
}

-- Returns a table with the fields of both tables. The fields of the second table replace those of the first.
local function merge(first, second)
  local merged = {}
  for _, fields in ipairs({ first or {}, second or {} }) do
    for name, value in pairs(fields) do merged[name] = value end
  end
  return merged
end

--- Creates a customer of an emulator, with the data of waba.emulator.CustomerOptions.
function customers.new(remote, number, about)
  return setmetatable({ remote = remote, number = tostring(number), about = merge(about), name = about and about.name },
    Customer)
end

-- Sends a message. If `is_raw` is true, the emulator does not convert the content.
local function send(self, kind, content, options, is_raw)
  options = merge(self.about, option.check(options, INBOUND, "customer:" .. (is_raw and "message" or kind)))
  if is_raw then options.raw = true end
  return self.remote:ask("customer", { from = self.number, type = kind, content = content, options = options })
end

-- Divides a table into the content of a message and its options.
local function split(fields)
  local content, options = {}, {}
  for name, value in pairs(fields) do (INBOUND[name] and options or content)[name] = value end
  return content, options
end

-- Sends a message whose content is a table. If `known` is set, the table also contains the options, and `known` has the
-- types of all fields.
local function send_table(self, kind, content, options, known)
  if type(content) ~= "table" then
    error(("customer:%s: the content must be a table, not a %s"):format(kind, type(content)), 3)
  end
  if known then content, options = split(option.check(content, known, "customer:" .. kind, 3)) end
  return send(self, kind, content, options)
end

--- Sends a text.
---@param body string
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:text(body, options)
  if type(body) ~= "string" then error("customer:text: the text must be a string, not a " .. type(body), 2) end
  return send(self, "text", { body = body }, options)
end

local function send_media(self, kind, media)
  if type(media) ~= "table" or not (media.data or media.file or media.undownloaded) then
    error(("customer:%s: data, file or undownloaded is required"):format(kind), 3)
  end
  option.check(media, MEDIA, "customer:" .. kind)
  local content, options = split(media)
  local body = media.data or media.file and { file = media.file }
  content.data, content.file = nil, nil
  content.type = media.type or USUAL_TYPES[kind]
  if body and not media.undownloaded then
    local id, err = self.remote:upload(body, content.type)
    if not id then return nil, err end
    content.media_id = id
  end
  return send(self, kind, content, options)
end

--- Sends a picture. The program can download the picture with the id in the webhook.
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

--- Sends a place: latitude and longitude; optionally name, address and url.
---@param place table
---@return string|nil id
---@return waba.Error? err
function Customer:location(place) return send_table(self, "location", place, nil, PLACE) end

--- Sends contacts.
---@param contacts table[]  the contacts as the platform writes them
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:contacts(contacts, options) return send_table(self, "contacts", contacts, options) end

--- Taps a quick-reply button of a template.
---@param text string
---@param payload? string  the payload of the button; default: null (On-Premise), or the text (Cloud)
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:button(text, payload, options)
  return send(self, "button", { text = text, payload = payload }, options)
end

--- Replies to an interactive message: `kind` "button" or "list" with `id`, `title` and `description`, or "flow" with
--- `name`, `body` and `data`.
---@param reply { kind: string?, id: string?, title: string?, description: string?, name: string?, body: string?, data: table? }
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:reply(reply, options) return send_table(self, "reply", reply, options) end

--- Taps a button or a row of a message that the customer has received.
---@param message_id string  the message id that `client:send` returned
---@param choice string      id, title, text or payload of the button or row
---@param options? waba.emulator.InboundOptions
---@return string|nil id     nil: the message has no such button or row
---@return waba.Error? err
function Customer:tap(message_id, choice, options)
  return self.remote:ask("tap", { from = self.number, id = message_id, choice = choice,
    options = merge(self.about, option.check(options, INBOUND, "customer:tap")) })
end

--- Orders products of the catalogue.
---@param order table  the fields catalog_id, text and product_items
---@return string|nil id
---@return waba.Error? err
function Customer:order(order) return send_table(self, "order", order, nil, ORDER) end

--- Sends a system message of WhatsApp about the customer.
---@param system table  the content as the platform writes it, with type, body and further fields
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:system(system, options) return send_table(self, "system", system, options) end

-- Calls the function with the name `method` in the table `traffic` of the gateway.
local function cause(self, method, arguments)
  arguments.method, arguments.number, arguments.about = method, self.number, self.about
  local result, err = self.remote:ask("traffic", arguments)
  if type(result) == "table" and result.user_id then self.about.user_id = result.user_id end
  return result, err
end

--- Changes the phone number of the customer, and sends the system message about the change. On Cloud hosting, a
--- customer with a user id gets a new user id too. If the phone number is hidden, the message has only the new user id.
---@param number string
---@param user_id? string  the new user id (Cloud); default: a random one
---@return string|nil id
---@return waba.Error? err
function Customer:change_number(number, user_id)
  local moved, err = cause(self, "change_number", { to = (tostring(number):gsub("%D", "")), user_id = user_id })
  if not moved then return nil, err end
  self.number = tostring(number)
  return moved.id
end

--- Changes the user id of the customer, and sends the system message about the change, without the phone number
--- (Cloud).
---@param user_id? string  the new user id; default: a random one
---@param options? { field: boolean? }  `field = true`: the webhook has the field "user_id_update" and no system message
---@return string|true|nil id  the id of the system message; true with the option `field`
---@return waba.Error? err
function Customer:change_user_id(user_id, options)
  local changed, err = cause(self, "change_user_id", { user_id = user_id, field = options and options.field })
  if not changed then return nil, err end
  return changed.id or true
end

local function set_hidden(self, hidden)
  local changed, err = cause(self, "hide_number", { hidden = hidden })
  if not changed then return nil, err end
  self.about.hidden = hidden
  return true
end

--- Hides the phone number of the customer in webhooks, which then contain only the user id (Cloud). A customer without
--- a user id gets a random one.
---@return true|nil
---@return waba.Error? err
function Customer:hide_number() return set_hidden(self, true) end

--- Shows the phone number of the customer in webhooks again (Cloud).
---@return true|nil
---@return waba.Error? err
function Customer:show_number() return set_hidden(self, false) end

--- Sends a text while another sender controls the conversation (Cloud): the webhook has the field "standby". For other
--- types of messages, use the option `standby`.
---@param body string
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:standby(body, options)
  return self:text(body, merge(option.check(options, INBOUND, "customer:standby"), { standby = true }))
end

--- The options of an echo.
---@class waba.emulator.EchoOptions
---@field id? string
---@field field? "smb_message_echoes"|"message_echoes"|"standby"|"messages"  the field of the webhook; default: smb_message_echoes

--- Reports a message that the business has written to the customer with another program, such as the WhatsApp
--- Business app (Cloud).
---@param message string|table  a text, or a message as the platform writes it: { type = "image", image = { … } }
---@param options? waba.emulator.EchoOptions
---@return string|nil id
---@return waba.Error? err
function Customer:echo(message, options)
  if type(message) == "string" then message = { type = "text", text = { body = message } } end
  if type(message) ~= "table" or type(message.type) ~= "string" then
    error("customer:echo: the message must be a string, or a table with the field type", 2)
  end
  options = options or {}
  return cause(self, "echo", { type = message.type, content = message[message.type], id = options.id,
    field = options.field or "smb_message_echoes" })
end

--- Passes control of the conversation with the customer to another sender, or back to the program (Cloud). While
--- another sender has control, webhooks about the customer's messages have the field "standby". A message of the
--- program returns control to the program.
---@param kind "control_taken"|"control_passed"  "control_taken": the other sender gets control; "control_passed": the program gets control
---@param owner? string  the role of the other sender; default: "ai_agent"
---@return true|nil
---@return waba.Error? err
function Customer:handover(kind, owner)
  if kind ~= "control_taken" and kind ~= "control_passed" then
    error('customer:handover: the kind must be "control_taken" or "control_passed"', 2)
  end
  return cause(self, "handover", { type = kind, owner = owner or "ai_agent" })
end

--- Stops or resumes messages of a category to the customer (Cloud). While marketing messages are stopped, marketing
--- templates to the customer fail with the error 131050.
---@param value "stop"|"resume"
---@param category? string  default: "marketing_messages"
---@return true|nil
---@return waba.Error? err
function Customer:preference(value, category)
  if value ~= "stop" and value ~= "resume" then
    error('customer:preference: the value must be "stop" or "resume"', 2)
  end
  return cause(self, "preference", { value = value, category = category or "marketing_messages" })
end

--- Reports statuses of a message to the customer, in the order of the list. A test can omit or repeat statuses or
--- change their order, as the platform may do. The option `statuses = false` of the emulator turns off all other
--- statuses.
---@param message_id string  the message id that `client:send` returned
---@param statuses string[]  the statuses to report, such as { "read", "delivered", "delivered" }
---@return true|nil
---@return waba.Error? err
function Customer:statuses(message_id, statuses)
  for _, status in ipairs(statuses) do
    local reported, err = self.remote:ask("status", { id = message_id, status = status })
    if not reported then return nil, err end
  end
  return true
end

--- Creates a new identity for the customer, as a new phone would, and sends the system message about the new identity.
--- On-Premise hosting refuses messages to the customer (error 1028) until the program acknowledges the identity.
---@return string|nil id
---@return waba.Error? err
function Customer:change_identity()
  local changed, err = self.remote:ask("change_identity", { number = self.number })
  if not changed then return nil, err end
  return self:system({ type = "user_identity_changed", identity = changed.hash, user = changed.wa_id,
    body = ("The identity of %s has changed"):format(self.name or changed.wa_id) })
end

--- Sends a message that the WhatsApp client can't show. The webhook has the type "unknown" and the error 501; on Cloud
--- hosting the type is "unsupported", and the error 131051.
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:unknown(options) return send(self, "unknown", nil, options) end

--- Sends a disappearing message, which the WhatsApp client can't show.
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:ephemeral(options) return send(self, "ephemeral", nil, options) end

--- Reacts to a message. On On-Premise hosting the webhook has the type "unknown", because the WhatsApp client can't
--- report reactions.
---@param message_id string
---@param emoji string
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:reaction(message_id, emoji, options)
  return send(self, "reaction", { message_id = message_id, emoji = emoji }, options)
end

--- Sends a message of any type. The emulator does not convert the content of the message.
---@param kind string
---@param content any
---@param options? waba.emulator.InboundOptions
---@return string|nil id
---@return waba.Error? err
function Customer:message(kind, content, options) return send(self, kind, content, options, true) end

--- Deletes a message that the customer has sent. On On-Premise hosting, the webhook has the status "deleted"; on Cloud
--- hosting, the webhook has a message of the type "revoke".
---@param message_id string
---@return true|nil
---@return waba.Error? err
function Customer:delete(message_id) return self.remote:ask("delete", { from = self.number, id = message_id }) end

return customers
