-- Builders of interactive messages that offer a choice: buttons, lists, products, carousels.

local frame = require "waba.message.frame"
local parts = require "waba.message.parts"

local copy, each, is_table = parts.copy, parts.each, parts.is_table
local with_strings, wire_string, product_section = parts.with_strings, parts.wire_string, parts.product_section
local interactive, text_part, header_part = frame.interactive, frame.text_part, frame.header_part

local message = {}

local function each_of(build)
  return function(list) return each(list, build) end
end

local function button_of(kind)
  return function(button)
    if is_table(button) and button[kind] ~= nil then return copy(button) end
    return { type = kind, [kind] = with_strings(button, "id") }
  end
end

---@class waba.InteractiveContent
---@field body string       1 to 1024 characters
---@field header? string|table  text of at most 60 characters, or `{ image = {…} }`, `waba.image {…}`, …
---@field footer? string    at most 60 characters

--- A message with one to three reply buttons.
---@param content waba.InteractiveContent|{ buttons: { id: string, title: string }[] }  id: at most 256 characters,
---  returned in the reply; title: at most 20 characters; both must be unique
---@return waba.Message
function message.buttons(content)
  return (interactive("button", content, { buttons = each_of(button_of "reply") }))
end

local function list_section(section)
  section = copy(section)
  if is_table(section) then
    section.rows = each(section.rows, function(row) return with_strings(row, "id") end)
  end
  return section
end

--- A message with a button that opens a list. The header must be a text.
---@param content waba.InteractiveContent|{ button: string, sections: { title: string?, rows: { id: string, title: string, description: string? }[] }[] }
---  button: at most 20 characters; all sections together have at most 10 rows; titles have at most 24 characters, and
---  are required if there are several sections; a description has at most 72 characters
---@return waba.Message
function message.list(content)
  return (interactive("list", content, { button = true, sections = each_of(list_section) }))
end

--- A message with one product of a catalogue. The message has no header; body and footer are optional.
---@param content { catalog_id: string, product_retailer_id: string, body: string?, footer: string? }
---@return waba.Message
function message.product(content)
  return (interactive("product", content, { catalog_id = wire_string, product_retailer_id = wire_string }))
end

--- A message with up to 30 products of a catalogue, in sections. The header (a text) and the body are required.
---@param content waba.InteractiveContent|{ catalog_id: string, sections: { title: string?, products: string[] }[] }
---@return waba.Message
function message.product_list(content)
  return (interactive("product_list", content, { catalog_id = wire_string, sections = each_of(product_section) }))
end

--- A message with a link to the complete catalogue. Cloud hosting only.
---@param content { body: string, footer: string?, thumbnail_product_retailer_id: string? }
---  thumbnail_product_retailer_id: the product whose picture is shown; default: the first product of the catalogue
---@return waba.Message
function message.catalog(content)
  local result, parameters = frame.named("catalog_message", "catalog_message", content)
  parameters.thumbnail_product_retailer_id = wire_string(parameters.thumbnail_product_retailer_id)
  return result
end

local function position_of(key)
  return type(key) == "number" and key or 1
end

local function media_card(card, key)
  if not is_table(card) then return card end
  local result = copy(card)
  result.header, result.body = header_part(card.header), text_part(card.body)
  if result.type == nil then result.type = "cta_url" end
  if result.card_index == nil then result.card_index = position_of(key) - 1 end
  if card.action == nil then
    if card.buttons ~= nil then
      result.action, result.buttons = { buttons = each(card.buttons, button_of "quick_reply") }, nil
    else
      result.action = { name = "cta_url", parameters = { display_text = card.display_text, url = card.url } }
      result.display_text, result.url = nil, nil
    end
  end
  return result
end

--- A message with a row of two to ten cards through which the customer can swipe. Each card has an image or a video,
--- and either a link or quick replies. All cards must have the same parts. Cloud hosting only. Outside the 24-hour
--- window, use the option `cards` of `waba.template`.
---
---    waba.carousel { body = "Two rooms fit", cards = {
---      { header = waba.image { link = "https://…/a.jpg" }, body = "Loft", display_text = "Book", url = "https://…/a" },
---      { header = waba.image { link = "https://…/b.jpg" }, body = "Flat", display_text = "Book", url = "https://…/b" },
---    } }
---@param content { body: string, cards: { header: table, body: string?, display_text: string?, url: string?, buttons: { id: string, title: string }[]? }[] }
---  a card's body has at most 160 characters and at most two line breaks; either all cards have a body or none;
---  display_text and title have at most 20 characters
---@return waba.Message
function message.carousel(content)
  return (interactive("carousel", content, { cards = each_of(media_card) }))
end

--- A message with a row of two to ten products of one catalogue through which the customer can swipe. Cloud hosting
--- only.
---@param content { body: string, catalog_id: string, products: string[] }
---@return waba.Message
function message.product_carousel(content)
  local result, action = interactive("carousel", content, { products = true, catalog_id = true })
  if not action then return result end
  local catalog_id = wire_string(action.catalog_id)
  action.catalog_id, action.products, action.cards = nil, nil, each(action.products, function(product, key)
    local product_action = copy(product)
    if not is_table(product) then product_action = { product_retailer_id = product } end
    product_action.product_retailer_id = wire_string(product_action.product_retailer_id)
    if product_action.catalog_id == nil then product_action.catalog_id = catalog_id end
    return { card_index = position_of(key) - 1, type = "product", action = product_action }
  end)
  return result
end

return { builders = message }
