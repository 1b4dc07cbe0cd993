-- Checks the rules of style that luacheck does not check. Prints each violation, and exits with 1 if there is one.
--
--   lua5.4 scripts/style.lua
--
-- The rules: a file begins with a comment that states its purpose. A divider is a comment with a name and dashes up to
-- column 100. No line ends with a blank, and Lua files contain no tabs. A line that continues a tag such as ---@param
-- is indented. An `if` with only a `return`, `error` or `break` is written on one line of up to 100 columns. The
-- packages use the terms of the glossary in CONTRIBUTING.md.

local FOLDERS = "annotations lua cli emulator src bench examples scripts spec"
local FILES = "find " .. FOLDERS .. " -name '*.lua' -o -name '*.c' -o -name '*.h' | sort"

-- Generated files.
local EXCLUDED = { ["annotations/waba.lua"] = true }

-- Files that need no comment at the beginning. The `describe` of a spec states its purpose.
local WITHOUT_PURPOSE = { "_spec%.lua$", "^examples/hello/hello%.lua$" }

-- Words that the glossary replaces, in comments, messages and identifiers of the packages, and their replacements.
local TERMS = {
  brake = "circuit breaker", crew = "task group", doubt = "uncertain result", fault = "err, error", faults = "errors",
  mend = "repair", mistake = "error", mistakes = "errors", problem = "err, message",
  problems = "errors", said = "messages, text", told = "reported", tells = "reports", trouble = "error",
}
local PUBLIC_NAME = "clear_faults"
local PACKAGES = { "^lua/", "^cli/", "^emulator/", "^src/" }

local MOST_COLUMNS = 100
local count = 0

local function report(path, number, message)
  count = count + 1
  print(("%s:%d: %s"):format(path, number, message))
end

local function matches_any(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path:find(pattern) then return true end
  end
  return false
end

local function columns_of(line) return select(2, line:gsub("[^\128-\191]", "")) end

local function check_divider(path, number, line)
  if not line:find "^%s*[-/][-*] .*%-%-%-%-" then return end
  local body = line:match "^%s*%-%- (.-) %-+$" or line:match "^/%* (.-) %-+ %*/$"
  if not body or body:find "^%-%-%-%-" or body:find "%.$" or columns_of(line) ~= MOST_COLUMNS then
    report(path, number, "a divider must be a name without a full stop, and dashes up to column 100")
  end
end

-- Reports an `if` of three lines that fits on one line.
local function check_guard(path, number, first, second, third)
  local indent, condition = first:match "^(%s*)(if .+ then)$"
  if not indent or third ~= indent .. "end" or second:find "%-%-" then return end
  local statement = second:match "^%s*(return.*)$" or second:match "^%s*(error%(.*%))$" or second:match "^%s*(break)$"
  if not statement then return end
  local guard = ("%s%s %s end"):format(indent, condition, statement)
  if columns_of(guard) <= MOST_COLUMNS then report(path, number, "the guard fits on one line") end
end

local function check_terms(path, number, line)
  for word in line:gsub(PUBLIC_NAME, ""):lower():gmatch "%a+" do
    local term = TERMS[word]
    if term then report(path, number, ("%s: the glossary has another term: %s"):format(word, term)) end
  end
end

-- Returns whether a line is a tag such as ---@param, or continues one. Reports a continuation with only one blank,
-- because it would become a part of the function's description.
local function check_tag(path, number, line, is_tag)
  if line:find "^%s*%-%-%-@" then return true end
  if is_tag and line:find "^%s*%-%-%- %S" then
    report(path, number, 'a line that continues a tag must begin with "---" and two blanks')
  end
  return is_tag and line:find "^%s*%-%-%-" ~= nil
end

local function check(path)
  local is_lua, lines = path:find "%.lua$" ~= nil, {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  local first = lines[1] and lines[1]:find "^#!" and lines[2] or lines[1] or ""
  if not first:find "^%-%-" and not first:find "^/%*" and not matches_any(path, WITHOUT_PURPOSE) then
    report(path, 1, "a file must begin with a comment that states its purpose")
  end
  local has_terms, is_tag = matches_any(path, PACKAGES), false
  for number, line in ipairs(lines) do
    is_tag = check_tag(path, number, line, is_tag)
    if line:find "[ \t]$" then report(path, number, "a line must not end with a blank") end
    if is_lua and line:find "\t" then report(path, number, "Lua is indented with spaces, not with tabs") end
    check_divider(path, number, line)
    if is_lua and lines[number + 2] then check_guard(path, number, line, lines[number + 1], lines[number + 2]) end
    if has_terms then check_terms(path, number, line) end
  end
end

for path in io.popen(FILES):lines() do
  if not EXCLUDED[path] then check(path) end
end
os.exit(count == 0 and 0 or 1)
