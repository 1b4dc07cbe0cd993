-- Random valid messages of the types that both hostings have, except hsm. A builder gets a random generator, and the
-- hosting if the message depends on the hosting.

local random = require "spec.support.random"
local waba = require "waba.message"

local pick, maybe, several, distinct = random.pick, random.maybe, random.several, random.distinct
local plain, lively, identifier = random.plain, random.lively, random.identifier
local parts = require "spec.support.messages.parts"

local media_content, header, place, card = parts.media_content, parts.header, parts.place, parts.card
local template_value, template_buttons = parts.template_value, parts.template_buttons
local sections, named, extensions = parts.sections, parts.named, parts.extensions

local builders = {
  text = function(rng)
    if rng(1, 3) == 1 then
      return waba.text { body = lively(rng, 200) .. " https://shop.example/t/4711", preview_url = true }
    end
    return waba.text(lively(rng, 4096))
  end,

  location = function(rng) return waba.location(place(rng)) end,

  contacts = function(rng) return waba.contacts(several(rng, 3, card)) end,

  template = function(rng, hosting)
    local content = {
      name = pick(rng, { "order_ready_v2", "spring_sale", ("a"):rep(512), "x1" }),
      language = pick(rng, { "de", "en_US", { code = "pt_BR" }, { code = "de", policy = "deterministic" } }),
      namespace = maybe(rng, function() return "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90" end),
    }
    if rng(1, 6) == 1 then
      content.otp = ("%06d"):format(rng(0, 999999))
      return waba.template(content)
    end
    if rng(1, 2) == 1 then
      local kind = pick(rng, { "text", "image", "video", "document" })
      content.header = kind == "text" and lively(rng, 60) or { [kind] = media_content(rng, kind, hosting, true) }
    end
    content.body = maybe(rng, several, 5, function() return template_value(rng, 200) end)
    content.buttons = maybe(rng, template_buttons)
    return waba.template(content)
  end,

  hsm = function(rng)
    return waba.hsm {
      namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", element_name = "order_ready", language = "de",
      params = several(rng, 4, function() return template_value(rng, 100) end),
    }
  end,

  buttons = function(rng, hosting)
    return waba.buttons {
      header = maybe(rng, header, hosting), body = lively(rng, 1024), footer = maybe(rng, lively, 60),
      buttons = several(rng, 3, function(_, i)
        return { id = distinct(identifier(rng, 256), i, 256), title = ("%d %s"):format(i, lively(rng, 18)) }
      end),
    }
  end,

  list = function(rng)
    return waba.list {
      header = maybe(rng, lively, 60), body = lively(rng, 1024), footer = maybe(rng, lively, 60),
      button = plain(rng, 20),
      sections = named(sections(rng, 10, function(_, i)
        return {
          id = distinct(identifier(rng, 200), i, 200), title = lively(rng, 24), description = maybe(rng, lively, 72),
        }
      end), "rows"),
    }
  end,

  product = function(rng)
    return waba.product {
      catalog_id = "448811220099", product_retailer_id = identifier(rng, 100),
      body = maybe(rng, lively, 1024), footer = maybe(rng, lively, 60),
    }
  end,

  product_list = function(rng)
    return waba.product_list {
      catalog_id = rng(1, 999999), header = lively(rng, 60), body = lively(rng, 1024), footer = maybe(rng, lively, 60),
      sections = named(sections(rng, 30, function(_, i) return distinct(identifier(rng, 100), i, 100) end), "products"),
    }
  end,
}

for kind in pairs(extensions) do
  builders[kind] = function(rng, hosting) return waba[kind](media_content(rng, kind, hosting)) end
end

return builders
