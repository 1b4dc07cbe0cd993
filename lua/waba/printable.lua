-- Makes external text safe for terminals and logs: replaces characters with side effects, and bytes that are not UTF-8.

local core = require "waba.core"

local printable = {}

-- The patterns of UTF-8 characters of more than one byte (RFC 3629). Each pattern matches the characters
-- whose first byte is in one range.
local CHARACTERS = {
  "^[\194-\223][\128-\191]", "^\224[\160-\191][\128-\191]", "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]", "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]", "^\244[\128-\143][\128-\191][\128-\191]",
}

-- Control characters, line separators and marks of writing direction: U+0080 to U+009F; U+061C; U+200E, U+200F, U+2028
-- to U+202E; U+2066 to U+2069.
local OBEYED = { "\194[\128-\159]", "\216\156", "\226\128[\142\143\168-\174]", "\226\129[\166-\169]" }

local function character_at(text, index)
  for _, pattern in ipairs(CHARACTERS) do
    local _, last = text:find(pattern, index)
    if last then return text:sub(index, last) end
  end
end

---@param text string
---@param instead string  replaces each byte that belongs to no UTF-8 character
function printable.utf8(text, instead)
  if core.utf8_length(text) then return text end
  return (text:gsub("[\128-\255]+", function(bytes)
    local parts, index = {}, 1
    while index <= #bytes do
      local character = character_at(bytes, index)
      parts[#parts + 1] = character or instead
      index = index + (character and #character or 1)
    end
    return table.concat(parts)
  end))
end

--- Replaces two kinds of characters outside ASCII: control characters, and characters that set the writing direction.
--- The text must be valid UTF-8.
---@param text string
---@param instead string|fun(character: string): string
function printable.replace(text, instead)
  if not text:find "[\128-\255]" then return text end
  for _, pattern in ipairs(OBEYED) do text = text:gsub(pattern, instead) end
  return text
end

--- Replaces each character that must not reach a terminal by "?". Keeps tabs and line feeds.
function printable.text(text)
  text = printable.utf8(tostring(text), "?"):gsub("[%z\1-\8\11-\31\127]", "?")
  return printable.replace(text, "?")
end

--- Returns the result of `printable.text` as one line, so that external text can't imitate another line of the output.
function printable.line(text)
  return printable.text((tostring(text):gsub("\r?\n", " \226\134\181 "):gsub("\t", " ")))
end

return printable
