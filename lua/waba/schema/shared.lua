-- Rules that other rules contain, in the notation of schema/compile.lua.

local runtime = require "waba.runtime"

local shared = {}

local function text(least, most) return { is = "string", characters = { least, most } } end

-- Returns a copy of a rule with the fields of `more`, which replace fields of the same name.
local function with(rule, more)
  local result = {}
  for name, value in pairs(rule) do result[name] = value end
  for name, value in pairs(more) do result[name] = value end
  return result
end

local function required(rule) return with(rule, { required = true }) end

local any_text = { is = "string" }
local some_text = text(1)

shared.text, shared.required, shared.with, shared.any_text, shared.some_text = text, required, with, any_text, some_text

-- Returns the rules of fields whose values can be any strings. `names` has the names of the fields, separated by
-- spaces.
function shared.strings(names)
  local fields = {}
  for name in names:gmatch "%S+" do fields[name] = any_text end
  return fields
end

-- `more` has further parts of the rule.
function shared.object(fields, more) return with({ is = "object", fields = fields }, more or {}) end

-- The rule of an object whose fields are not completely documented: only the mode "documented" allows unknown fields.
function shared.lenient(fields, more)
  return shared.object(fields, with({ open = true, inferred = { open = false } }, more or {}))
end

-- The rule of an object that has its content in a field with the name of its type: { type = "image", image = … }.
function shared.tagged(kind, content) return shared.object { [kind] = required(content) } end

function shared.variants(by, variants, more)
  return with({ is = "object", by = by, variants = variants }, more or {})
end

function shared.only_variant(kind, rule) return shared.variants("type", { [kind] = rule }) end

shared.template_name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" }

-- The rule of a type or variant that only Cloud hosting has. `what` is a plural for the error text.
function shared.cloud_only(what) return { unsupported = what .. " exist on Cloud hosting only" } end

-- The rule of a type or variant that perhaps only Cloud hosting has: no source states whether new WhatsApp clients of
-- On-Premise hosting have it.
function shared.perhaps_cloud_only(what)
  return { is = "object", open = true, inferred = shared.cloud_only(what) }
end

-- Returns a function that loads a rule when a message of the type is first checked.
function shared.in_module(module, kind)
  return function()
    local rules = runtime.require(module)
    return kind and rules[kind] or rules
  end
end

return shared
