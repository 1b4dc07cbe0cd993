-- What options the code accepts, and what its annotations tell of options: both as names with Lua's types, so that
-- they can be compared.

local option_tables = {}

-- Splits a type at a sign that stands outside of all brackets.
local function split(kind, sign)
  local parts, depth, from = {}, 0, 1
  for i = 1, #kind do
    local char = kind:sub(i, i)
    if char:find "[%(%[{<]" then depth = depth + 1 end
    if char:find "[%)%]}>]" then depth = depth - 1 end
    if char == sign and depth == 0 then
      parts[#parts + 1], from = kind:sub(from, i - 1), i + 1
    end
  end
  parts[#parts + 1] = kind:sub(from)
  return parts
end

local function in_order(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local add_types

-- What Lua's `type` says of one alternative of an annotated type; "integer" is kept apart from "number".
local function add_type(into, kind, aliases)
  kind = kind:match "^%s*(.-)%??%s*$"
  local alias = aliases[kind]
  if kind:find "^fun%(" then into["function"] = true
  elseif kind:find '^"' then into.string = true
  elseif kind == "true" or kind == "false" then into.boolean = true
  elseif kind == "nil" then return
  elseif alias then
    if alias.doc.alias_type then add_types(into, alias.doc.alias_type, aliases) end
    for _, choice in ipairs(alias.doc.choices) do add_type(into, choice.value, aliases) end
  elseif kind:find "%[%]$" or kind:find "^{" or kind:find "^table" or kind:find "^waba%." then into.table = true
  else into[kind] = true end
end

function add_types(into, kind, aliases)
  for _, part in ipairs(kind:find "^fun%(" and { kind } or split(kind, "|")) do add_type(into, part, aliases) end
end

local function types_of(kind, aliases)
  local into = {}
  add_types(into, kind, aliases)
  return table.concat(in_order(into), "|")
end

-- The fields of "{ a: string, b: integer? }" as types.
local function fields_of(kind, aliases)
  local fields = {}
  for _, field in ipairs(split(kind:sub(2, -2), ",")) do
    local name, its = field:match "^%s*([%w_]+)%??%s*:%s*(.-)%s*$"
    if name then fields[name] = types_of(its, aliases) end
  end
  return fields
end

local function add_inline(told, kind, place, aliases)
  for body in kind:gmatch "%b{}" do told[#told + 1] = { place = place, types = fields_of(body, aliases) } end
end

-- The fields of a class and of those it is made of.
local function add_class(types, name, classes, aliases)
  local class = classes[name]
  for _, parent in ipairs(class and class.doc.parents or {}) do add_class(types, parent, classes, aliases) end
  for _, field in ipairs(class and class.doc.fields or {}) do types[field.name] = types_of(field.type, aliases) end
  return types
end

--- All classes and inline tables of the annotations.
---@param files table[]  of scripts/annotations.lua
---@return { place: string, types: table<string, string> }[]
function option_tables.told(files)
  local told, aliases, classes = {}, {}, {}
  for _, found in ipairs(files) do
    for _, alias in ipairs(found.aliases) do aliases[alias.name] = alias end
    for _, class in ipairs(found.classes) do classes[class.name] = class end
  end
  for _, found in ipairs(files) do
    for _, class in ipairs(found.classes) do
      told[#told + 1] = { place = class.name, types = add_class({}, class.name, classes, aliases) }
      for _, field in ipairs(class.doc.fields) do
        add_inline(told, field.type, class.name .. "." .. field.name, aliases)
      end
    end
    for _, fn in ipairs(found.functions) do
      for _, param in ipairs(fn.doc and fn.doc.params or {}) do add_inline(told, param.type, fn.name, aliases) end
    end
  end
  return told
end

-- "integer>=1|false" as "boolean|integer".
local function checked_types(rule)
  local into = {}
  for part in rule:gmatch "[^|]+" do add_type(into, part:match "^%a+" or "any", {}) end
  return table.concat(in_order(into), "|")
end

-- The table of a name with what is copied into it from another.
local function read_table(source, name)
  local body = source:match("\nlocal " .. name .. " = (%b{})") or source:match("\n[%w_]+%." .. name .. " = (%b{})")
  if not body then return nil end
  local types = {}
  for option, rule in body:gmatch '([%a_][%w_]*) = "([^"]*)"' do types[option] = checked_types(rule) end
  local other = source:match("in pairs%(([%w_]+)%) do " .. name .. "%[name%]")
  for option, its in pairs(other and read_table(source, other) or {}) do types[option] = its end
  return types
end

-- What the options of every inbox are checked with, beside its own.
local INBOX = { retry = "table", remember = "number" }

-- The functions that check options, and how they are called.
local CHECKS = { "options%.check%([%w_.]+, ", "check_address%([%w_.]+, ", "policy%.settings%([%w_.]+, ",
  "with_start%([%w_.]+, filter, " }

--- All tables of options that something is checked with.
---@param files table[]
---@return { place: string, types: table<string, string> }[]
function option_tables.checked(files)
  local checked, seen = {}, {}
  local function add(found, name, types, more)
    local place = found.path .. ": " .. name
    if found.source:find("---@options [^\n]*\nlocal " .. name .. " = {") then return end
    if not types or seen[place] or found.source:find("in pairs%(" .. name:gsub("%p", "%%%0") .. "%) do [%u_]+%[name%]") then return end
    seen[place], checked[#checked + 1] = true, { place = place, types = types }
    for option, its in pairs(more) do types[option] = its end
  end
  for _, found in ipairs(files) do
    for name in found.source:gmatch "\n[%w_]+%.(KNOWN) = {" do add(found, name, read_table(found.source, name), {}) end
    for _, call in ipairs(CHECKS) do
      local more = call:find "policy" and INBOX or {}
      for name in found.source:gmatch(call .. "([%w_]+)") do
        add(found, name, read_table(found.source, name), more)
      end
      for body in found.source:gmatch(call .. "(%b{})") do
        add(found, body, read_table("\nlocal HERE = " .. body, "HERE"), more)
      end
    end
  end
  return checked
end

local function names(types) return table.concat(in_order(types), ", ") end

--- What the annotations tell wrongly of a table of options; nil when they tell of it as it is.
---@param checked { place: string, types: table<string, string> }
---@param told { place: string, types: table<string, string> }[]
---@return string|nil
function option_tables.difference(checked, told)
  local difference
  for _, one in ipairs(told) do
    if names(one.types) == names(checked.types) then
      local wrong = {}
      for name, its in pairs(checked.types) do
        if one.types[name] ~= its then
          wrong[#wrong + 1] = ("%s.%s is %s, not %s"):format(one.place, name, its, one.types[name])
        end
      end
      if #wrong == 0 then return nil end
      difference = checked.place .. ": " .. table.concat(wrong, "; ")
    end
  end
  return difference or ("%s: nothing tells of exactly the options %s"):format(checked.place, names(checked.types))
end

return option_tables
