-- Random identifiers from the system's generator, and a generator with a seed, so that the same requests fail in each
-- run of a test.

local rand = require "openssl.rand"

local random = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local letters, hex = {}, {}
for byte = 0, 255 do
  local place = byte % 64 + 1
  letters[string.char(byte)] = ALPHABET:sub(place, place)
  hex[string.char(byte)] = ("%02x"):format(byte)
end

--- Returns `length` characters of the base64 alphabet for URLs.
function random.letters(length) return (rand.bytes(length):gsub(".", letters)) end

--- Returns `length` hexadecimal digits; `length` must be even.
function random.hex(length) return (rand.bytes(length / 2):gsub(".", hex)) end

--- Returns `length` decimal digits, without a 0 at the beginning, as in the ids of the Graph API.
function random.digits(length)
  local bytes = rand.bytes(length)
  local first = tostring(1 + bytes:byte(1) % 9)
  return first .. bytes:sub(2):gsub(".", function(byte) return tostring(byte:byte() % 10) end)
end

function random.uuid()
  local digits = random.hex(32)
  return ("%s-%s-4%s-%s%s-%s"):format(digits:sub(1, 8), digits:sub(9, 12), digits:sub(14, 16),
    ("89ab"):sub(1 + digits:byte(17) % 4, 1 + digits:byte(17) % 4), digits:sub(18, 20), digits:sub(21, 32))
end

--- Creates a generator of numbers from 0 to less than 1, which depend only on the seed. The generator is Park and
--- Miller's minimal standard generator. A double represents all products of the computation exactly, so every
--- version of Lua returns the same numbers.
function random.seeded(seed)
  local state = seed % 2147483646 + 1
  return function()
    state = state * 48271 % 2147483647
    return (state - 1) / 2147483646
  end
end

return random
