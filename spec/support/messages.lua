-- Messages for the specs: one example of each type, random well-formed ones, and ones with a mistake.
-- Written with the builders from the platform's reference, not from the rules in lua/waba/schema, so
-- that a rule that is too strict or too lax shows.

local waba = require "waba.message"

local messages = {}

-- Chance ------------------------------------------------------------------------------------------

--- A generator of random integers that gives the same ones on every interpreter.
---@param seed integer
---@return fun(least: integer, most: integer): integer
function messages.rng(seed)
  local state = seed % 2147483646 + 1
  local function step()
    state = state * 16807 % 2147483647
    return state
  end
  for _ = 1, 5 do step() end -- near seeds part here
  return function(least, most) return least + step() % (most - least + 1) end
end

local function pick(rng, list)
  return list[rng(1, #list)]
end

local function maybe(rng, build, ...)
  if rng(1, 2) == 1 then return build(rng, ...) end
end

local letters = {
  "a", "b", "K", "z", "0", "7", ".", ",", "?", "!", "\195\164", "\195\159", "\206\169", "\208\150", "\217\133",
  "\233\129\184", "\224\164\149", "\226\130\172",
}
local emoji = { "\240\159\145\141", "\226\156\133", "\240\159\135\169\240\159\135\170" }

-- Text of 1 to `most` characters; one time in four, of exactly `most`.
local function words(rng, most, with_emoji)
  local length = rng(1, 4) == 1 and most or rng(1, math.min(most, 40))
  local text = {}
  for i = 1, length do
    local inside = i > 1 and i < length
    if inside and i % 6 == 0 then
      text[i] = " "
    elseif with_emoji and rng(1, 12) == 1 then
      text[i] = emoji[rng(1, 2)]
    else
      text[i] = pick(rng, letters)
    end
  end
  return table.concat(text)
end

local function plain(rng, most)
  return words(rng, most or 60, false)
end

local function lively(rng, most)
  return words(rng, most or 60, true)
end

local function identifier(rng, most)
  local text = {}
  for i = 1, rng(1, 4) == 1 and most or rng(1, math.min(most, 30)) do
    text[i] = pick(rng, { "a", "x", "B", "7", "0", "-", "_", ":" })
  end
  return table.concat(text)
end

-- Several of something that must differ: a counter makes it so.
local function distinct(text, i, most)
  local suffix = tostring(i)
  return text:sub(1, math.min(#text, most - #suffix)) .. suffix
end

local function link(rng, extension)
  return ("https://cdn.example/%s%s"):format(identifier(rng, 40), extension or "")
end

-- Parts -------------------------------------------------------------------------------------------

local extensions = { image = ".jpg", video = ".mp4", audio = ".ogg", document = ".pdf", sticker = ".webp" }

local function media_content(rng, kind, in_template)
  local content = {}
  if rng(1, 2) == 1 then
    content.link = link(rng, extensions[kind])
  else
    content.id = ("%08d-7a0d-4b2b-8f35-%06d"):format(rng(0, 99999999), rng(0, 999999))
  end
  if not in_template and kind ~= "audio" and kind ~= "sticker" then content.caption = maybe(rng, lively, 1024) end
  if kind == "document" then content.filename = maybe(rng, function() return "Rechnung-118.pdf" end) end
  return content
end

local function header(rng)
  local kind = pick(rng, { "text", "image", "video", "document" })
  if kind == "text" then return lively(rng, 60) end
  return { [kind] = media_content(rng, kind) }
end

local function place(rng)
  local content = { latitude = rng(-9000, 9000) / 100, longitude = rng(-18000, 18000) / 100 }
  if rng(1, 8) == 1 then content.latitude, content.longitude = 0, 0 end
  if rng(1, 2) == 1 then
    content.name = lively(rng, 1000)
    content.address = maybe(rng, lively, 200)
  end
  return content
end

local kinds_of_address = { "HOME", "WORK" }

local function several(rng, most, build)
  local list = {}
  for i = 1, rng(1, most) do list[i] = build(rng, i) end
  return list
end

local function card(rng)
  local first, last = lively(rng, 30), lively(rng, 30)
  local content = { name = { formatted_name = first .. " " .. last } }
  content.name[pick(rng, { "first_name", "middle_name" })] = first
  content.name.last_name = maybe(rng, function() return last end)
  content.name.prefix = maybe(rng, function() return "Dr." end)
  content.phones = maybe(rng, several, 3, function()
    local digits = ("49151%07d"):format(rng(0, 9999999))
    return {
      phone = "+" .. digits, wa_id = rng(1, 2) == 1 and digits or nil,
      type = rng(1, 2) == 1 and pick(rng, { "CELL", "MAIN", "IPHONE", "HOME", "WORK" }) or nil,
    }
  end)
  content.emails = maybe(rng, several, 2, function()
    return { email = "eva@kern.example", type = pick(rng, kinds_of_address) }
  end)
  content.addresses = maybe(rng, several, 2, function()
    return {
      street = lively(rng, 40), city = "Berlin", zip = "10115", country = "Germany", country_code = "de",
      type = pick(rng, kinds_of_address),
    }
  end)
  content.urls = maybe(rng, several, 2, function() return { url = link(rng), type = "WORK" } end)
  content.org = maybe(rng, function()
    return { company = lively(rng, 40), department = "Optik", title = "Inhaberin" }
  end)
  content.birthday = maybe(rng, function()
    return ("%04d-%02d-%02d"):format(rng(1930, 2010), rng(1, 12), rng(1, 28))
  end)
  return content
end

local function template_value(rng, most)
  local kind = rng(1, 4)
  if kind == 1 then
    local amount = rng(0, 9999999)
    return waba.currency {
      code = pick(rng, { "EUR", "USD", "INR" }), amount_1000 = amount,
      fallback_value = ("%.2f"):format(amount / 1000),
    }
  elseif kind == 2 then
    return waba.date_time {
      fallback_value = "2. April 2024", year = 2024, month = rng(1, 12), day_of_month = rng(1, 28),
      hour = maybe(rng, function() return rng(0, 23) end), day_of_week = maybe(rng, function() return rng(1, 7) end),
    }
  elseif kind == 3 then
    return rng(0, 100000)
  end
  return lively(rng, most)
end

local function template_buttons(rng)
  local buttons = {}
  for i = 1, rng(1, 3) do
    local kind = rng(1, 3)
    if kind == 1 then
      buttons[i] = { payload = identifier(rng, 128) }
    elseif kind == 2 then
      buttons[i] = { url = "track/" .. identifier(rng, 40) }
    else
      buttons[i] = false
    end
  end
  return buttons
end

-- Sections of one to ten, with `most` items in all.
local function sections(rng, most, build)
  local result, left, position = {}, most, 0
  local count = rng(1, 4) == 1 and math.min(10, most) or rng(1, 3)
  for i = 1, count do
    local items = {}
    local still_to_come = count - i
    for j = 1, rng(1, left - still_to_come) do
      position = position + 1
      items[j] = build(rng, position)
    end
    left = left - #items
    result[i] = { title = count > 1 and plain(rng, 24) or maybe(rng, plain, 24), [1] = items }
  end
  return result
end

local function named(list, name)
  for _, section in ipairs(list) do section[name], section[1] = section[1], nil end
  return list
end

-- The types ---------------------------------------------------------------------------------------

local builders = {
  text = function(rng)
    if rng(1, 3) == 1 then
      return waba.text { body = lively(rng, 200) .. " https://shop.example/t/4711", preview_url = true }
    end
    return waba.text(lively(rng, 4096))
  end,

  location = function(rng) return waba.location(place(rng)) end,

  contacts = function(rng) return waba.contacts(several(rng, 3, card)) end,

  template = function(rng)
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
      content.header = kind == "text" and lively(rng, 60) or { [kind] = media_content(rng, kind, true) }
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

  buttons = function(rng)
    return waba.buttons {
      header = maybe(rng, header), body = lively(rng, 1024), footer = maybe(rng, lively, 60),
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
  builders[kind] = function(rng) return waba[kind](media_content(rng, kind)) end
end

--- The names of everything `random` can build, sorted.
messages.kinds = {}
for kind in pairs(builders) do messages.kinds[#messages.kinds + 1] = kind end
table.sort(messages.kinds)

--- A well-formed message. Deterministic: the same generator gives the same messages.
---@param rng fun(least: integer, most: integer): integer
---@param kind? string  one of `messages.kinds`; any by default
---@return waba.Message message
---@return string kind
function messages.random(rng, kind)
  kind = kind or pick(rng, messages.kinds)
  return builders[kind](rng), kind
end

--- One example of every type and of every kind of interactive message.
---@return { name: string, message: waba.Message }[]
function messages.examples()
  return {
    { name = "text", message = waba.text "Hallo Welt \240\159\145\139" },
    {
      name = "text with preview",
      message = waba.text { body = "Ihr Ticket: https://shop.example/t/4711", preview_url = true },
    },
    { name = "image", message = waba.image { link = "https://cdn.example/i/blue.jpg", caption = "Modell Blau" } },
    { name = "image by id", message = waba.image { id = "5b0e1c1e-1f0a-4a52-9a61-2d1f7a1c9a10" } },
    { name = "video", message = waba.video { link = "https://cdn.example/v/build.mp4", caption = "Montage in 30 s" } },
    { name = "audio", message = waba.audio { link = "https://cdn.example/a/hello.ogg" } },
    {
      name = "document",
      message = waba.document {
        link = "https://cdn.example/r/2024-118.pdf", filename = "Rechnung-118.pdf", caption = "Ihre Rechnung",
      },
    },
    { name = "sticker", message = waba.sticker { link = "https://cdn.example/s/wave.webp" } },
    {
      name = "location",
      message = waba.location {
        latitude = 52.5163, longitude = 13.3777, name = "Filiale Mitte", address = "Pariser Platz 1, Berlin",
      },
    },
    {
      name = "contacts",
      message = waba.contacts { {
        name = { formatted_name = "Dr. Eva Kern", first_name = "Eva", last_name = "Kern", prefix = "Dr." },
        org = { company = "Kern Optik", title = "Inhaberin" },
        phones = { { phone = "+49 30 555 0199", type = "WORK", wa_id = "49305550199" } },
        emails = { { email = "eva@kern.example", type = "WORK" } },
        addresses = { {
          street = "Ring 5", city = "Berlin", zip = "10115", country = "Germany", country_code = "de", type = "WORK",
        } },
        ims = { { service = "IRC", user_id = "eva" } },
        urls = { { url = "https://kern.example", type = "WORK" } },
        birthday = "1980-04-02",
      } },
    },
    {
      name = "template",
      message = waba.template {
        name = "order_ready_v2", language = "de", namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90",
        header = { document = { link = "https://cdn.example/r/118.pdf", filename = "118.pdf" } },
        body = {
          "Eva",
          waba.currency { fallback_value = "49,90 EUR", code = "EUR", amount_1000 = 49900 },
          waba.date_time { fallback_value = "2. April 2024", year = 2024, month = 4, day_of_month = 2 },
        },
        buttons = { { payload = "PICKUP_118" }, { url = "track/118" } },
      },
    },
    { name = "template without parameters", message = waba.template { name = "welcome", language = "en_US" } },
    {
      name = "authentication template",
      message = waba.template { name = "login_code", language = "en", otp = "845210" },
    },
    {
      name = "template in the raw form",
      message = waba.template {
        name = "order_ready_v2", language = { policy = "deterministic", code = "de" },
        components = { { type = "body", parameters = { { type = "text", text = "Eva" } } } },
      },
    },
    {
      name = "hsm",
      message = waba.hsm {
        namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", element_name = "order_ready", language = "de",
        params = { "Eva", waba.currency { fallback_value = "49,90 EUR", code = "EUR", amount_1000 = 49900 } },
      },
    },
    {
      name = "buttons",
      message = waba.buttons {
        header = waba.image { link = "https://cdn.example/i/blue.jpg" }, body = "Bestellung best\195\164tigen?",
        buttons = { { id = "ok-118", title = "Ja" }, { id = "no-118", title = "Nein" } },
      },
    },
    {
      name = "list",
      message = waba.list {
        header = "Termin", body = "Wann passt es Ihnen?", footer = "Kern Optik", button = "Ausw\195\164hlen",
        sections = {
          { title = "Montag", rows = {
            { id = "mo-09", title = "09:00", description = "Sehtest" }, { id = "mo-11", title = "11:00" },
          } },
          { title = "Dienstag", rows = { { id = "di-10", title = "10:00" } } },
        },
      },
    },
    {
      name = "product",
      message = waba.product { catalog_id = "448811220099", product_retailer_id = "SKU-BLUE-52", body = "Wieder da!" },
    },
    {
      name = "product list",
      message = waba.product_list {
        catalog_id = "448811220099", header = "Neue Brillen", body = "Unsere Auswahl",
        sections = {
          { title = "Metall", products = { "SKU-BLUE-52", "SKU-GOLD-50" } },
          { title = "Holz", products = { "SKU-OAK-51" } },
        },
      },
    },
  }
end

-- Mistakes ----------------------------------------------------------------------------------------

local function deep_copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, field in pairs(value) do result[key] = deep_copy(field) end
  return result
end

--- A copy that shares nothing with the original.
messages.copy = deep_copy

-- Every field below a value: { holder, key, value, path }, in a set order.
local function fields(value, path, found)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local step = type(key) == "number" and ("[%d]"):format(key) or (path == "" and "" or ".") .. key
    local field = { holder = value, key = key, value = value[key], path = path .. step }
    found[#found + 1] = field
    if type(field.value) == "table" then fields(field.value, field.path, found) end
  end
  return found
end

local function is_list(value)
  return type(value) == "table" and value[1] ~= nil
end

-- What no message can do without, wherever it stands.
local always_needed = {}
for name in ([[action amount_1000 button buttons catalog_id code components currency_code default element_name
  fallback_value formatted_name latitude longitude localizable_params payload product_items product_retailer_id
  reply rows sections sub_type unix_epoch]]):gmatch("%S+") do
  always_needed[name] = true
end
always_needed.components = nil -- a template without variables has none

local function is_string_in(names)
  return function(field) return type(field.value) == "string" and names[field.key] end
end

local limited = { body = true, text = true, caption = true, title = true, description = true, button = true }

local mutations = {
  {
    name = "an unknown field",
    fits = function(field) return type(field.value) == "table" and not is_list(field.value) end,
    change = function(field) field.value.colour = "blue" end,
  },
  {
    name = "a value of the wrong type",
    fits = function(field) return field.key ~= "type" end,
    change = function(field)
      if type(field.value) == "boolean" then
        field.holder[field.key] = "yes"
      else
        field.holder[field.key] = false
      end
    end,
  },
  {
    name = "a missing field",
    fits = function(field) return always_needed[field.key] end,
    change = function(field) field.holder[field.key] = nil end,
  },
  {
    name = "a text that is too long",
    fits = function(field)
      return is_string_in(limited)(field) and not field.path:find("contacts") -- an org's title has no limit
        and not field.path:find("template.components%[%d+%]%.parameters%[%d+%]%.text$")
    end,
    change = function(field) field.holder[field.key] = ("\195\164"):rep(4097) end,
  },
  {
    name = "a line break in a template's parameter",
    fits = function(field) return field.path:find("template.*parameters%[%d+%]%.text$") end,
    change = function(field) field.holder[field.key] = "a\nb" end,
  },
  {
    name = "an empty text",
    fits = is_string_in { body = true, formatted_name = true, id = true, name = true },
    change = function(field) field.holder[field.key] = "" end,
    skip = function(field) return field.path == "location.name" or field.path:find("filename") end,
  },
  {
    name = "an empty list",
    fits = function(field) return is_list(field.value) end,
    change = function(field) field.holder[field.key] = {} end,
  },
  {
    name = "too many elements",
    fits = function(field) return field.key == "buttons" or field.key == "rows" or field.key == "sections" end,
    change = function(field)
      for i = #field.value + 1, 11 do
        field.value[i] = deep_copy(field.value[1])
        field.value[i].id = "more-" .. i
      end
    end,
  },
  {
    name = "both id and link",
    fits = function(field) return field.key == "link" or field.key == "id" and field.holder.title == nil end,
    change = function(field) field.holder.id, field.holder.link = "17", "https://cdn.example/x" end,
  },
  {
    name = "a link of another scheme",
    fits = function(field) return field.key == "link" end,
    change = function(field) field.holder.link = "ftp://cdn.example/x" end,
  },
  {
    name = "a type that is not known",
    fits = function(field) return field.key == "type" and field.holder[field.value] ~= nil end,
    change = function(field) field.holder.type = "hologram" end,
  },
  {
    name = "a repeated id",
    fits = function(field) return (field.key == "buttons" or field.key == "rows") and #field.value > 1 end,
    change = function(field)
      local first, second = field.value[1], field.value[2]
      if first.reply then second.reply.id = first.reply.id else second.id = first.id end
    end,
  },
}

--- A copy of a well-formed message with one mistake in it, which the platform would refuse.
---@param rng fun(least: integer, most: integer): integer
---@param message waba.Message
---@return waba.Message wrong
---@return string mistake  "a missing field: interactive.action"
function messages.mutate(rng, message)
  while true do
    local wrong = deep_copy(message)
    local mutation = pick(rng, mutations)
    local candidates = {}
    for _, field in ipairs(fields(wrong, "", {})) do
      if mutation.fits(field) and not (mutation.skip and mutation.skip(field)) then
        candidates[#candidates + 1] = field
      end
    end
    if #candidates > 0 then
      local field = pick(rng, candidates)
      mutation.change(field)
      return wrong, mutation.name .. ": " .. field.path
    end
  end
end

return messages
