-- Checks values by rules, and returns errors with the codes of a hosting. The rules have the same notation as the
-- library's rules (`waba.Rule` in waba/schema/compile.lua), but were written from the platform's reference separately.
-- The positions in a path begin with 0, as on the platform: "interactive.action.buttons[0].reply.id".

local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"

local rules = {}

--- A rule, or a part of a rule. The following fields have the same meaning as in waba.Rule: is, required, one_of,
--- characters, format, range, fields, open, refused, exactly_one, at_least_one, only_with, by, variants, each, count,
--- unique, total and when_several. The following fields differ:
---@class waba.emulator.Rule
---@field is string                     a type as in waba.Rule, "any", or several types: "integer|string"
---@field format? string|string[]       the format of the string: one or several names from `FORMATS` in message_rules.lua
---@field either_case? boolean          true: the name of a variant may be in upper case
---@field count? { [1]: integer, [2]: integer? }  the length of the list: minimum (0 by default) and maximum
---@field codes? table<string, string>  the names of error codes by kind of error; replace the codes in `usual` of `rules.new`
---@field check? fun(value: any, path: string, context: table): waba.emulator.RuleError|nil  checks what the other fields can't express

---@class waba.emulator.RuleError
---@field code integer
---@field details string

local function is_list(value) return type(value) == "table" and (next(value) == nil or value[1] ~= nil) end

local TYPES = {
  integer = function(value) return type(value) == "number" and value % 1 == 0 end,
  decimal = function(value) return type(value) == "number" or type(value) == "string" end,
  list = is_list,
  object = function(value) return type(value) == "table" and (next(value) == nil or not is_list(value)) end,
  any = function() return true end,
}

-- The platform's names of types.
local NAMES = { list = "array", decimal = "number or string" }

local function has_type(value, types)
  for one in types:gmatch("[^|]+") do
    if TYPES[one] and TYPES[one](value) or type(value) == one then return true end
  end
  return false
end

-- The check of one value: its `checker` and `context`, and `report`, which is called with each error.
local Walk = {}
Walk.__index = Walk

-- The error texts, which a checker may replace.
local TEXTS = {
  missing = "Parameter '%s' is mandatory%s", wrong_type = "Parameter '%s' must be of type %s",
  empty = "Parameter '%s' must not be empty", too_long = "Parameter '%s' has %d characters, at most %d are allowed",
  format = "Parameter '%s' %s", range = "Parameter '%s' is %s, it must be from %s to %s",
  one_of = "Parameter '%s' is '%s', it must be one of: %s", count = "Parameter '%s' has %d elements, %s are allowed",
  variant = "Parameter '%s' is '%s', it must be one of: %s", surplus = "Parameter '%s' is not required%s",
  unique = "Parameter '%s' is not unique", total = "Parameter '%s' has %d %s in all, at most %d are allowed",
  none_of = "Parameter %s is mandatory: %s is required", several_of = "Parameter %s exclude each other: %s is allowed",
  needs_other = "Parameter '%s.%s' is allowed only with %s",
  when_several = "Parameter '%s[%d].%s' is mandatory if there are several elements",
}

-- Maps the name of an error text in TEXTS to the kind of the error, which selects the error code. A name that is
-- not in this table is also the name of the kind.
local KINDS = { none_of = "missing", when_several = "missing", several_of = "exclusive", needs_other = "exclusive" }

-- Reports an error with the error text `name` and the code for `kind`. A code in the rule replaces that of the checker.
function Walk:fail(kind, rule, name, ...)
  local codes, own = self.checker.usual, rule.codes or {}
  self.report(self.checker.new_error(own[kind] or codes[kind] or own.wrong or codes.wrong,
    self.checker.texts[name], ...))
end

function Walk:fail_with(name, rule, ...) self:fail(KINDS[name] or name, rule, name, ...) end

function Walk:text(value, rule, path)
  local least, most = rule.characters and rule.characters[1] or 0, rule.characters and rule.characters[2]
  if least > 0 and value == "" then return self:fail_with("empty", rule, path) end
  local length = most and #value > most and message_rules.characters(value) or 0
  if most and length > most then self:fail_with("too_long", rule, path, length, most) end
  for _, name in ipairs(type(rule.format) == "table" and rule.format or { rule.format }) do
    local message = not message_rules.fits(value, name) and message_rules.FORMATS[name][2]
    if message then self:fail(name, rule, "format", path, message) end
  end
end

function Walk:range(value, rule, path)
  local number, least, most = tonumber(value), rule.range[1], rule.range[2] or math.huge
  if number and number >= least and number <= most then return end
  self:fail_with("range", rule, path, tostring(value), least, most)
end

function Walk:one_of(value, rule, path)
  for _, allowed in ipairs(rule.one_of) do
    if value == allowed then return end
  end
  self:fail_with("one_of", rule, path, tostring(value), table.concat(rule.one_of, ", "))
end

-- Calls `visit` with each value at a path such as "reply.id" or "rows[].id".
local function each_member(value, member, path, visit)
  local name, rest = member:match("^([^.]+)%.?(.*)$")
  local plain = name:gsub("%[%]$", "")
  local found = value[plain]
  path = path .. "." .. plain
  if found == nil then return end
  if plain ~= name then
    for i, item in ipairs(found) do each_member(item, rest, ("%s[%d]"):format(path, i - 1), visit) end
  elseif rest ~= "" then
    each_member(found, rest, path, visit)
  else
    visit(found, path)
  end
end

function Walk:unique(list, rule, path)
  for _, member in ipairs(rule.unique or {}) do
    local seen = {}
    for i, item in ipairs(list) do
      each_member(item, member, ("%s[%d]"):format(path, i - 1), function(value, place)
        if seen[value] then self:fail_with("unique", rule, place) end
        seen[value] = true
      end)
    end
  end
end

-- Checks the fields of a rule that concern several items of a list: when_several, total, unique.
function Walk:items_together(list, rule, path)
  local several, total = #list > 1 and rule.when_several, 0
  for i, item in ipairs(list) do
    if several and (item[several] == nil or item[several] == "") then
      self:fail_with("when_several", rule, path, i - 1, several)
    end
    total = total + (rule.total and #item[rule.total.of] or 0)
  end
  if rule.total and total > rule.total.most then
    self:fail_with("total", rule, path, total, rule.total.of, rule.total.most)
  end
  self:unique(list, rule, path)
end

function Walk:list(list, rule, path)
  local count, least, most = #list, rule.count and rule.count[1] or 0, rule.count and rule.count[2]
  if count < least or most and count > most then
    return self:fail_with("count", rule, path, count,
      most and ("%d to %d"):format(least, most) or ("at least %d"):format(least))
  end
  for i = 1, rule.each and count or 0 do
    local place = ("%s[%d]"):format(path, i - 1)
    if list[i] == json.null then
      self:fail_with("wrong_type", rule, place, rule.each.is)
    else
      self:node(list[i], rule.each, place)
    end
  end
  self:items_together(list, rule, path)
end

function Walk:fields_together(value, rule, path)
  local names = rule.exactly_one or rule.at_least_one
  if names then
    local present, quoted = {}, {}
    for i, name in ipairs(names) do
      quoted[i] = ("'%s.%s'"):format(path, name)
      if value[name] ~= nil then present[#present + 1] = quoted[i] end
    end
    local choice = ("%sone of %s"):format(rule.exactly_one and "exactly " or "at least ", table.concat(names, " and "))
    if #present == 0 then
      self:fail_with("none_of", rule, table.concat(quoted, " or "), choice)
    elseif rule.exactly_one and #present > 1 then
      self:fail_with("several_of", rule, table.concat(present, " and "), choice)
    end
  end
  for name, other in pairs(rule.only_with or {}) do
    if value[name] ~= nil and value[other] == nil then self:fail_with("needs_other", rule, path, name, other) end
  end
end

-- Returns the sorted names of the fields of an object, which is the order of their checks.
local function names_of(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  return names
end

function Walk:object(value, rule, path)
  local prefix = path == "" and "" or path .. "."
  for name in pairs(rule.open and {} or value) do
    if rule.fields[name] == nil then
      local reason = rule.refused and rule.refused[name]
      self:fail_with("surplus", rule, prefix .. tostring(name), reason and ": " .. reason or "")
    end
  end
  for _, name in ipairs(names_of(rule.fields)) do self:node(value[name], rule.fields[name], prefix .. name) end
  self:fields_together(value, rule, path)
end

-- Returns the rule of one variant, with the fields that all variants have.
local function merged(rule, variant)
  local with = message_rules.with
  local fields = with(with(rule.fields or {}, variant.fields or {}), { [rule.by] = { is = "any" } })
  return with({ codes = rule.codes, refused = rule.refused }, with(variant, { fields = fields }))
end

function Walk:variant(value, rule, path)
  local place, chosen = (path == "" and "" or path .. ".") .. rule.by, value[rule.by]
  if chosen == nil then return self:fail_with("missing", rule, place, self:of_type()) end
  local variant = rule.variants[rule.either_case and type(chosen) == "string" and chosen:lower() or chosen]
  if not variant then
    return self:fail("wrong", rule, "variant", place, tostring(chosen), table.concat(names_of(rule.variants), ", "))
  end
  variant = merged(rule, variant)
  if variant.variants then return self:variant(value, variant, path) end
  self:object(value, variant, path)
  self:own_check(value, variant, path)
end

function Walk:of_type() return self.context.type and (" for type '%s'"):format(self.context.type) or "" end

function Walk:own_check(value, rule, path)
  local found = rule.check and rule.check(value, path, self.context)
  if found then self.report(found) end
end

function Walk:node(value, rule, path)
  if value == nil or value == json.null then
    if rule.required then self:fail_with("missing", rule, path, self:of_type()) end
    return
  end
  if not has_type(value, rule.is) then
    return self:fail_with("wrong_type", rule, path, NAMES[rule.is] or rule.is:gsub("|", " or "))
  end
  if rule.one_of then self:one_of(value, rule, path) end
  if rule.range and (type(value) == "number" or rule.is == "decimal") then
    self:range(value, rule, path)
  elseif type(value) == "string" then
    self:text(value, rule, path)
  elseif type(value) == "table" and rule.variants then
    self:variant(value, rule, path)
  elseif type(value) == "table" and rule.fields then
    self:object(value, rule, path)
  elseif type(value) == "table" and is_list(value) and rule.is:find "list" then
    self:list(value, rule, path)
  end
  self:own_check(value, rule, path)
end

local Checker = {}
Checker.__index = Checker
Checker.__name = "waba.emulator.Checker"

--- Creates the checker of a hosting with its codes in codes.lua; without `codes` the errors have no code. `usual` has
--- the names of codes by the kind of error: missing; wrong (an invalid value, count or combination); surplus (an
--- unknown field); exclusive (a field that another field excludes); too_long; wrong_type. The other kinds are empty,
--- count, total and the names of formats; their code is by default that of "wrong". `texts` replaces error texts.
function rules.new(codes, usual, texts)
  local function new_error(name, text, ...)
    return { code = codes and assert(codes[name], name).code, details = text:format(...) }
  end
  return setmetatable({ codes = codes, usual = usual, new_error = new_error,
    texts = setmetatable(texts or {}, { __index = TEXTS }) }, Checker)
end

local function apply(self, value, rule, path, context, report)
  setmetatable({ checker = self, context = context or {}, report = report }, Walk):node(value, rule, path or "")
end

--- Returns the first error of a value, or nil. `context` is passed to the functions `check` of rules; its field `type`
--- is the type of the message in error texts.
function Checker:first(value, rule, path, context)
  local first
  -- `report` raises a Lua error, so that the check ends at the first error.
  local ended, raised = pcall(apply, self, value, rule, path, context, function(found)
    first = found
    error(found, 0)
  end)
  if not ended and raised ~= first then error(raised, 0) end
  return first
end

--- Returns the texts of all errors of a value, sorted.
function Checker:all(value, rule, context)
  local found = {}
  apply(self, value, rule, nil, context, function(err) found[#found + 1] = err.details end)
  table.sort(found)
  return found
end

return rules
