-- Draws random sentences of comments and random error messages, for a review of the language by readers who do not know
-- the project. A seed always selects the same sample of the same sources.
--
--   lua5.4 scripts/sample.lua SEED [SENTENCES] [MESSAGES]     (by default 100 and 40)

local SOURCES = "find annotations lua cli emulator src spec bench scripts examples "
  .. "-name '*.lua' -o -name '*.c' -o -name '*.h' | sort"

-- The folders whose error messages users see.
local PACKAGES = { lua = true, cli = true, emulator = true, src = true }

-- Generated files, which repeat the text of other files.
local GENERATED = { ["annotations/waba.lua"] = true }

-- Patterns of the code before the text of an error message, in Lua and in C.
local ERROR_CALLS = {
  "error%(", "errors%.invalid%(", "errors%.new", "return nil,", "message = ", "luaL_error%(", "luaL_argerror%(",
  "luaL_argcheck%(", ":wrong%(", "[%s%(]invalid%(", "[_%.]error%(", ":fail%(", "malformed%(",
}

local seed = tonumber(arg[1])
if not seed then
  io.stderr:write "usage: lua5.4 scripts/sample.lua SEED [SENTENCES] [MESSAGES]\n"
  os.exit(2)
end

-- A generator (Park and Miller) that returns the same numbers on every version of Lua.
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

-- Returns an annotation with its name and type, or "" if the annotation has no description.
local function described(annotation)
  return (annotation:find "%S%s%s+%S" or annotation:find "#%s*%S") and annotation or ""
end

-- Returns the text of a comment in a line of Lua, or nil if the line has none. An annotation is returned with its name
-- and type. A comment after code is returned with the code. The second result is true for annotations and for comments
-- after code.
local function lua_comment(line)
  local text = line:match "^%s*%-%-%-?%s?(.*)$"
  if not text then
    local code = line:gsub('"[^"]*"', function(literal) return ("x"):rep(#literal) end)
    local at = code:match "%s%-%-%s()"
    return at and line:match "^%s*(.*)$", at ~= nil
  end
  local annotation = text:match "^@%a+%s+(.*)$" or text:match "^@%a+$" or text:match "^|%s*(.*)$"
  if annotation then return described(annotation), true end
  return text, false
end

local function c_comment(line, is_inside)
  local code, text = line:match "^(.-)/%*%s?(.*)$"
  text = text or (is_inside and line:match "^%s*%*?%s?(.*)$")
  if not text then return nil, false end
  local before = text:match "^(.-)%s*%*/"
  text = before or text
  if code and code:find "%S" then text = code:match "^%s*(.*)$" .. "// " .. text end
  return text, code ~= nil, before == nil
end

-- Adds the sentences of a paragraph. A sentence ends with a full stop and begins with a capital letter.
local function add_sentences(paragraph, place, into)
  for sentence in (paragraph:gsub("%s+", " ") .. " "):gsub("([%.!?]) ([%u`])", "%1\n%2"):gmatch "[^\n]+" do
    sentence = sentence:match "^%s*(.-)%s*$"
    local _, blanks = sentence:gsub(" ", "")
    if blanks >= 3 then into[#into + 1] = place .. ": " .. sentence end
  end
end

-- Returns the first text of at least three words in an expression. The expression `"a" .. b .. "c"` is the text
-- "a<…>c".
local function text_of(expression)
  local text, position = nil, 1
  expression = expression:gsub('\\"', "'")
  while true do
    local from, to, literal = expression:find('"([^"]*)"', position)
    local between = expression:sub(position, (from or 0) - 1)
    local is_joined = text and between:find "^[%s%)]*%.%."
    if is_joined and between:find "%.%.%s*[^%s%.]" then text = text .. "<…>" end
    if text and select(2, text:gsub("%S+", "")) >= 3 and (not is_joined or not from) then return text end
    if not from then return nil end
    text, position = is_joined and text .. literal or literal, to + 1
  end
end

-- Returns the lines of a file. A line of Lua that ends within an expression, such as `"a" ..`, is joined with the next
-- lines, so that a message is complete.
local function lines_of(path)
  local lines, is_lua = {}, path:find "%.lua$" ~= nil
  for line in io.lines(path) do lines[#lines + 1] = line end
  for i = #lines - 1, 1, -1 do
    local joins = is_lua and (lines[i]:find "%.%.%s*$" or lines[i + 1]:find '^%s*%.%. "' or lines[i]:find "[%(,{]%s*$")
    if joins and not (lines[i] .. lines[i + 1]):find "%-%-" then
      lines[i], lines[i + 1] = lines[i] .. " " .. lines[i + 1]:match "^%s*(.*)$", ""
    end
  end
  return lines
end

local function add_messages(line, place, into)
  for _, call in ipairs(ERROR_CALLS) do
    local after = line:match(call .. "(.*)$")
    local text = after and text_of(after)
    if text and not text:find "^%^" then -- a text that begins with ^ is a pattern
      into[#into + 1] = place .. ": " .. text
      return
    end
  end
end

-- Returns the indentation of a line of code. The further lines of a comment after code are indented more.
local function indentation_of_code(line)
  return line:find "^%s*[^%s%-]" and #line:match "^%s*" or nil
end

local function read(path, sentences, messages)
  local is_lua, paragraph, start, is_inside, code_at = path:find "%.lua$" ~= nil, nil, nil, false, nil
  local function finish()
    if paragraph then add_sentences(paragraph, ("%s:%d"):format(path, start), sentences) end
    paragraph = nil
  end
  local is_literal, was_item = false, false -- inside a literal of several lines; inside an item of a list
  for number, line in ipairs(lines_of(path)) do
    local text, is_new
    if is_lua and is_literal then
      is_literal = not line:find("]]", 1, true)
    elseif is_lua then
      is_literal = line:find "^[^%-]*%[%[[^%]]*$" ~= nil
      text, is_new = lua_comment(line)
      if code_at and #line:match "^%s*" < code_at + 8 then is_new = true end
      if is_new then code_at = text and indentation_of_code(line) end
    else
      text, is_new, is_inside = c_comment(line, is_inside)
    end
    if text and text:find "%-%-%-%-$" then text = nil end -- a divider
    -- An item of a list, or a row of a table with two columns.
    local is_item = text and (text:find "^%- " or text:find "^%d+%. " or text:find "^%s%s+%S.-%S%s%s+%S")
    if not text or is_new or is_item or text == "" or was_item and text:find "^%S" then finish() end
    was_item = text and (is_item or was_item and text:find "^%s")
    if text and text ~= "" then
      paragraph, start = (paragraph and paragraph .. " " or "") .. text, paragraph and start or number
    end
    if PACKAGES[path:match "^%w+"] then add_messages(line, ("%s:%d"):format(path, number), messages) end
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
