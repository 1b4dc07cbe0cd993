-- The rules of interactive messages, as far as they are equal on both hostings (cloud.md, section 2.8; on-premise.md,
-- section 2.9).

local shared = require "waba.schema.shared"

local object, required, text = shared.object, shared.required, shared.text

local parts = {}

parts.header_text = object { text = { is = "string", required = true, characters = { 1, 60 }, format = "no_markup" } }

parts.text_header = shared.only_variant("text", parts.header_text)

-- The text of a body or footer.
function parts.text_part(most)
  return object { text = required(text(1, most)) }
end

--- An interactive message. A header, body or footer for which `content` has no rule is refused.
function parts.frame(content)
  local refused = {}
  for _, part in ipairs { "header", "footer" } do
    if not content[part] then refused[part] = "is not allowed: this type of message has no " .. part end
  end
  return object({
    header = content.header, body = content.body, footer = content.footer, action = required(content.action),
  }, { refused = next(refused) and refused or nil })
end

-- Sections of rows or products.
function parts.sections(of, most, item, unique)
  return {
    is = "list",
    required = true,
    count = { 1, 10 },
    when_several = "title",
    total = { of = of, most = most },
    unique = unique,
    each = object { title = text(1, 24), [of] = { is = "list", required = true, each = item } },
  }
end

local row = object { id = required(text(1, 200)), title = required(text(1, 24)), description = text(0, 72) }

parts.body, parts.footer = parts.text_part(1024), parts.text_part(60)

-- Creates the rule of a message with reply buttons; `id` is the rule for the id that the reply returns.
function parts.buttons(header, id)
  local reply = object {
    id = required(id),
    title = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup" },
  }
  local action = object { buttons = {
    is = "list",
    required = true,
    count = { 1, 3 },
    unique = { "reply.id", "reply.title" },
    each = object { type = { required = true, one_of = { "reply" } }, reply = required(reply) },
  } }
  return parts.frame { header = header, body = required(parts.body), footer = parts.footer, action = action }
end

-- Creates the rule of a list message; `label` is the rule for the label of its button.
function parts.list(body, label)
  return parts.frame {
    header = parts.text_header, body = required(body), footer = parts.footer,
    action = object { button = label, sections = parts.sections("rows", 10, row, { "rows[].id" }) },
  }
end

-- Creates the rule of a message with one product; `id` is the rule for the id of a product.
function parts.product(id)
  return parts.frame {
    body = parts.body, footer = parts.footer,
    action = object { catalog_id = required(shared.some_text), product_retailer_id = id },
  }
end

-- Creates the rule of a message with products in sections.
function parts.product_list(id)
  return parts.frame {
    header = required(parts.text_header), body = required(parts.body), footer = parts.footer,
    action = object {
      catalog_id = required(shared.some_text),
      sections = parts.sections("product_items", 30, object { product_retailer_id = id }),
    },
  }
end

-- The cards of a carousel, also of one in a template.
parts.card_index = { is = "integer", required = true, range = { 0, 9 } }

function parts.cards(each, more)
  return shared.with({
    is = "list", required = true, count = { 2, 10 }, unique = { "card_index" }, each = each,
  }, more or {})
end

return parts
