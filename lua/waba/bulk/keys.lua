-- The state of each key of a bulk run. Keys that are consecutive whole numbers need three bits each, about a megabyte
-- for two million keys. A key of any other form needs an entry in a table.

local floor = math.floor

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

local function number_of(text)
  if #text <= MOST_DIGITS and text:find "^[1-9]%d*$" then return tonumber(text) end
end

---@param text string  the result of `keys.text`
---@return waba.BulkState|nil  nil: the key has no state
function Keys:state(text)
  if self.begun[text] then return "begun" end
  local number = number_of(text)
  if not number then return STATES[self.others[text]] end
  local index = floor(number / PER_WORD)
  local word = self.words[index]
  return word and STATES[floor(word / POWERS[number - index * PER_WORD]) % 8]
end

--- Sets the state of a key.
---@param text string
---@param state "sent"|"failed"|"maybe"|"seen"  "seen": the source has returned the key in this run; else the result
function Keys:set(text, state)
  self.begun[text] = nil
  local code, number = CODES[state], number_of(text)
  if not number then
    self.others[text] = code
    return
  end
  local index = floor(number / PER_WORD)
  local power, word = POWERS[number - index * PER_WORD], self.words[index] or 0
  self.words[index] = word + (code - floor(word / power) % 8) * power
end

--- Sets the state of a key to "begun" before its message is sent, until `set` or `withdraw` is called. After a crash, a
--- message with the state "begun" may have been sent.
function Keys:begin(text) self.begun[text] = true end

--- Reverts `begin`: sets the previous state of a key.
function Keys:withdraw(text) self.begun[text] = nil end

return keys
