-- Prepares an error text from a gateway for a log. The result is valid UTF-8 of a limited length. Because the gateway
-- can repeat parts of the request, the API key, recipients and contents of messages are replaced by "(hidden)".

local core = require "waba.core"

local redaction = {}

local utf8_length = core.utf8_length

local HIDDEN = "(hidden)"

-- The largest length of a text in bytes; a longer text is cut at the end of a character.
local MOST = 4096

-- The fields of request bodies and paths whose values are hidden, including nested values.
local PERSONAL = {}
for name in ([[to recipient user users number wa_id contacts location body caption text title description filename
  footer payload flow_action_payload address fallback_value coupon_code]]):gmatch "%S+" do PERSONAL[name] = true end

-- Fields inside the PERSONAL fields whose values are not hidden, because these values are terms of the platform, such
-- as "text".
local WORDS = { type = true, preview_url = true }

-- The least length of a hidden value. Shorter values identify no person and occur in many error texts.
local LEAST = 3
-- The gateway can repeat only a part of a value, so the first BEGINNING bytes of a value are searched for.
local BEGINNING = 12

local function add(found, value)
  if #value >= LEAST and not found[value] then
    found[value] = true
    found[#found + 1] = value
  end
end

local function collect(value, is_personal, found)
  local kind = type(value)
  if kind == "table" then
    for name, member in next, value do
      if not WORDS[name] then collect(member, is_personal or PERSONAL[name], found) end
    end
  elseif is_personal and (kind == "string" or kind == "number") then
    value = tostring(value)
    add(found, value)
    -- the gateway can repeat a phone number without its separators
    if value:find "^[%d%s()./+-]+$" then add(found, (value:gsub("%D", ""))) end
  end
end

-- Returns the position in `text` of the last byte that equals the corresponding byte of `value`. The caller has found
-- the first BEGINNING bytes of `value` in `text`, at the position `first`.
local function last_of(text, first, value)
  local length = BEGINNING
  while length < #value and text:byte(first + length) == value:byte(length + 1) do length = length + 1 end
  while (text:byte(first + length) or 0) >= 0x80 and text:byte(first + length) < 0xC0 do
    length = length - 1
  end
  return first + length - 1
end

-- A short value is hidden only where it is a whole word.
local function is_word(text, first, last)
  return not text:find("^%w", last + 1) and not text:sub(first - 1, first - 1):find "%w"
end

local function hide(text, value)
  local beginning, parts, from, done = value:sub(1, BEGINNING), {}, 1, 1
  local first, last = text:find(beginning, from, true)
  while first do
    from = first + 1
    if #value > BEGINNING then last = last_of(text, first, value) end
    if #value > BEGINNING or is_word(text, first, last) then
      parts[#parts + 1] = text:sub(done, first - 1)
      parts[#parts + 1] = HIDDEN
      done, from = last + 1, last + 1
    end
    first, last = text:find(beginning, from, true)
  end
  parts[#parts + 1] = text:sub(done)
  return table.concat(parts)
end

-- Returns the Latin-1 character of a byte that is not valid UTF-8, because older gateways write Latin-1.
local function character(byte)
  if byte < 0xA0 then return "\239\191\189" end -- not a printable character, so U+FFFD replaces it
  return byte < 0xC0 and "\194" .. string.char(byte) or "\195" .. string.char(byte - 0x40)
end

local function as_utf8(text)
  local parts = {}
  local length, position = utf8_length(text)
  while not length do
    parts[#parts + 1] = text:sub(1, position - 1) .. character(text:byte(position))
    text = text:sub(position + 1)
    length, position = utf8_length(text)
  end
  parts[#parts + 1] = text
  return table.concat(parts)
end

--- Returns a function that prepares an error text in a response to `call`.
---@return fun(text: string): string
function redaction.new(credentials, call)
  local found = {}
  if call.to then collect(call.to, true, found) end
  collect(call.parameters, false, found)
  collect(call.json or type(call.body) == "string" and core.decode(call.body) or nil, false, found)
  -- longer values are replaced first, because a longer value can contain a shorter value
  table.sort(found, function(one, other) return #one > #other end)
  return function(text)
    if credentials then text = core.redact(text, credentials) end
    if #text > MOST then text = text:sub(1, MOST):gsub("[\192-\255][\128-\191]*$", "") .. "…" end
    text = as_utf8(text)
    for i = 1, #found do text = hide(text, found[i]) end
    return text
  end
end

return redaction
