-- Reads the LuaCATS annotations of the sources: classes with their fields, aliases, functions with parameters and
-- results. Scripts generate the reference from these annotations, and specs compare the annotations with the library.
--
-- Some classes are generated from a table of options. The line above the table is `---@options waba.WorkOptions`,
-- followed by `: <parent>` if `options.with` makes the table. Each row is a field of the class. The comment after the
-- row and the comments below the row are the text of the field; the text begins with "required" if the option is
-- required.

local annotations = {}

---@class annotations.Function
---@field name string       the name with which users call the function: "Client:send", "waba.text"
---@field owner string      the table that contains the function: "Client"
---@field own string        the name of the function in its table: "send"
---@field is_method boolean
---@field parameters string[]  the names of the parameters in the code
---@field doc annotations.Doc|nil  nil: the function has no annotations
---@field file string
---@field line integer

---@class annotations.Doc
---@field raw string[]      the lines of the block, unchanged
---@field text string[]     the lines of the description
---@field params { name: string, optional: boolean, type: string, text: string }[]
---@field returns { name: string|nil, type: string, text: string }[]
---@field class string|nil  the class that the block declares
---@field parents string[]  the parents of a class
---@field is_options boolean|nil  whether the class is generated from a table of options
---@field fields { name: string, optional: boolean, type: string, text: string }[]
---@field alias string|nil  the alias that the block declares
---@field alias_type string|nil
---@field choices { value: string, text: string }[]

-- Returns the type at the beginning of a text, and the rest. A type can contain blanks: inside brackets, after a comma
-- or a colon, and around a bar.
local function take_type(text)
  local depth, i = 0, 1
  while i <= #text do
    local char = text:sub(i, i)
    if char == '"' then
      i = text:find('"', i + 1, true) or #text
    elseif char:find "[%(%[{<]" then
      depth = depth + 1
    elseif char:find "[%)%]}>]" then
      depth = depth - 1
    elseif char == " " and depth == 0 then
      local before, after = text:sub(1, i - 1):match "%S$", text:sub(i):match "^%s*(%S)"
      if not (before == ":" or before == "," or before == "|" or after == "|") then break end
    end
    i = i + 1
  end
  return text:sub(1, i - 1), (text:sub(i):gsub("^%s+", ""):gsub("^# ?", ""))
end

local function named(text)
  local name, optional, rest = text:match "^([%w_%.]+)(%??)%s+(.*)$"
  if not name then name, rest = text:match "^(%[.-%])%s+(.*)$" end
  if not name then return nil end
  local kind, description = take_type(rest)
  return { name = name, optional = optional == "?", type = kind, text = description }
end

local tags = {}

function tags.param(doc, text)
  local entry = named(text)
  doc.params[#doc.params + 1] = entry
  return entry
end

function tags.field(doc, text)
  local entry = named((text:gsub("^public ", ""):gsub("^private ", "")))
  doc.fields[#doc.fields + 1] = entry
  return entry
end

tags["return"] = function(doc, text)
  local kind, description = take_type(text)
  local name, rest = description:match "^([%a_][%w_]*)%s%s+(.*)$"
  if not name and description:find "^[%a_][%w_]*$" then name, rest = description, "" end
  doc.returns[#doc.returns + 1] = { name = name, type = kind, text = rest or description }
  return doc.returns[#doc.returns]
end

function tags.class(doc, text)
  local parents
  doc.class, parents = text:match "^([%w_%.]+)%s*:?%s*(.*)$"
  for parent in parents:gmatch "[%a_][%w_%.]*" do doc.parents[#doc.parents + 1] = parent end
end

function tags.options(doc, text)
  tags.class(doc, text)
  doc.is_options = true
end

function tags.alias(doc, text)
  local rest
  doc.alias, rest = text:match "^([%w_%.]+)%s*(.*)$"
  doc.alias_type = rest ~= "" and rest or nil
end

local function new_doc()
  return { raw = {}, text = {}, params = {}, returns = {}, fields = {}, choices = {}, parents = {} }
end

-- Reads one line of a block of annotations. An indented line continues the text of the tag above.
local function read_line(doc, line, last)
  local tag, rest = line:match "^%-%-%-@(%a+)%s*(.*)$"
  if tag then return tags[tag] and tags[tag](doc, rest) end
  local value, about = line:match "^%-%-%-|%s*(%S+)%s*#?%s*(.*)$"
  if value then
    doc.choices[#doc.choices + 1] = { value = value, text = about }
    return nil
  end
  local indent, text = line:match "^%-%-%-( ?%s*)(.-)%s*$"
  if last and #indent > 1 then
    last.text = last.text .. (last.text ~= "" and " " or "") .. text
    return last
  end
  doc.text[#doc.text + 1] = (indent:gsub("^ ", "")) .. text
end

local function names_in(list)
  local names = {}
  for name in list:gmatch "[%w_%.]+" do names[#names + 1] = name end
  return names
end

-- Reads the first line of a function in one of the forms "function Owner:name(a, b)", "function Owner.name(a, b)" and
-- "Owner.name = function(a)".
local function read_function(line)
  local owner, separator, name, list = line:match "^function ([%w_]+)([%.:])([%w_]+)%((.-)%)"
  if not owner then
    owner, name, list = line:match "^([%w_]+)%.([%w_]+) = function%((.-)%)"
    separator = "."
  end
  if owner then return { owner = owner, own = name, is_method = separator == ":", parameters = names_in(list) } end
  -- "Owner.name = make(…)": the parameters are only in the annotation
  owner, name = line:match "^([%w_]+)%.([%w_]+) = "
  if owner then return { owner = owner, own = name, is_method = false } end
end

-- Returns the type and the default of an option. A row has the form '"number"' or '{ "number>0", 30 }', or names a
-- constant. The bound ">0" is removed, because LuaCATS has no bounds.
local function read_value(value, constants)
  value = constants[value] or value
  local _, kind, default = value:match "^{ ([\"'])(.-)%1, (.*) }$"
  kind = kind or value:match "^[\"'](.*)[\"']$" or error("not a row of options: " .. value)
  return kind:gsub("(%a)>=?[%d.]+", "%1"), default
end

-- Reads one line of a table of options. Returns the field that comments in the next lines describe.
local function read_row(doc, line, last, constants)
  local name, value, text = line:match "^  ([%a_][%w_]*) = (.-),%s*%-%- (.*)$"
  if not name then name, value = line:match "^  ([%a_][%w_]*) = (.*),$" end
  if name then
    local kind, default = read_value(value, constants)
    doc.fields[#doc.fields + 1] = { name = name, type = kind, default = default, text = text or "" }
    return doc.fields[#doc.fields]
  end
  local more = line:match "^ +%-%- (.*)$" or error("not a row of options: " .. line)
  last.text = last.text .. (last.text ~= "" and " " or "") .. more
  return last
end

local function finish_rows(doc)
  for _, field in ipairs(doc.fields) do
    field.optional = not field.text:find "^required"
    if field.default then
      field.text = field.text .. (field.text ~= "" and "; " or "") .. "default: " .. field.default
    end
  end
end

-- Adds the options of the emulator, which are declared as a list of rows: { name, type, default, text }.
local function read_list(doc, rows)
  for _, row in ipairs(rows) do
    local default = type(row[3]) ~= "table" and row[3] ~= nil and "; default: " .. tostring(row[3]) or ""
    doc.fields[#doc.fields + 1] = { name = row[1], type = row[2], text = row[4] .. default, optional = true }
  end
end

-- Reads the line below a block of annotations.
local function finish(found, doc, line, number)
  if doc.class then
    local variable = not doc.is_options and line:match "^local ([%w_]+) = " or nil
    if found.is_generated and not variable then return end -- the class was already read from its table of options
    found.classes[#found.classes + 1] = { name = doc.class, doc = doc, variable = variable, line = number,
      file = found.path }
    if variable then found.variables[variable] = doc.class end
    return
  end
  if doc.alias then found.aliases[#found.aliases + 1] = { name = doc.alias, doc = doc, file = found.path } end
end

--- Returns the annotations of one file.
---@return table found  { path, classes, aliases, functions, variables, source }
function annotations.read(path)
  local found = { path = path, classes = {}, aliases = {}, functions = {}, variables = {} }
  found.is_generated = path:find "annotations/waba%.lua$" ~= nil
  local doc, last, rows, number, source, constants = nil, nil, nil, 0, {}, {}
  for line in io.lines(path) do
    number = number + 1
    source[number] = line
    if rows then
      if line:find "^}%)*$" then
        finish_rows(rows)
        rows, last = nil, nil
      else
        last = read_row(rows, line, last, constants)
      end
    elseif line:find "^%-%-%-[^%-]" or line == "---" then
      if doc and line:find "^%-%-%-@class" and doc.class then
        finish(found, doc, "", number)
        doc = nil
      end
      doc = doc or new_doc()
      doc.raw[#doc.raw + 1] = line
      last = read_line(doc, line, last)
    else
      local fn = read_function(line)
      if fn and not fn.parameters then
        fn.is_value = true
        fn.parameters = {}
        for i, param in ipairs(doc and doc.params or {}) do fn.parameters[i] = param.name end
        if not doc or #doc.params + #doc.returns == 0 then fn = nil end
      end
      if fn then
        fn.doc, fn.file, fn.line = doc, path, number
        fn.name = fn.owner .. (fn.is_method and ":" or ".") .. fn.own
        found.functions[#found.functions + 1] = fn
      end
      local name, value = line:match '^local ([%u_]+) = (".*")$'
      if name then constants[name] = value end
      if doc then finish(found, doc, line, number) end
      rows = doc and doc.is_options and doc or nil
      local list = rows and line:match "^options%.([%w_]+) = {"
      if list then
        read_list(rows, require "waba.emulator.options"[list])
        rows = nil
      end
      doc, last = nil, nil
    end
  end
  found.source = table.concat(source, "\n")
  return found
end

--- The folder of the checkout, with a slash at the end; "" for the current folder.
annotations.root = ""

-- The folders of the three packages, and the folder with the annotations of the C modules and of `require "waba"`.
local FOLDERS = { "lua", "cli", "emulator", "annotations" }

--- Returns the path of a source in its package.
---@param file string   such as "waba/client/init.lua"
---@return string|nil path
function annotations.find(file)
  for _, folder in ipairs(FOLDERS) do
    local path = annotations.root .. folder .. "/" .. file
    local handle = io.open(path)
    if handle then
      handle:close()
      return path
    end
  end
end

--- Reads every source of the three packages, and the files of the folder annotations.
function annotations.scan()
  local files = {}
  local pipe = assert(io.popen(("cd './%s' && find %s -name '*.lua' | sort"):format(annotations.root,
    table.concat(FOLDERS, " "))))
  for path in pipe:lines() do files[#files + 1] = annotations.read(annotations.root .. path) end
  pipe:close()
  return files
end

--- Returns the names in a type, such as "waba.Error" and "string".
function annotations.type_names(kind)
  local names = {}
  local bare = kind:gsub('"[^"]*"', ""):gsub("([%w_]+)%??:%s", ""):gsub("[%w_]+%??:", "")
  for name in bare:gmatch "[%a_][%w_%.]*" do names[#names + 1] = (name:gsub("%.+$", "")) end
  return names
end

return annotations
