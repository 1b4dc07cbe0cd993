-- Checks messages before they are sent. Each message type has a rule, a table in schema/on_premise.lua or
-- schema/cloud.lua. schema/compile.lua compiles the rule to a function when a message of the type is first checked.

local core = require "waba.core"
local compiler = require "waba.schema.compile"
local errors = require "waba.errors"
local rule_errors = require "waba.schema.errors"
local runtime = require "waba.runtime"
local shared = require "waba.schema.shared"

local new_error, make_plain = rule_errors.new, core.plain
local compile, effective = compiler.compile, compiler.effective

local schema = {}

--- The rules of one hosting.
---@class waba.Ruleset
---@field types table<string, waba.Rule|fun(): waba.Rule>  by message type: the rule of the content, or a function that
---        loads the rule
---@field refused table<string, string>  error texts for fields that are not allowed beside the content
---@field direct_send? { types: table<string, true>, categories: table<string, table<string, waba.Rule>>, unsupported: string }
---  for the option `category`: the types that may have a category, the fields allowed beside each category, and the
---  error text for other types

-- Added to the error text if the message has metatables.
local HIDDEN = " (a field that only the __index of a metatable returns is not sent)"

--- Creates the error object of a waba.RuleError. `is_copy`, the second result of `core.plain`, is true if the message
--- had metatables.
function schema.to_error(err, is_copy)
  local path = err.path:gsub("^%.", "")
  local message = err.is_complete and err.message or path .. " " .. err.message
  return errors.invalid(path, is_copy and message .. HIDDEN or message)
end

--- Checks a value that is not a message, such as a template. `rule` must be the same table in every call, because each
--- new table is compiled again. Returns true; or nil and an error of kind "invalid" with `path`.
---@param mode boolean|"documented"  as in the client's option `validate`
---@param rule waba.Rule
---@param value any
function schema.validate(mode, rule, value)
  local check = mode and compile(rule, mode)
  if not check then return true end
  local is_copy
  value, is_copy = make_plain(value)
  local err = check(value)
  if err then return nil, schema.to_error(err, is_copy) end
  return true
end

---@param hosting waba.Hosting
---@return waba.Ruleset
function schema.ruleset(hosting)
  if hosting ~= "on_premise" and hosting ~= "cloud" then
    error('schema: the hosting must be "on_premise" or "cloud", not ' .. tostring(hosting), 2)
  end
  return runtime.require("waba.schema." .. hosting)
end

--- Returns the rule for the content of a message type; nil for an unknown type.
function schema.content(ruleset, kind)
  local rule = ruleset.types[kind]
  if type(rule) == "function" then
    rule = rule()
    ruleset.types[kind] = rule
  end
  return rule
end

--- Returns the rule for a complete message of a type: the content and the fields beside the content.
function schema.envelope(ruleset, kind)
  local content = shared.required(schema.content(ruleset, kind))
  local plain = { is = "object", refused = ruleset.refused, fields = { type = {}, [kind] = content } }
  local direct_send = ruleset.direct_send
  if not direct_send then return plain end
  local variants, refused = {}, shared.with(ruleset.refused, {})
  plain.refused = refused
  for category, beside in pairs(direct_send.categories) do
    for name in pairs(beside) do refused[name] = "is allowed together with category only" end
    local fields = shared.with({ type = {}, [kind] = content }, beside)
    variants[category] = { is = "object", refused = ruleset.refused, fields = fields,
      inferred = not direct_send.types[kind] and { unsupported = direct_send.unsupported } or nil }
  end
  return { is = "object", by = "category", variants = variants, without = plain }
end

local function unknown_type(ruleset, kind)
  if kind == nil then return new_error("is missing", ".type") end
  local near = type(kind) == "string" and rule_errors.can_show(kind)
    and runtime.require "waba.nearest_name"(kind, ruleset.types)
  return new_error(("is %s, which is no message type%s"):format(rule_errors.quoted(kind),
    near and ("; did you mean %s?"):format(near) or ""), ".type")
end

-- The field `type` has selected the rule, so the compiled check need not test whether the message is a table.
local KNOWN = { type = true }

local function make_check(ruleset, kind, mode)
  local unsupported = effective(schema.content(ruleset, kind), mode).unsupported
  if unsupported then return function() return new_error(unsupported, ".type", true) end end
  return compile(schema.envelope(ruleset, kind), mode, KNOWN)
end

local compiled = {} -- checks by hosting, mode and message type

-- A function of its own, because LuaJIT does not compile a function that returns after it has made a closure.
local function make_checks(hosting, mode)
  if mode ~= true and mode ~= "documented" then
    error("schema: the mode must be true, \"documented\" or false", 4)
  end
  local ruleset = schema.ruleset(hosting)
  compiled[hosting] = compiled[hosting] or {}
  compiled[hosting][mode] = setmetatable({}, { __index = function(checks, kind)
    if type(kind) ~= "string" or not ruleset.types[kind] then
      return function() return unknown_type(ruleset, kind) end
    end
    checks[kind] = make_check(ruleset, kind, mode)
    return checks[kind]
  end })
  return compiled[hosting][mode]
end

--- Returns the checks of a hosting's messages by type. A rule is compiled into a check at the first use of the check.
--- The check of an unknown type, or of nil, returns an error.
---@param hosting waba.Hosting
---@param mode true|"documented"
---@return table<any, fun(message: table): waba.RuleError?>
function schema.checks(hosting, mode)
  local by_mode = compiled[hosting]
  if by_mode and by_mode[mode] then return by_mode[mode] end
  local checks = make_checks(hosting, mode) -- not a tail call, which would change the levels of errors
  return checks
end

--- Checks a message before it is sent. Only the platform knows whether a media file is acceptable, and whether a
--- template, a language, a catalogue or a media id exists. Only the platform knows whether parameters fit a template,
--- and whether the 24-hour window is open. The platform reports these errors in the response or in a status.
---@param message waba.Message  the result of a builder such as `waba.text`
---@param hosting waba.Hosting  "on_premise" or "cloud"
---@param mode? true|"documented"  true (default): all rules; "documented": only the rules that the platform documents
---@return true|nil ok
---@return waba.Error? err  an error of kind "invalid"; `path` is the first invalid field
function schema.check(message, hosting, mode)
  local value, is_copy = make_plain(message)
  return schema.check_plain(value, is_copy, hosting, mode or true)
end

--- Checks a message as `schema.check` does. `message` and `is_copy` are the results of `core.plain`.
function schema.check_plain(message, is_copy, hosting, mode)
  local checks = schema.checks(hosting, mode)
  if type(message) ~= "table" then
    return nil, errors.invalid("message", "the message must be a table from a builder, not "
      .. rule_errors.type_name(message))
  end
  local err = checks[message.type](message)
  if err then return nil, schema.to_error(err, is_copy) end
  return true
end

return schema
