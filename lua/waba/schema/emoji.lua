-- Finds emoji in texts.

local code_points = require "waba.code_points"

local emoji = {}

-- The code points that WhatsApp shows as emoji: Unicode's Emoji_Presentation, U+1F000 to U+1FAFF, the selector of the
-- emoji form (fe0f), and the keycap (20e3).
local is_shown_as_emoji = code_points.set [[
  20e3 231a-231b 23e9-23ec 23f0 23f3 25fd-25fe 2614-2615 2648-2653 267f 2693 26a1 26aa-26ab 26bd-26be 26c4-26c5
  26ce 26d4 26ea 26f2-26f3 26f5 26fa 26fd 2705 270a-270b 2728 274c 274e 2753-2755 2757 2795-2797 27b0 27bf
  2b1b-2b1c 2b50 2b55 fe0f 1f000-1faff
]]

-- The blocks of Unicode that contain emoji.
local is_picture = code_points.set [[
  a9 ae 203c 2049 2122 2139 2194-21ff 2300-23ff 24c2 25a0-27bf 2900-297f 2b00-2bff 3030 303d 3297 3299
  1f000-1faff
]]

local JOINER, SELECTOR, KEYCAP = 0x200D, 0xFE0F, 0x20E3

-- The selector, skin tones and tags modify the emoji before them.
local is_modifier = code_points.set "fe0f 1f3fb-1f3ff e0020-e007f"
local is_letter_of_flag = code_points.set "1f1e6-1f1ff"
local is_key = code_points.set "23 2a 30-39" -- the characters # * 0 to 9

local function points_of(text)
  local points = {}
  for character in text:gmatch(code_points.CHARACTER) do points[#points + 1] = code_points.of(character) end
  return points
end

-- Returns the position after the emoji at the position `at`; nil if there is no emoji.
local function after_picture(points, at)
  local point = points[at]
  if not point then return nil end
  if is_letter_of_flag(point) then
    return points[at + 1] and is_letter_of_flag(points[at + 1]) and at + 2 or nil
  end
  if is_key(point) then
    at = points[at + 1] == SELECTOR and at + 2 or at + 1
    return points[at] == KEYCAP and at + 1 or nil
  end
  if not is_picture(point) then return nil end
  at = at + 1
  while points[at] and is_modifier(points[at]) do at = at + 1 end
  return at
end

--- Returns whether a text contains an emoji. The text must be valid UTF-8.
function emoji.has(text)
  for _, point in ipairs(points_of(text)) do
    if is_shown_as_emoji(point) then return true end
  end
  return false
end

--- Returns whether a text is exactly one emoji. Joined emoji, such as a family, count as one emoji. The text must be
--- valid UTF-8.
function emoji.is_one(text)
  if #text > 120 then return false end
  local points = points_of(text)
  local at = after_picture(points, 1)
  while at and points[at] == JOINER do at = after_picture(points, at + 1) end
  return at ~= nil and at == #points + 1
end

return emoji
