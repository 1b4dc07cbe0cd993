-- Rules of texts and objects that both hostings use in their rules, in the notation of schema/compile.lua.

local runtime = require "waba.runtime"

local shared = {}

local function text(least, most)
  return { is = "string", characters = { least, most } }
end

-- Returns a copy of a rule with the fields of `more`. If both tables have a field, the field of `more` is used.
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

-- Creates the rules of fields that are any strings; `names` separates them by spaces.
function shared.strings(names)
  local fields = {}
  for name in names:gmatch "%S+" do fields[name] = any_text end
  return fields
end

-- Creates the rule of an object from the rules of its fields; `more` has further parts of the rule.
function shared.object(fields, more)
  return with({ is = "object", fields = fields }, more or {})
end

-- Creates the rule of an object whose content is in the field with the name of its type: { type = "image", image = … }.
function shared.tagged(kind, content)
  return { is = "object", fields = { [kind] = required(content) } }
end

-- Creates the rule of an object that depends on the value of one of its fields.
function shared.variants(by, variants, more)
  return with({ is = "object", by = by, variants = variants }, more or {})
end

-- Creates the rule of an object that has only one possible type.
function shared.only_variant(kind, rule)
  return shared.variants("type", { [kind] = rule })
end

shared.template_name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" }

-- Creates the rule of a type or variant that only Cloud hosting has.
function shared.cloud_only(what)
  return { unsupported = what .. " exist on Cloud hosting only" }
end

-- Creates the same rule as `cloud_only`, for a type or variant that the newest On-Premise clients may have: no source
-- states this.
function shared.perhaps_cloud_only(what)
  return { is = "object", open = true, inferred = shared.cloud_only(what) }
end

-- Creates the rule of a message type; the rule is loaded when the type is first checked.
function shared.in_module(module, kind)
  return function()
    local rules = runtime.require(module)
    return kind and rules[kind] or rules
  end
end

return shared
