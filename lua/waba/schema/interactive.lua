-- The rules of interactive messages that are equal on both hostings (cloud.md, section 2.8; on-premise.md, section
-- 2.9).

local shared = require "waba.schema.shared"

local object, required, text = shared.object, shared.required, shared.text

local parts = {}

parts.header_text = object { text = { is = "string", required = true, characters = { 1, 60 }, format = "no_markup" } }

parts.text_header = shared.only_variant("text", parts.header_text)

function parts.text_part(most) return object { text = required(text(1, most)) } end

-- Returns the rule of an interactive message; `content` has the rules of its parts. If `content` has no rule for the
-- header or the footer, the message must not have this part.
function parts.frame(content)
  local refused = {}
  for _, part in ipairs { "header", "footer" } do
    if not content[part] then refused[part] = "is not allowed: this type of message has no " .. part end
  end
  return object({
    header = content.header, body = content.body, footer = content.footer, action = required(content.action),
  }, { refused = next(refused) and refused or nil })
end

-- The rule of sections, which have lists of rows or products in the field `of`.
function parts.sections(of, most, item, unique)
  return {
    is = "list", required = true, count = { 1, 10 }, when_several = "title",
    total = { of = of, most = most }, unique = unique,
    each = object { title = text(1, 24), [of] = { is = "list", required = true, each = item } },
  }
end

local row = object { id = required(text(1, 200)), title = required(text(1, 24)), description = text(0, 72) }

parts.body, parts.footer = parts.text_part(1024), parts.text_part(60)

-- The rule of a message with reply buttons. `id` is the rule of the id that a reply contains.
function parts.buttons(header, id)
  local reply = object {
    id = required(id),
    title = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup" },
  }
  local action = object { buttons = {
    is = "list", required = true, count = { 1, 3 }, unique = { "reply.id", "reply.title" },
    each = object { type = { required = true, one_of = { "reply" } }, reply = required(reply) },
  } }
  return parts.frame { header = header, body = required(parts.body), footer = parts.footer, action = action }
end

-- The rule of a message with a list. `label` is the rule of the label on the button that opens the list.
function parts.list(body, label)
  return parts.frame {
    header = parts.text_header, body = required(body), footer = parts.footer,
    action = object { button = label, sections = parts.sections("rows", 10, row, { "rows[].id" }) },
  }
end

function parts.product(id)
  return parts.frame {
    body = parts.body, footer = parts.footer,
    action = object { catalog_id = required(shared.some_text), product_retailer_id = id },
  }
end

function parts.product_list(id)
  return parts.frame {
    header = required(parts.text_header), body = required(parts.body), footer = parts.footer,
    action = object {
      catalog_id = required(shared.some_text),
      sections = parts.sections("product_items", 30, object { product_retailer_id = id }),
    },
  }
end

-- Carousels are interactive messages and components of templates.
parts.card_index = { is = "integer", required = true, range = { 0, 9 } }

function parts.cards(each, more)
  return shared.with({
    is = "list", required = true, count = { 2, 10 }, unique = { "card_index" }, each = each,
  }, more or {})
end

return parts
