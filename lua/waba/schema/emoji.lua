-- Finds emoji in texts.

local emoji = {}

-- Code points that clients show as emoji by default (Unicode's Emoji_Presentation below U+1F000, and everything from
-- U+1F000 to U+1FAFF), the selector of the emoji form, and the keycap.
local emoji_ranges = {
  { 0x20E3, 0x20E3 }, { 0x231A, 0x231B }, { 0x23E9, 0x23EC }, { 0x23F0, 0x23F0 }, { 0x23F3, 0x23F3 },
  { 0x25FD, 0x25FE }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 }, { 0x267F, 0x267F }, { 0x2693, 0x2693 },
  { 0x26A1, 0x26A1 }, { 0x26AA, 0x26AB }, { 0x26BD, 0x26BE }, { 0x26C4, 0x26C5 }, { 0x26CE, 0x26CE },
  { 0x26D4, 0x26D4 }, { 0x26EA, 0x26EA }, { 0x26F2, 0x26F3 }, { 0x26F5, 0x26F5 }, { 0x26FA, 0x26FA },
  { 0x26FD, 0x26FD }, { 0x2705, 0x2705 }, { 0x270A, 0x270B }, { 0x2728, 0x2728 }, { 0x274C, 0x274C },
  { 0x274E, 0x274E }, { 0x2753, 0x2755 }, { 0x2757, 0x2757 }, { 0x2795, 0x2797 }, { 0x27B0, 0x27B0 },
  { 0x27BF, 0x27BF }, { 0x2B1B, 0x2B1C }, { 0x2B50, 0x2B50 }, { 0x2B55, 0x2B55 }, { 0xFE0F, 0xFE0F },
  { 0x1F000, 0x1FAFF },
}

local function is_within(point, ranges)
  for _, range in ipairs(ranges) do
    if point >= range[1] and point <= range[2] then return true end
  end
  return false
end

-- The blocks that contain all emoji of Unicode, whether shown as emoji by default or not.
local picture_ranges = {
  { 0xA9, 0xA9 }, { 0xAE, 0xAE }, { 0x203C, 0x203C }, { 0x2049, 0x2049 }, { 0x2122, 0x2122 }, { 0x2139, 0x2139 },
  { 0x2194, 0x21FF }, { 0x2300, 0x23FF }, { 0x24C2, 0x24C2 }, { 0x25A0, 0x27BF }, { 0x2900, 0x297F },
  { 0x2B00, 0x2BFF }, { 0x3030, 0x3030 }, { 0x303D, 0x303D }, { 0x3297, 0x3297 }, { 0x3299, 0x3299 },
  { 0x1F000, 0x1FAFF },
}

local JOINER, SELECTOR, KEYCAP = 0x200D, 0xFE0F, 0x20E3

-- Code points that modify the emoji before them: the selector, skin tones, tags.
local modifiers = { { SELECTOR, SELECTOR }, { 0x1F3FB, 0x1F3FF }, { 0xE0020, 0xE007F } }
local letters_of_flags = { { 0x1F1E6, 0x1F1FF } }
local keys = { { 0x23, 0x23 }, { 0x2A, 0x2A }, { 0x30, 0x39 } } -- the characters # * 0 to 9

-- Returns the code points of valid UTF-8.
local function points_of(text)
  local points = {}
  for character in text:gmatch("[%z\1-\127\194-\244][\128-\191]*") do
    local lead = character:byte()
    local point = lead
    if lead >= 240 then point = lead - 240 elseif lead >= 224 then point = lead - 224
    elseif lead >= 192 then point = lead - 192 end
    for i = 2, #character do point = point * 64 + character:byte(i) % 64 end
    points[#points + 1] = point
  end
  return points
end

-- Returns the position after the emoji that begins at a position; nil if no emoji begins there.
local function after_picture(points, at)
  local point = points[at]
  if not point then return nil end
  if is_within(point, letters_of_flags) then
    return points[at + 1] and is_within(points[at + 1], letters_of_flags) and at + 2 or nil
  end
  if is_within(point, keys) then
    at = points[at + 1] == SELECTOR and at + 2 or at + 1
    return points[at] == KEYCAP and at + 1 or nil
  end
  if not is_within(point, picture_ranges) then return nil end
  at = at + 1
  while points[at] and is_within(points[at], modifiers) do at = at + 1 end
  return at
end

--- Returns whether a text contains an emoji.
---@param text string  valid UTF-8
---@return boolean
function emoji.has(text)
  for _, point in ipairs(points_of(text)) do
    if is_within(point, emoji_ranges) then return true end
  end
  return false
end

--- Returns whether a text is exactly one emoji. Several emoji that are joined to one count as one.
---@param text string  valid UTF-8
---@return boolean
function emoji.is_one(text)
  if #text > 120 then return false end
  local points = points_of(text)
  local at = after_picture(points, 1)
  while at and points[at] == JOINER do at = after_picture(points, at + 1) end
  return at ~= nil and at == #points + 1
end

return emoji
