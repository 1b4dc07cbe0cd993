-- What is wrong with a value, in the words of the error: each fault is the end of a sentence that
-- begins with the path. Long content is never quoted.

local core = require "waba.core"

local faults = {}

---@class waba.Fault
---@field path string        from the value in question down to the field: ".reply.title"
---@field message string        "has 23 characters; at most 20 are allowed"
---@field is_sentence? true  `message` is complete without the path

-- A fault travels up from where it was found; every level puts its step before the path.
function faults.new(message, path, is_sentence)
  return { path = path or "", message = message, is_sentence = is_sentence }
end

function faults.below(step, found)
  found.path = step .. found.path
  return found
end

function faults.type_name(value)
  if value == nil then return "nothing" end
  if value == core.null then return "null" end
  if type(value) ~= "table" then return "a " .. type(value) end
  return value[1] ~= nil and "a list" or "an object"
end

local articles = { integer = "an integer", object = "an object" }

function faults.wrong_type(wanted, value)
  if wanted == "string" and type(value) == "number" and (value >= 2 ^ 53 or value <= -2 ^ 53) then
    return faults.new "is a number too large to be exact (2^53 and more); give it as a string of digits"
  end
  return faults.new(("must be %s, not %s"):format(articles[wanted] or "a " .. wanted, faults.type_name(value)))
end

-- "2 characters"
function faults.plural(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

local plural = faults.plural

-- "has 23 characters; at most 20 are allowed"
function faults.size(has, limits, noun)
  local least, most = limits[1], limits[2]
  if most and has > most then
    return faults.new(("has %s; at most %d %s allowed"):format(plural(has, noun), most, most == 1 and "is" or "are"))
  end
  return faults.new(("%s; at least %s needed"):format(has == 0 and "is empty" or "has " .. plural(has, noun),
    plural(least, noun) .. (least == 1 and " is" or " are")))
end

-- Whether a text may stand in a sentence or a path: short, on one line.
function faults.can_show(text)
  return #text <= 40 and not text:find("%c") and core.utf8_length(text) ~= nil
end

-- A value as a sentence may quote it.
function faults.quoted(value)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then return faults.type_name(value) end
  if not faults.can_show(value) then return "something else" end
  return '"' .. value .. '"'
end

function faults.choice(value, allowed, as)
  if value == nil then return faults.new("is missing") end
  if not as then
    local words = {}
    for i, word in ipairs(allowed) do words[i] = faults.quoted(word) end
    as = table.concat(words, ", ")
  end
  return faults.new(("is %s; allowed is %s"):format(faults.quoted(value), as))
end

return faults
