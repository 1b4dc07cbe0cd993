-- The errors of checks (schema/compile.lua). An error text does not quote a long value, which may be personal data.

local core = require "waba.core"

local errors = {}

---@class waba.RuleError
---@field path string        the path from the checked value to the invalid field: ".reply.title"
---@field message string     the end of a sentence that begins with the path: "has 23 characters; at most 20 are allowed"
---@field is_complete? true  true: `message` is a complete sentence without the path

function errors.new(message, path, is_complete)
  return { path = path or "", message = message, is_complete = is_complete }
end

-- Adds a step to the beginning of the error's path, such as the name of the field with the checked value.
function errors.below(step, err)
  err.path = step .. err.path
  return err
end

function errors.type_name(value)
  if value == nil then return "nothing" end
  if value == core.null then return "null" end
  if type(value) ~= "table" then return "a " .. type(value) end
  return value[1] ~= nil and "a list" or "an object"
end

local articles = { integer = "an integer", object = "an object" }

function errors.wrong_type(wanted, value)
  if wanted == "string" and type(value) == "number" and (value >= 2 ^ 53 or value <= -2 ^ 53) then
    return errors.new "is a number too large to be exact (2^53 and more); it must be a string of digits"
  end
  return errors.new(("must be %s, not %s"):format(articles[wanted] or "a " .. wanted, errors.type_name(value)))
end

-- Returns for example "2 characters".
function errors.plural(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

local plural = errors.plural

-- Returns an error such as "has 23 characters; at most 20 are allowed".
function errors.size(has, limits, noun)
  local least, most = limits[1], limits[2]
  if most and has > most then
    return errors.new(("has %s; at most %d %s allowed"):format(plural(has, noun), most, most == 1 and "is" or "are"))
  end
  return errors.new(("%s; at least %s needed"):format(has == 0 and "is empty" or "has " .. plural(has, noun),
    plural(least, noun) .. (least == 1 and " is" or " are")))
end

-- An error text or a path contains only short texts of one line.
function errors.can_show(text)
  return #text <= 40 and not text:find("%c") and core.utf8_length(text) ~= nil
end

function errors.quoted(value)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then return errors.type_name(value) end
  if not errors.can_show(value) then return "something else" end
  return '"' .. value .. '"'
end

function errors.choice(value, allowed, as)
  if value == nil then return errors.new("is missing") end
  if not as then
    local words = {}
    for i, word in ipairs(allowed) do words[i] = errors.quoted(word) end
    as = table.concat(words, ", ")
  end
  return errors.new(("is %s; allowed is %s"):format(errors.quoted(value), as))
end

return errors
