-- Draws random sentences of comments and random error messages, for a review of the language by readers who do not know
-- the project. The same seed and sources give the same sample.
--
--   lua5.4 scripts/sample.lua SEED [SENTENCES] [MESSAGES]     (by default 100 and 40)

local SOURCES = "find lua cli emulator src -name '*.lua' -o -name '*.c' -o -name '*.h' | sort"

-- Generated files repeat what other files say.
local GENERATED = { ["lua/waba/face.lua"] = true }

-- What stands before the text of an error message, in Lua and in C.
local ERROR_CALLS = {
  "error%(", "errors%.invalid%(", "errors%.new", "return nil,", "message = ", "luaL_error%(", "luaL_argerror%(",
  "luaL_argcheck%(",
}

local seed = tonumber(arg[1])
if not seed then
  io.stderr:write "usage: lua5.4 scripts/sample.lua SEED [SENTENCES] [MESSAGES]\n"
  os.exit(2)
end

-- The same sequence on every Lua (Park and Miller).
local state = seed % 2147483646 + 1

local function random(limit)
  state = state * 16807 % 2147483647
  return state % limit + 1
end

local function draw(list, count)
  local drawn = {}
  for i = 1, math.min(count, #list) do
    local j = i + random(#list - i + 1) - 1
    list[i], list[j] = list[j], list[i]
    drawn[i] = list[i]
  end
  return drawn
end

-- The text of a comment's line in Lua; nil for code. Annotations count by their description.
local function lua_comment(line)
  local text = line:match "^%s*%-%-%-?%s?(.*)$" or line:match "%s%-%-%s(.*)$"
  if not text then return nil end
  local tag, rest = text:match "^@(%a+)%s+(.*)$"
  if not tag then return text end
  return (rest:gsub("^[^#]-%s%s+", ""):gsub("^%S+%s+%S+$", "")), true
end

local function c_comment(line, is_inside)
  local text = line:match "/%*%s?(.*)$" or (is_inside and line:match "^%s*%*?%s?(.*)$")
  if not text then return nil, false end
  local before = text:match "^(.-)%s*%*/"
  return before or text, false, before == nil
end

-- Adds the sentences of a paragraph: what ends with a full stop and begins with a capital letter, or the whole of it.
local function add_sentences(paragraph, place, into)
  for sentence in (paragraph:gsub("%s+", " ") .. " "):gsub("([%.!?]) (%u)", "%1\n%2"):gmatch "[^\n]+" do
    sentence = sentence:match "^%s*(.-)%s*$"
    local _, blanks = sentence:gsub(" ", "")
    if blanks >= 3 then into[#into + 1] = place .. ": " .. sentence end
  end
end

local function add_messages(line, place, into)
  for _, call in ipairs(ERROR_CALLS) do
    local after = line:match(call .. "(.*)$")
    local text = after and after:match '"([^"]*)"'
    if text and select(2, text:gsub(" ", "")) >= 2 then
      into[#into + 1] = place .. ": " .. text
      return
    end
  end
end

local function read(path, sentences, messages)
  local is_lua, number, paragraph, start, is_inside = path:find "%.lua$" ~= nil, 0, nil, nil, false
  local function finish()
    if paragraph then add_sentences(paragraph, ("%s:%d"):format(path, start), sentences) end
    paragraph = nil
  end
  for line in io.lines(path) do
    number = number + 1
    local text, is_new
    if is_lua then
      text, is_new = lua_comment(line)
    else
      text, is_new, is_inside = c_comment(line, is_inside)
    end
    if text and text:find "^%-%-%-%-" then text = nil end -- a divider
    if not text or is_new or text == "" then finish() end
    if text and text ~= "" then
      paragraph, start = (paragraph and paragraph .. " " or "") .. text, paragraph and start or number
    end
    add_messages(line, ("%s:%d"):format(path, number), messages)
  end
  finish()
end

local sentences, messages = {}, {}
for path in io.popen(SOURCES):lines() do
  if not GENERATED[path] then read(path, sentences, messages) end
end

print(("Sentences of comments (of %d):\n"):format(#sentences))
for i, sentence in ipairs(draw(sentences, tonumber(arg[2]) or 100)) do print(("%d. %s"):format(i, sentence)) end
print(("\nError messages (of %d):\n"):format(#messages))
for i, message in ipairs(draw(messages, tonumber(arg[3]) or 40)) do print(("%d. %s"):format(i, message)) end
