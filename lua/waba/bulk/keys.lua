-- The state of each key of a bulk run. Keys that are consecutive whole numbers need three bits each, about a megabyte
-- for two million keys. A key of any other form needs an entry in a table.

local encoding = require "waba.encoding"

local find, floor, type = string.find, math.floor, type

---@alias waba.BulkState "sent"|"failed"|"maybe"|"seen"|"begun"

---@class waba.BulkKeys
local Keys = { __name = "waba.BulkKeys" }
Keys.__index = Keys

local keys = {}

local CODES = { sent = 1, failed = 2, maybe = 3, seen = 4 }
local STATES = { "sent", "failed", "maybe", "seen" }

-- The number of states in one word: 17 states have 51 bits, and a double represents integers of up to 53 bits exactly.
local PER_WORD = 17
local POWERS = {}
for place = 0, PER_WORD - 1 do POWERS[place] = 8 ^ place end

-- The largest number of digits of a key that is stored as a number. A double represents numbers of 15 digits exactly.
local MOST_DIGITS = 15

function keys.new()
  return setmetatable({ words = {}, others = {}, begun = {} }, Keys)
end

--- Returns a key as text, or nil if the key is neither a string nor a whole number.
function keys.text(key)
  if type(key) == "string" then return key end
  if type(key) == "number" and key % 1 == 0 and key > -2 ^ 53 and key < 2 ^ 53 then return ("%.0f"):format(key) end
end

--- Returns the name by which the methods identify a key: a number, or the text if the text can't be stored as a number.
---@param text string  the result of `keys.text`
---@return integer|string name
function keys.name(text)
  return #text <= MOST_DIGITS and text:find "^[1-9]%d*$" and tonumber(text) or text
end

--- Returns a text as the journal writes it: percent-encodes control characters, spaces and "%".
function keys.escape(text)
  if find(text, "^[!-$&-~]*$") then return text end -- faster than the search for a character that must be encoded
  return encoding.percent(text, "[%c %%]")
end

function keys.unescape(text)
  if not text:find("%", 1, true) then return text end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---@param name integer|string  the result of `keys.name`, or a position
---@return waba.BulkState|nil  nil: the key has no state
function Keys:state(name)
  if self.begun[name] then return "begun" end
  if type(name) == "string" then return STATES[self.others[name]] end
  local place = name % PER_WORD
  local word = self.words[(name - place) / PER_WORD]
  return word and STATES[floor(word / POWERS[place]) % 8]
end

--- Sets the state of a key.
---@param name integer|string
---@param state "sent"|"failed"|"maybe"|"seen"  "seen": the source has returned the key in this run; else the result
function Keys:set(name, state)
  self.begun[name] = nil
  local code = CODES[state]
  if type(name) == "string" then
    self.others[name] = code
    return
  end
  local place = name % PER_WORD
  local index = (name - place) / PER_WORD
  local power, word = POWERS[place], self.words[index] or 0
  self.words[index] = word + (code - floor(word / power) % 8) * power
end

--- Sets the state of a key to "begun" before its message is sent, until `set` or `withdraw` is called. After a crash, a
--- message with the state "begun" may have been sent.
function Keys:begin(name) self.begun[name] = true end

--- Reverts `begin`: sets the previous state of a key.
function Keys:withdraw(name) self.begun[name] = nil end

return keys
