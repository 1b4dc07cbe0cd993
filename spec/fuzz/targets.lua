-- The targets of fuzzing. Each function passes bytes to the tested code, and raises an error if the result violates a
-- property. `make fuzz` generates bytes; spec/fuzz_spec.lua uses the files of spec/fuzz/corpus.

local core = require "waba.core"
local curl = require "waba.curl"
local encoding = require "waba.encoding"
local retry_after = require "waba.delivery.retry_after"
local webhooks = require "waba.hosting.events"

local targets = {}

local function is_same(a, b)
  if type(a) == "number" and type(b) == "string" then return a == tonumber(b) end -- integers from 2^53 are decoded to strings
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not is_same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- Splits an input at zero bytes, and returns at least `count` parts.
local function split(bytes, count)
  local parts = {}
  for part in (bytes .. "\0"):gmatch("(%Z*)%z") do parts[#parts + 1] = part end
  for i = #parts + 1, count do parts[i] = "" end
  return parts
end

local function refused(value, message)
  assert(value == nil and type(message) == "string" and message ~= "", "refused without a message")
end

-- Property: a decoded value does not change when it is encoded and decoded again.
function targets.json_text(bytes)
  local value, message = core.decode(bytes)
  if message then return refused(value, message) end
  local text, problem = core.encode(value)
  if not text then return refused(text, problem) end
  assert(is_same(value, core.decode(text)), "another value after encoding")
end

local pick = core.picker("messages.id", "contacts.wa_id", "contacts.input", "messaging_product")

-- Property: core.picker returns the same values as core.decode.
function targets.json_pick(bytes)
  local id, wa_id, input = pick(bytes)
  if not (id or wa_id or input) then return end
  local value = assert(core.decode(bytes))
  local function first(list) return type(list) == "table" and list[1] or {} end
  assert(id == first(value.messages).id, "another id")
  assert(wa_id == first(value.contacts).wa_id and input == first(value.contacts).input, "another contact")
end

-- Property: a request head contains exactly the lines that were passed.
function targets.http1(bytes)
  local method, target, host, name, value = (table.unpack or unpack)(split(bytes, 5))
  local head, message = core.ready_head(method, target, host, { [name] = value })
  if not head then return refused(head, message) end
  local lines = ("%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n"):format(method, target, host, name, value)
  assert(head:bytes() == lines .. "\r\n", "another head")
  assert(head:bytes(5) == lines .. "Content-Length: 5\r\n\r\n", "another length")
  local _, breaks = head:bytes():gsub("\n", "")
  assert(breaks == 4, "a line that was not options")
end

-- Property: a response head that arrives in two parts has the same result as one that arrives at once.
function targets.answer(bytes)
  local status, finish, minor, size = core.response_head(bytes, 1)
  if type(status) ~= "number" then return end
  assert(status >= 0 and status <= 999, "no status")
  if not finish then return end
  assert(finish > 1 and finish <= #bytes + 1, "a head that ends elsewhere")
  for _, from in ipairs { math.max(finish - 4, 1), math.max(finish - 5, 1) } do
    local again, place = core.response_head(bytes, from)
    assert(again == status and place == finish, "another end of the head")
  end
  if minor then assert(size == nil or size == false or size >= 0, "no size") end
  local first = bytes:find("\r\n", 1, true) + 2
  local headers = core.headers(bytes, first, finish - 3)
  for name, text in pairs(headers or {}) do
    assert(name == name:lower() and not text:find "[\r\n]", "a header with a line break")
  end
end

function targets.retry_after(bytes)
  local seconds = retry_after.read(bytes, "Tue, 14 Nov 2023 22:13:20 GMT")
  assert(seconds == nil or (seconds >= 0 and seconds % 1 == 0), "no time to wait")
end

-- Property: core.origin returns an origin unchanged.
function targets.origin(bytes)
  local origin, message = core.origin(bytes)
  if not origin then return refused(origin, message) end
  assert(core.origin(origin) == origin, "an origin of another form")
  assert(origin:find "^https?://[^/?#@%s]+$", "no origin")
end

local engine = assert(curl.engine())

function targets.head(bytes)
  local method, url, name, value = (table.unpack or unpack)(split(bytes, 4))
  local head, message = engine:prepare { method = method, url = url, headers = { [name] = value } }
  if not head then return refused(head, message) end
  assert(core.origin(url), "a URL without an origin")
  assert(core.check_header(name, value), "a header that may not be")
end

local function percent_decode(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

function targets.text(bytes)
  local length, place = core.utf8_length(bytes)
  if length then
    local _, continuations = bytes:gsub("[\128-\191]", "")
    assert(length == #bytes - continuations, "another length")
  else
    assert(core.utf8_length(bytes:sub(1, place - 1)), "invalid text before the reported position")
  end
  local encoded = encoding.percent(bytes)
  assert(not encoded:find "[^%w%%._~-]" and percent_decode(encoded) == bytes, "another text")
  assert(#encoding.base64(bytes) == math.floor((#bytes + 2) / 3) * 4, "another size")
  assert(core.equals(bytes, bytes) and not core.equals(bytes, bytes .. "x"), "not equal to itself")
  local half = bytes:sub(1, math.floor(#bytes / 2))
  assert(core.sha256():update(half):update(bytes:sub(#half + 1)):hex() == core.sha256():update(bytes):hex(), "another digest")
end

-- Properties: reading a webhook raises no error; an event does not change when it is stored as the JSON of its webhook
-- and read again.
function targets.webhook(bytes)
  local sources = {}
  local events, message = webhooks.read(bytes, sources)
  if not events then return assert(message ~= nil, "refused without a message") end
  for index, event in ipairs(events) do
    assert(type(event.kind) == "string" and event.raw ~= nil, "an event without kind")
    tostring(event)
    local stored = sources[index] and webhooks.store(event, sources[index])
    if stored then assert(is_same(event, webhooks.restore(stored)), "another event after storing") end
  end
end

return targets
