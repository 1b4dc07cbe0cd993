-- Builders: one function per message type, each returning a plain table in the platform's own form,
-- the same for both hostings. A builder never fails: what it can't use it keeps, so that the check
-- (schema.lua) can name it by its path. It copies what it is given and changes none of it.

local message = {}

---@class waba.Message
---@field type string  the platform's name: "text", "image", "template", "interactive", …
---@field [string] any the content, in the field named like the type

local function is_table(value)
  return type(value) == "table"
end

local function copy(value)
  if not is_table(value) then return value end
  local result = {}
  for key, field in pairs(value) do result[key] = field end
  return result
end

-- Identifiers, phone numbers and parameters are strings on the wire: 5 becomes "5", never "5.0".
-- Whatever is no number stays as it is.
local function wire_string(value)
  if type(value) ~= "number" then return value end
  if value % 1 == 0 and value > -1e15 and value < 1e15 then return ("%.0f"):format(value) end
  return tostring(value)
end

local function wire_number(value)
  return type(value) == "string" and tonumber(value) or value
end

-- A copy of `value` whose named fields are strings.
local function with_strings(value, ...)
  local result = copy(value)
  if not is_table(result) then return result end
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    result[name] = wire_string(result[name])
  end
  return result
end

-- The highest position of a list: `{ "Eva", nil, "Berlin" }` has three, whatever # says. A gap wider
-- than any message has parameters is no list: the check names the stray position.
local function positions(list)
  local top = 0
  for key in pairs(list) do
    if type(key) == "number" and key > top and key <= 256 then top = key end
  end
  return top
end

local function each(list, build)
  if not is_table(list) then return list end
  local result = {}
  for key, item in pairs(list) do result[key] = build(item) end
  return result
end

local function is_empty(value)
  return is_table(value) and next(value) == nil
end

-- Media ------------------------------------------------------------------------------------------

local function media(kind)
  return function(content)
    return { type = kind, [kind] = with_strings(content, "id") }
  end
end

--- A text. WhatsApp's markup works in it: `*bold*`, `_italic_`, `~struck~`.
---@param content string|{ body: string, preview_url: boolean? }  body: 1 to 4096 characters;
---  preview_url: show a preview of the first link, false by default
---@return waba.Message
function message.text(content)
  if is_table(content) then return { type = "text", text = copy(content) } end
  return { type = "text", text = { body = content } }
end

---@class waba.MediaContent
---@field id? string        from `client.media:upload`; either this
---@field link? string      or a public URL that the platform fetches
---@field caption? string   at most 1024 characters; not for audio and stickers
---@field filename? string  documents only; its extension decides the icon
---@field provider? { name: string }  On-Premise, with `link`: credentials stored at the gateway

--- An image: JPEG or PNG, at most 5 MB. The file's type and size can't be seen from here: when they
--- don't fit, the platform reports it later, in a status.
---@param content waba.MediaContent
---@return waba.Message
message.image = media("image")

--- A video: MP4 or 3GPP with H.264 and AAC, at most 16 MB (reported later, as with `image`).
---@param content waba.MediaContent
---@return waba.Message
message.video = media("video")

--- A sound, at most 16 MB (reported later, as with `image`); OGG with Opus shows as a voice note.
---@param content waba.MediaContent  without caption
---@return waba.Message
message.audio = media("audio")

--- A document, at most 100 MB, 64 MB through an On-Premise upload (reported later, as with `image`).
---@param content waba.MediaContent
---@return waba.Message
message.document = media("document")

--- A sticker: WebP, 512 x 512, at most 100 KB; not animated on On-Premise (reported later).
---@param content waba.MediaContent  without caption
---@return waba.Message
message.sticker = media("sticker")

-- Places and people ------------------------------------------------------------------------------

--- A place. The address shows only beside a name.
---@param content { latitude: number, longitude: number, name: string?, address: string? }
---@return waba.Message
function message.location(content)
  content = copy(content)
  if is_table(content) then
    content.latitude, content.longitude = wire_number(content.latitude), wire_number(content.longitude)
  end
  return { type = "location", location = content }
end

local contact_lists = { "addresses", "emails", "ims", "phones", "urls" }

local function contact_card(card)
  card = copy(card)
  if not is_table(card) then return card end
  for _, name in ipairs(contact_lists) do
    if is_empty(card[name]) then card[name] = nil end
  end
  card.phones = each(card.phones, function(phone) return with_strings(phone, "phone", "wa_id") end)
  card.addresses = each(card.addresses, function(address) return with_strings(address, "zip") end)
  card.ims = each(card.ims, function(account) return with_strings(account, "user_id") end)
  return card
end

---@class waba.ContactCard
---@field name { formatted_name: string, first_name: string?, last_name: string?, middle_name: string?, prefix: string?, suffix: string? }
---@field phones? { phone: string?, type: string?, wa_id: string? }[]  with a wa_id it can be messaged
---@field emails? { email: string?, type: string? }[]
---@field addresses? { street: string?, city: string?, state: string?, zip: string?, country: string?, country_code: string?, type: string? }[]
---@field urls? { url: string?, type: string? }[]
---@field ims? { service: string?, user_id: string? }[]
---@field org? { company: string?, department: string?, title: string? }
---@field birthday? string  "YYYY-MM-DD"

--- Contact cards, one or more.
---@param cards waba.ContactCard[]
---@return waba.Message
function message.contacts(cards)
  if is_table(cards) and cards.name ~= nil then cards = { cards } end
  return { type = "contacts", contacts = each(cards, contact_card) }
end

-- Templates --------------------------------------------------------------------------------------

--- An amount of money, as a parameter of a template's body.
---@param content { code: string, amount_1000: integer, fallback_value: string }  ISO 4217 code;
---  the amount times 1000; what shows where it can't be formatted
---@return table parameter
function message.currency(content)
  return { type = "currency", currency = copy(content) }
end

--- A date and time, as a parameter of a template's body. Most clients show `fallback_value` as it is.
---@param content { fallback_value: string, day_of_week: integer|string|nil, year: integer?, month: integer?, day_of_month: integer?, hour: integer?, minute: integer?, calendar: string?, timestamp: integer? }
---@return table parameter
function message.date_time(content)
  return { type = "date_time", date_time = copy(content) }
end

local header_kinds = { "text", "image", "video", "document", "location", "product" }

-- The kind of a header given as `{ image = {…} }` or by a builder, and its content.
local function header_content(header)
  if not is_table(header) then return "text", wire_string(header) end
  for _, kind in ipairs(header_kinds) do
    local content = header[kind]
    if content ~= nil and (header.type == nil or header.type == kind) then
      if kind == "text" and is_table(content) then content = content.body end -- from waba.text
      if is_table(content) then content = with_strings(content, "id") end
      return kind, content
    end
  end
end

local parameter_kinds = { "text", "currency", "date_time", "payload", "image", "video", "document", "location" }

local function parameter(value)
  if type(value) ~= "table" then return { type = "text", text = wire_string(value) } end
  value = copy(value)
  if value.type == nil then
    for _, kind in ipairs(parameter_kinds) do
      if value[kind] ~= nil then
        value.type = kind
        break
      end
    end
  end
  if value.type == "text" then value.text = wire_string(value.text) end
  return value
end

-- Adds parameters that go by name (named templates, Cloud), in the order of their names.
local function add_named(result, values)
  local names, count = {}, positions(values)
  for name in pairs(values) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local named = parameter(values[name])
    named.parameter_name = name
    result[count + i] = named
  end
end

-- Parameters by position. A hole stays visible as a parameter without text: a nil variable must not
-- shift those behind it.
local function parameters(values)
  if type(values) ~= "table" or values.type ~= nil then return { parameter(values) } end
  local result, count, has_names = {}, 0, false
  for key, value in pairs(values) do
    if type(key) == "string" then
      has_names = true
    else
      result[key] = parameter(value)
      count = count + 1
    end
  end
  local top = positions(values)
  for i = 1, top > count and top or 0 do
    if result[i] == nil then result[i] = parameter(nil) end
  end
  if has_names then add_named(result, values) end
  return result
end

local function header_component(header)
  local kind, content = header_content(header)
  local value = kind and { type = kind, [kind] = content } or copy(header)
  return { type = "header", parameters = { value } }
end

local function button_component(button, position)
  if not is_table(button) then -- kept as it is, for the check to name
    return { type = "button", index = position, sub_type = button }
  end
  local component = { type = "button", index = position }
  for key, value in pairs(button) do component[key] = value end
  component.index = wire_string(component.index)
  if button.payload ~= nil then
    component.payload, component.sub_type = nil, "quick_reply"
    component.parameters = { { type = "payload", payload = wire_string(button.payload) } }
  elseif button.url ~= nil then
    component.url, component.sub_type = nil, "url"
    component.parameters = { { type = "text", text = wire_string(button.url) } }
  end
  return component
end

local function language_table(language)
  if is_table(language) then return copy(language) end
  if language == nil then return nil end
  return { code = language }
end

local function template_components(short)
  local components = {}
  local body, buttons = short.body, short.buttons
  if short.otp ~= nil then
    if body == nil then body = { short.otp } end
    if buttons == nil then buttons = { { url = short.otp } } end
  end
  if short.header ~= nil then components[1] = header_component(short.header) end
  if body ~= nil and not is_empty(body) then
    components[#components + 1] = { type = "body", parameters = parameters(body) }
  end
  if is_table(buttons) then
    for i = 1, positions(buttons) do
      local button = buttons[i]
      if button then components[#components + 1] = button_component(button, wire_string(i - 1)) end
    end
  elseif buttons ~= nil then
    components[#components + 1] = button_component(buttons, "0")
  end
  if #components > 0 then return components end
end

local short_names = { header = true, body = true, buttons = true, otp = true }

---@class waba.TemplateContent
---@field name string              as approved: lower-case letters, digits and _
---@field language string|{ code: string, policy: string? }  exactly an approved translation: "de", "pt_BR"
---@field namespace? string        On-Premise; the client's by default
---@field header? string|table     text, or `{ image = {…} }`, `waba.image {…}`, … (documents: PDF only,
---  which only the platform can see)
---@field body? any[]|table        one value for each placeholder in order: strings, numbers,
---  `waba.currency {…}`, `waba.date_time {…}`; on Cloud also by name: `{ first_name = "Eva" }`
---@field buttons? table[]         one for each button in order: `{ payload = "X" }` for a quick reply,
---  `{ url = "track/118" }` for what is appended to a URL, `false` for a button that takes nothing;
---  `index` (from 0) sets the position
---@field otp? string              the code of an authentication template: goes into body and URL button
---@field components? table[]      the raw form instead of header, body, buttons and otp

--- A template: the only type that may be sent outside the 24-hour window.
---
---    waba.template { name = "order_ready", language = "de", header = { image = { link = "https://…" } },
---      body = { "Eva", waba.currency { code = "EUR", amount_1000 = 49900, fallback_value = "49,90 EUR" } },
---      buttons = { { payload = "PICKUP_118" }, { url = "track/118" } } }
---@param content waba.TemplateContent
---@return waba.Message
function message.template(content)
  if not is_table(content) then return { type = "template", template = content } end
  local template = {}
  local raw = content.components ~= nil
  for key, value in pairs(content) do
    if raw or not short_names[key] then template[key] = value end
  end
  template.language = language_table(content.language)
  if not raw then
    template.components = template_components(content)
  elseif is_empty(content.components) then
    template.components = nil
  end
  return { type = "template", template = template }
end

-- The hsm form of a parameter: the fallback stands beside the value, and the names differ.
local function localizable(value)
  if not is_table(value) then return { default = wire_string(value) } end
  local kind = value.type
  local content = kind and value[kind]
  if kind == "text" then return { default = wire_string(content) } end
  if not is_table(content) or (kind ~= "currency" and kind ~= "date_time") then return copy(value) end
  content = copy(content)
  local default = content.fallback_value
  content.fallback_value = nil
  if kind == "currency" then
    content.currency_code, content.code = content.code, nil
    return { default = default, currency = content }
  end
  if content.timestamp ~= nil then return { default = default, date_time = { unix_epoch = content } } end
  if next(content) == nil then return { default = default } end
  return { default = default, date_time = { component = content } }
end

--- A template in the form that was current before 2022; new programs use `template`.
---@param content { namespace: string, element_name: string, language: string|table, params: any[]?, localizable_params: table[]? }
---  `params` as the `body` of `template`; or the raw `localizable_params`
---@return waba.Message
function message.hsm(content)
  content = copy(content)
  if not is_table(content) then return { type = "hsm", hsm = content } end
  content.language = language_table(content.language)
  if is_table(content.params) and content.localizable_params == nil then
    local list = {}
    for i = 1, positions(content.params) do list[i] = localizable(content.params[i]) end
    content.localizable_params, content.params = list, nil
  end
  return { type = "hsm", hsm = content }
end

-- Interactive messages ---------------------------------------------------------------------------

local function text_part(value)
  if value == nil or is_table(value) then return copy(value) end
  return { text = value }
end

local function header_part(header)
  if header == nil then return nil end
  local kind, content = header_content(header)
  if not kind then return copy(header) end
  return { type = kind, [kind] = content }
end

-- The common frame. What `action_names` lists goes into the action; every other field stays in the
-- frame, known or not.
local function interactive(kind, content, action_names)
  if not is_table(content) then return { type = "interactive", interactive = content } end
  local frame, action = {}, {}
  for key, value in pairs(content) do
    if action_names[key] then action[key] = value else frame[key] = value end
  end
  frame.type = kind
  frame.header, frame.body, frame.footer = header_part(frame.header), text_part(frame.body), text_part(frame.footer)
  frame.action = action
  return { type = "interactive", interactive = frame }, action
end

local function reply_button(button)
  if is_table(button) and button.reply ~= nil then return copy(button) end
  return { type = "reply", reply = with_strings(button, "id") }
end

---@class waba.InteractiveContent
---@field body string       1 to 1024 characters
---@field header? string|table  text of at most 60 characters, or `{ image = {…} }`, `waba.image {…}`, …
---@field footer? string    at most 60 characters

--- One to three buttons that answer.
---@param content waba.InteractiveContent|{ buttons: { id: string, title: string }[] }  id: at most 256
---  characters, comes back in the reply; title: at most 20; both unique
---@return waba.Message
function message.buttons(content)
  local result, action = interactive("button", content, { buttons = true })
  if action then action.buttons = each(action.buttons, reply_button) end
  return result
end

local function list_section(section)
  section = copy(section)
  if is_table(section) then
    section.rows = each(section.rows, function(row) return with_strings(row, "id") end)
  end
  return section
end

--- A list that opens by a button. The header is text only.
---@param content waba.InteractiveContent|{ button: string, sections: { title: string?, rows: { id: string, title: string, description: string? }[] }[] }
---  button: at most 20 characters; at most 10 rows in all; titles at most 24, a section's is needed
---  when there are several; description at most 72
---@return waba.Message
function message.list(content)
  local result, action = interactive("list", content, { button = true, sections = true })
  if action then action.sections = each(action.sections, list_section) end
  return result
end

--- One product of a catalogue. It has no header; body and footer are optional.
---@param content { catalog_id: string, product_retailer_id: string, body: string?, footer: string? }
---@return waba.Message
function message.product(content)
  local result, action = interactive("product", content, { catalog_id = true, product_retailer_id = true })
  if action then
    action.catalog_id = wire_string(action.catalog_id)
    action.product_retailer_id = wire_string(action.product_retailer_id)
  end
  return result
end

local function product_item(product)
  if is_table(product) then return with_strings(product, "product_retailer_id") end
  return { product_retailer_id = wire_string(product) }
end

local function product_section(section)
  section = copy(section)
  if is_table(section) and section.products ~= nil and section.product_items == nil then
    section.product_items, section.products = each(section.products, product_item), nil
  end
  return section
end

--- Up to 30 products of a catalogue, in sections. Header (text) and body are required.
---@param content waba.InteractiveContent|{ catalog_id: string, sections: { title: string?, products: string[] }[] }
---@return waba.Message
function message.product_list(content)
  local result, action = interactive("product_list", content, { catalog_id = true, sections = true })
  if action then
    action.catalog_id = wire_string(action.catalog_id)
    action.sections = each(action.sections, product_section)
  end
  return result
end

-- The rest ---------------------------------------------------------------------------------------

--- A reaction to a message; `emoji = ""` takes it back. Cloud hosting only.
---@param content { message_id: string, emoji: string }
---@return waba.Message
function message.reaction(content)
  return { type = "reaction", reaction = copy(content) }
end

--- A message of any type, with its content as the platform writes it.
---@param kind string
---@param content any
---@return waba.Message
function message.message(kind, content)
  local result = { type = kind }
  if type(kind) == "string" and kind ~= "type" then result[kind] = copy(content) end
  return result
end

return message
