-- Parts of random valid messages: files, places, contact cards, parameters, sections.

local random = require "spec.support.random"
local waba = require "waba.message"

local pick, maybe, several = random.pick, random.maybe, random.several
local plain, lively, identifier, link = random.plain, random.lively, random.identifier, random.link

local extensions = { image = ".jpg", video = ".mp4", audio = ".ogg", document = ".pdf", sticker = ".webp" }

-- Returns a file for a message. With `in_header` the file has no caption.
local function media_content(rng, kind, hosting, in_header)
  local content = {}
  if rng(1, 2) == 1 then
    content.link = link(rng, extensions[kind])
  elseif hosting == "cloud" then
    content.id = ("%d%06d"):format(rng(1, 99999999), rng(0, 999999))
  else
    content.id = ("%08d-7a0d-4b2b-8f35-%06d"):format(rng(0, 99999999), rng(0, 999999))
  end
  if not in_header and kind ~= "audio" and kind ~= "sticker" then content.caption = maybe(rng, lively, 1024) end
  if kind == "document" then content.filename = maybe(rng, function() return "Rechnung-118.pdf" end) end
  return content
end

-- Returns the header of an interactive message. On Cloud hosting the file of a header has no caption.
local function header(rng, hosting)
  local kind = pick(rng, { "text", "image", "video", "document" })
  if kind == "text" then return lively(rng, 60) end
  return { [kind] = media_content(rng, kind, hosting, hosting == "cloud") }
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

-- Returns one to ten sections that have at most `most` items together.
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

return {
  extensions = extensions,
  media_content = media_content,
  header = header,
  place = place,
  card = card,
  template_value = template_value,
  template_buttons = template_buttons,
  sections = sections,
  named = named,
}
