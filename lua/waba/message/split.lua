-- Cuts a long text into pieces that fit into messages.

local code_points = require "waba.code_points"
local core = require "waba.core"
local errors = require "waba.errors"
local option = require "waba.option"

local split = {}

--- The options of `waba.split`.
---@options waba.SplitOptions
local OPTIONS = {
  max = { "integer>=1", 4096 },  -- the largest number of characters in a piece; a text message has at most 4096
}

-- Code points, in hexadecimal, that belong to the same visible character as the code point before them (Unicode 14:
-- categories Mn, Mc, Me; modifiers and tags of emoji; joiners; Hangul vowels and final consonants).
local is_extending = code_points.set [[
  300-36f 483-489 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 610-61a 64b-65f 670 6d6-6dc 6df-6e4 6e7-6e8 6ea-6ed 711 730-74a
  7a6-7b0 7eb-7f3 7fd 816-819 81b-823 825-827 829-82d 859-85b 898-89f 8ca-8e1 8e3-903 93a-93c 93e-94f 951-957
  962-963 981-983 9bc 9be-9cd 9d7 9e2-9e3 9fe-a03 a3c-a51 a70-a71 a75 a81-a83 abc abe-acd ae2-ae3 afa-b03 b3c
  b3e-b57 b62-b63 b82 bbe-bcd bd7 c00-c04 c3c c3e-c56 c62-c63 c81-c83 cbc cbe-cd6 ce2-ce3 d00-d03 d3b-d3c d3e-d4d
  d57 d62-d63 d81-d83 dca-ddf df2-df3 e31 e33-e3a e47-e4e eb1 eb3-ebc ec8-ecd f18-f19 f35 f37 f39 f3e-f3f f71-f84
  f86-f87 f8d-fbc fc6 102b-103e 1056-1059 105e-1060 1062-1064 1067-106d 1071-1074 1082-108d 108f 109a-109d
  1160-11ff 135d-135f 1712-1715 1732-1734 1752-1753 1772-1773 17b4-17d3 17dd 180b-180d 180f 1885-1886 18a9
  1920-193b 1a17-1a1b 1a55-1a7f 1ab0-1b04 1b34-1b44 1b6b-1b73 1b80-1b82 1ba1-1bad 1be6-1bf3 1c24-1c37 1cd0-1cd2
  1cd4-1ce8 1ced 1cf4 1cf7-1cf9 1dc0-1dff 200c-200d 20d0-20f0 2cef-2cf1 2d7f 2de0-2dff 302a-302f 3099-309a
  a66f-a672 a674-a67d a69e-a69f a6f0-a6f1 a802 a806 a80b a823-a827 a82c a880-a881 a8b4-a8c5 a8e0-a8f1 a8ff
  a926-a92d a947-a953 a980-a983 a9b3-a9c0 a9e5 aa29-aa36 aa43 aa4c-aa4d aa7b-aa7d aab0 aab2-aab4 aab7-aab8
  aabe-aabf aac1 aaeb-aaef aaf5-aaf6 abe3-abea abec-abed d7b0-d7fb fb1e fe00-fe0f fe20-fe2f ff9e-ff9f 101fd
  102e0 10376-1037a 10a01-10a0f 10a38-10a3f 10ae5-10ae6 10d24-10d27 10eab-10eac 10f46-10f50 10f82-10f85 11000-11002
  11038-11046 11070 11073-11074 1107f-11082 110b0-110ba 110c2 11100-11102 11127-11134 11145-11146 11173
  11180-11182 111b3-111c0 111c9-111cc 111ce-111cf 1122c-11237 1123e 112df-112ea 11300-11303 1133b-1133c
  1133e-1134d 11357 11362-11374 11435-11446 1145e 114b0-114c3 115af-115c0 115dc-115dd 11630-11640 116ab-116b7
  1171d-1172b 1182c-1183a 11930-1193e 11940 11942-11943 119d1-119e0 119e4 11a01-11a0a 11a33-11a39 11a3b-11a3e
  11a47 11a51-11a5b 11a8a-11a99 11c2f-11c3f 11c92-11cb6 11d31-11d45 11d47 11d8a-11d97 11ef3-11ef6 16af0-16af4
  16b30-16b36 16f4f 16f51-16f92 16fe4-16ff1 1bc9d-1bc9e 1cf00-1cf46 1d165-1d169 1d16d-1d172 1d17b-1d182
  1d185-1d18b 1d1aa-1d1ad 1d242-1d244 1da00-1da36 1da3b-1da6c 1da75 1da84 1da9b-1daaf 1e000-1e02a 1e130-1e136
  1e2ae 1e2ec-1e2ef 1e8d0-1e8d6 1e944-1e94a 1f3fb-1f3ff e0020-e01ef
]]

-- Code points, in hexadecimal, that belong to the same visible character as the code point after them (Unicode 14).
local is_prepended = code_points.set [[
  600-605 6dd 70f 890-891 8e2 d4e 110bd 110cd 111c2-111c3 1193f 11941 11a3a 11a84-11a89 11d46
]]

local JOINER, ONE = 0x200D, "^" .. code_points.CHARACTER

-- The kinds of positions at which a text may be cut, the best kind first.
local PARAGRAPH, LINE, SENTENCE, WORD, CHARACTER, INSIDE_URL = 1, 2, 3, 4, 5, 6

local function is_regional(point)
  return point >= 0x1F1E6 and point <= 0x1F1FF
end

local function is_hangul_lead(point)
  return point >= 0x1100 and point <= 0x115F or point >= 0xA960 and point <= 0xA97C
end

-- Returns whether two neighbouring code points belong to one visible character (Unicode Standard Annex 29). `regionals`
-- is the number of consecutive regional indicators up to `before`; two regional indicators form a flag.
local function is_joined(before, point, regionals)
  if before == JOINER or is_extending(point) then return true end
  if is_regional(point) then return regionals % 2 == 1 end
  if is_prepended(before) then return point > 0x20 end
  local is_hangul_syllable = point >= 0xAC00 and point <= 0xD7A3
  return is_hangul_lead(before) and (is_hangul_lead(point) or is_hangul_syllable)
end

-- The characters ! . ? and the ellipsis, the Arabic question mark, the Hindi full stop, and 。！？.
local ends_sentence = code_points.set "21 2e 3f 61f 964 2026 3002 ff01 ff1f"

-- The Chinese and Japanese characters 。！？ end a sentence without a blank after them.
local ends_alone = code_points.set "3002 ff01 ff1f"

-- Quotation marks and brackets, which may be between the end of a sentence and the blank.
local is_closing = code_points.set "22 27 29 5d bb 2019 201d 300d"

local function is_space(character)
  return character:find "^%s" ~= nil
end

-- Returns the kind of the position before a character; nil inside a visible character or between blanks.
local function kind_of(state, character, point)
  local before = state.before
  if before == "\n" and not character:find "^[\r\n]" then return state.is_paragraph and PARAGRAPH or LINE end
  if is_joined(state.point, point, state.regionals) then return nil end
  if state.in_url and not is_space(character) then return INSIDE_URL end
  if is_space(before) then
    if is_space(character) or state.is_blank then return nil end
    return state.is_ended and SENTENCE or WORD
  end
  if is_space(character) then return character == "\n" and LINE or state.is_ended and SENTENCE or WORD end
  return ends_alone(state.point) and not is_closing(point) and SENTENCE or CHARACTER
end

local function advance(state, text, position, character, point)
  if is_space(character) then
    state.in_url = false
  elseif not state.in_url and character:find "^[HhWw]" and not (state.before or ""):find "^%w" then
    state.in_url = text:find("^[Hh][Tt][Tt][Pp][Ss]?://", position) or text:find("^[Ww][Ww][Ww]%.%S", position)
  end
  if character == "\n" then
    state.is_paragraph, state.is_blank = state.is_blank, true
  elseif not is_space(character) then
    state.is_blank = false
  end
  if ends_sentence(point) then
    state.is_ended = true
  elseif not is_space(character) and not is_closing(point) then
    state.is_ended = false
  end
  state.regionals = is_regional(point) and state.regionals + 1 or 0
  state.before, state.point = character, point
end

-- Returns the best position for a cut in the second half of a piece, or else the best position in the whole piece.
local function best_end(ends, lengths, max)
  for kind = PARAGRAPH, WORD do
    if ends[kind] and lengths[kind] * 2 >= max then return ends[kind] end
  end
  for kind = PARAGRAPH, INSIDE_URL do
    if ends[kind] then return ends[kind] end
  end
end

local function end_of_piece(text, position, max)
  local state, ends, lengths, length = { point = 0, regionals = 0, is_blank = true }, {}, {}, 0
  while position <= #text do
    local character = text:match(ONE, position)
    local point = code_points.of(character)
    local kind = length > 0 and kind_of(state, character, point)
    if kind then ends[kind], lengths[kind] = position, length end
    if length == max then return best_end(ends, lengths, max) or position end
    advance(state, text, position, character, point)
    position, length = position + #character, length + 1
  end
  return position
end

--- Cuts a long text into pieces that fit into messages: between paragraphs if possible, else between lines, sentences
--- or words. A visible character, and a URL that fits into one piece, are never cut. The blanks at a cut are removed.
---@param text string
---@param options? waba.SplitOptions
---@return string[]|nil pieces  empty if the text has only blanks
---@return waba.Error? err      kind "invalid": the text is not valid UTF-8
function split.text(text, options)
  if type(text) ~= "string" then error("waba.split: the text must be a string, not a " .. type(text), 2) end
  local max = option.complete(options, OPTIONS, "waba.split").max
  if not core.utf8_length(text) then return nil, errors.invalid("text", "text is not valid UTF-8") end
  local pieces, start = {}, 1
  while start <= #text do
    local stop = end_of_piece(text, start, max)
    local piece = text:sub(start, stop - 1):gsub("^%s*\n", ""):gsub("%s+$", "")
    if piece ~= "" then pieces[#pieces + 1] = piece end
    -- a piece that begins with a complete line keeps the indentation of the line
    start = text:find("^\n", stop - 1) and stop or text:match("^[^%S\n]*()", stop)
  end
  return pieces
end

return split
