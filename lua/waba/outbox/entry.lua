-- Checks the entries of an outbox, and converts entries to bytes and back. The bytes of an entry are two JSON texts
-- with a line break between them: the entry, and the body of the HTTP request that a sender sends.

local callback_data = require "waba.hosting.callback_data"
local canonical = require "waba.canonical"
local core = require "waba.core"
local errors = require "waba.errors"
local hostings = require "waba.hosting"
local option = require "waba.option"
local printable = require "waba.printable"
local recipient = require "waba.recipient"
local schema = require "waba.schema"
local sending = require "waba.client.sending"
local version = require "waba.version"

local byte, find, match, sub = string.byte, string.find, string.match, string.sub
local floor, type = math.floor, type

local entries = {}

local VERSION = 1 -- the version of the format of an entry's bytes

-- The lanes of a conversation: the first for replies, the second for bulk messages.
entries.LANES = { "", "bulk:" }

--- A message to be sent.
---@options waba.OutboxEntry
local ENTRY = {
  to = "string|integer|table",      -- required: the recipient, as in `client:send`
  message = "table",                -- required: a message, as builders return it
  number = "string|integer",        -- the business number or its phone_number_id; a sender selects the client by the
                                    -- number
  key = "string|integer",           -- the outbox stores only one message with this key and number
  at = "number",                    -- Unix seconds; the message is not sent before this time
  bulk = "boolean",                 -- true: the message is sent after all entries without `bulk`
  campaign = "string",              -- a name; `outbox:campaign` counts the results of all entries with this name
  options = "waba.OutboxSendOptions", -- the options of the message
}

--- The options of `client:send` that an entry can have.
---@options waba.OutboxSendOptions : waba.MessageOptions
local SEND_OPTIONS = option.with(sending.MESSAGE_OPTIONS, {
  data = "string",                  -- a text that the statuses of the message contain (Cloud hosting only); at most 486
                                    -- characters, because the outbox appends the id of the entry
})

local MOST_DATA = 512 - callback_data.OVERHEAD
local LONGEST_KEY = 4096 -- more bytes than the longest campaign, escaped, and the longest key of `send_all` have
-- The length of a message's hash in bytes. The value that the store records with the key of an entry consists of the
-- hash of the message and the id of the entry.
entries.DIGEST = 32

-- Returns 20 hexadecimal digits: 36 bits of the time in units of 10 us, and 44 random bits. Ids of the same transaction
-- are close in the indexes of SQLite, because they begin with similar times, so the transaction writes few pages.
local function new_id()
  local time, random = floor(core.clock() * 1e5), core.random() * 2 ^ 20
  local high, low = floor(time / 2 ^ 20) % 2 ^ 16, time % 2 ^ 20
  return ("%04x%05x%05x%06x"):format(high, low, floor(random), floor(random % 1 * 2 ^ 24))
end

local CALLER = 6 -- the stack level of the caller of `outbox:put`, for calls of `error` in `check_form`

local function check_form(fields)
  option.check(fields, ENTRY, "outbox:put", CALLER)
  if type(fields.message) ~= "table" then
    error("outbox:put: option message must be a table from a builder, not a " .. type(fields.message), CALLER)
  end
  if fields.options then option.check(fields.options, SEND_OPTIONS, "outbox:put: options", CALLER) end
  local key = fields.key
  if key == "" or type(key) == "string" and #key > LONGEST_KEY then
    error(("outbox:put: option key has %d bytes: expected 1 to %d"):format(#key, LONGEST_KEY), CALLER)
  end
  if fields.at and not (fields.at == fields.at and math.abs(fields.at) < 1e12) then
    error("outbox:put: option at must be Unix seconds, not " .. fields.at, CALLER)
  end
  if fields.number and not recipient.business_number(fields.number) then
    local text = "outbox:put: option number %s is neither a phone number nor a phone_number_id"
    error(text:format(fields.number), CALLER)
  end
end

-- The options of a client with which an outbox encodes messages, because an outbox has no client. `read_content`
-- removes the namespace OF_CLIENT from the encoded message, because a sender sets the namespace of its client.
local OF_CLIENT = "of the client"
local CLIENT = { validate = true, namespace = OF_CLIENT }

-- Checks the message of an entry, and returns the body of its request.
local function read_content(entry, message, is_copy, hosting)
  local valid, err = schema.check_plain(message, is_copy, hosting, true)
  if not valid then return nil, err end
  local options, data = entry.options, entry.options and entry.options.data
  local length = data and core.utf8_length(data)
  if length and length > MOST_DATA then
    return nil, errors.invalid("data", ("the option data has %d characters: at most %d in an outbox, which adds the "
      .. "entry's id"):format(length, MOST_DATA))
  end
  if hosting == "cloud" then
    options = { data = callback_data.join(entry.id, data) }
    for name, value in pairs(entry.options or {}) do
      if name ~= "data" then options[name] = value end
    end
  end
  local body, failure = hostings.get(hosting).encode_message(entry.to, message, CLIENT, options, entry.form)
  if not body then return nil, failure end
  local content = body[body.type]
  if type(content) == "table" and content.namespace == OF_CLIENT then content.namespace = nil end
  return body
end

--- Checks a `waba.OutboxEntry`. Returns an entry and the body of its request; or nil and an error of kind "invalid".
function entries.read(fields, hosting)
  check_form(fields)
  local to, form = recipient.read(fields.to)
  if not to then return nil, form end
  local message, is_copy = core.plain(fields.message)
  local options, key = fields.options, fields.key
  if options and next(options) == nil then options = nil end
  local entry = {
    version = VERSION, id = new_id(), to = to, form = form, hosting = hosting, waba = version, stored = os.time(),
    number = fields.number and recipient.business_number(fields.number), at = fields.at, bulk = fields.bulk or nil,
    key = type(key) == "number" and ("%.0f"):format(key) or key, campaign = fields.campaign, options = options,
  }
  local body, err = read_content(entry, options and sending.with_options(message, options) or message, is_copy, hosting)
  if not body then return nil, err end
  if entry.key then
    local hash = core.sha256()
    hash:update(canonical.text { entry.to, entry.form or "", message, entry.options or {}, entry.bulk or false })
    entry.digest = hash:hex():sub(1, entries.DIGEST)
  end
  return entry, body
end

--- Returns the name under which the store records the key of an entry.
function entries.key(entry) return (entry.number or "") .. ":" .. entry.key end

-- Most entries have no other fields than these. Their JSON text begins with HEAD of their hosting, whose space is in no
-- text of `core.encode`. The text has a fixed form, so that no decoder is needed. `number` may be nil.
local PLAIN_FIELDS = { version = true, id = true, to = true, hosting = true, waba = true, stored = true, number = true }
local HEAD, READ, ID_LENGTH = {}, {}, 20
local STORED, TO, NUMBER, END = '","stored":', ',"to":"', '","number":"', '"}\n'
local FORM = "^(%x+)" .. STORED .. "([1-9]" .. ("%d"):rep(9) .. ")" .. TO .. "(%d+)"
local FORM_WITHOUT_NUMBER, FORM_WITH_NUMBER = FORM .. END .. "()", FORM .. NUMBER .. "(%d+)" .. END .. "()"

-- Makes a function that reads the entries of a hosting that begin with HEAD. Returns nil for bytes of another form.
local function new_reader(hosting, head)
  local id_at = #head + 1
  return function(bytes)
    if find(bytes, head, 1, true) ~= 1 then return nil end
    local id, stored, to, body_at = match(bytes, FORM_WITHOUT_NUMBER, id_at)
    local number
    if not id then id, stored, to, number, body_at = match(bytes, FORM_WITH_NUMBER, id_at) end
    if not id then return nil end
    return {
      version = VERSION, id = id, to = to, hosting = hosting, waba = version, stored = tonumber(stored),
      number = number,
    }, sub(bytes, body_at)
  end
end

-- The readers by the first byte of the hosting, which is at HOSTING_AT.
local START = ("{ \"version\":%d,\"waba\":\"%s\",\"hosting\":\""):format(VERSION, version)
local HOSTING_AT = #START + 1
for name in pairs(hostings.NAMES) do
  HEAD[name] = START .. name .. '","id":"'
  READ[byte(name)] = new_reader(name, HEAD[name])
end

local function is_plain(entry)
  for name in pairs(entry) do
    if not PLAIN_FIELDS[name] then return false end
  end
  return #entry.id == ID_LENGTH and entry.waba == version and entry.stored >= 1e9 and entry.stored < 1e10
end

--- Returns the bytes of an entry and of the body of its request; or nil, a message and a path, as `core.encode` does.
function entries.encode(entry, body)
  if is_plain(entry) then
    return HEAD[entry.hosting] .. entry.id .. STORED .. entry.stored .. TO .. entry.to
      .. (entry.number and NUMBER .. entry.number .. END or END) .. body
  end
  local head, message, path = core.encode(entry)
  if not head then return nil, message, path end
  return head .. "\n" .. body
end

--- Converts the results of `entries.read` to a `waba.StoreEntry`; or returns nil and an error.
function entries.for_store(entry, content)
  local body, message, path = core.encode(content)
  if body then body, message, path = entries.encode(entry, body) end
  if not body then return nil, errors.invalid(path, message) end
  local is_later = entry.at and entry.at > os.time()
  local stored = {
    id = entry.id, names = { (entry.number or "") .. " " .. entry.to }, lane = entries.LANES[entry.bulk and 2 or 1],
    bulk = entry.bulk, at = is_later and entry.at or nil, body = body,
  }
  if entry.key then
    stored.key, stored.value, stored.same = entries.key(entry), entry.digest .. entry.id, entries.DIGEST
  end
  return stored
end

--- Decodes an entry. Returns the entry, the JSON text of its request's body, and whether the entry has only the fields
--- that most entries have; or nil and a reason.
function entries.decode(bytes)
  local read = READ[byte(bytes, HOSTING_AT) or 0]
  if read then
    local entry, body = read(bytes)
    if entry then return entry, body, true end
  end
  local head_end = bytes:find("\n", 1, true) or #bytes + 1
  local entry = core.decode(bytes:sub(1, head_end - 1))
  if type(entry) ~= "table" or not entry.version then return nil, "the entry is not a JSON object with a version" end
  if entry.version ~= VERSION then
    return nil, ("the entry has version %s, from another version of waba: expected version %d"):format(
      tostring(entry.version), VERSION)
  end
  if head_end > #bytes then return nil, "the entry has no message" end
  return entry, bytes:sub(head_end + 1), false
end

-- The fields that a message and the body of its request can have besides the type and the content of the message.
local MESSAGE_FIELDS = { "category", "ttl_seconds", "direct_send_config" }

function entries.message_of(body)
  local content = core.decode(body)
  local message = { type = content.type, [content.type] = content[content.type] }
  for _, name in ipairs(MESSAGE_FIELDS) do message[name] = content[name] end
  -- the body of an On-Premise request has `preview_url` outside of `text`
  if content.preview_url ~= nil then message.text.preview_url = content.preview_url end
  return message
end

--- Returns the field `times` of the `waba.OutboxState` of a waiting entry.
function entries.times(entry) return { stored = entry.stored, at = entry.at } end

--- Returns the `waba.OutboxState` of an entry whose new state is `name`. The present time is added to `times`, unless
--- `name` is "waiting".
function entries.state(entry, name, times)
  times = times or entries.times(entry)
  if name ~= "waiting" then times[name] = os.time() end
  return {
    id = entry.id, state = name, to = entry.to, number = entry.number, key = entry.key, times = times,
    resent = entry.resent,
  }
end

-- Returns a string as JSON.
local function quoted(text) return core.encode(text) or core.encode(entries.plain(text)) end

--- Returns the `waba.OutboxState` in the state "sent" as JSON text, for an entry that has only PLAIN_FIELDS. `sent_at`
--- is the time of the state "sending" in Unix seconds. Returns nil if the ids in `sent` are not strings.
function entries.sent_text(entry, sent_at, sent)
  local id, wa_id, number = sent.id, sent.wa_id, entry.number
  if type(id) ~= "string" or wa_id ~= nil and type(wa_id) ~= "string" then return nil end
  return '{"state":"sent","id":"' .. entry.id .. '","to":"' .. entry.to
    .. (number and '","number":"' .. number or "") .. '","times":{"stored":' .. entry.stored
    .. ',"sending":' .. sent_at .. ',"sent":' .. os.time() .. '},"message_id":' .. quoted(id)
    .. (wa_id and ',"wa_id":' .. quoted(wa_id) .. "}" or "}")
end

-- The fields of an error that are stored with the state of an entry.
local ERROR_FIELDS = {
  "kind", "message", "code", "subcode", "status", "title", "details", "href", "path", "retryable", "retry_after",
  "scope", "maybe_sent", "trace_id",
}

--- Replaces the bytes of a string that are not UTF-8, because JSON can't contain them. Returns numbers and booleans
--- unchanged, and nil for all other values.
function entries.plain(value)
  if type(value) == "string" then return printable.utf8(value, "?") end
  if type(value) == "number" or type(value) == "boolean" then return value end
end

--- Returns a plain table with the fields of an error that are stored with the state of an entry.
function entries.plain_error(err)
  if not err then return nil end
  local copy = {}
  for _, name in ipairs(ERROR_FIELDS) do copy[name] = entries.plain(err[name]) end
  return copy
end

return entries
