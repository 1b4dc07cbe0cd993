-- Checks the entries that are put into an outbox, and converts entries and their states to bytes and back. The bytes of
-- an entry are two JSON texts with a line break between them: the description of the entry, and the body of its HTTP
-- request. A sender of the same version sends the body unchanged.

local callback_data = require "waba.hosting.callback_data"
local canonical = require "waba.canonical"
local core = require "waba.core"
local errors = require "waba.errors"
local hostings = require "waba.hosting"
local option = require "waba.option"
local recipient = require "waba.recipient"
local schema = require "waba.schema"
local sending = require "waba.client.sending"
local version = require "waba.version"

local floor = math.floor

local entries = {}

-- The version of the format in which an entry is stored.
local VERSION = 1

-- The lanes of a conversation: one for replies and one for bulk messages, so that replies do not wait for bulk
-- messages.
entries.LANES = { "", "bulk:" }

--- A message to be sent.
---@options waba.OutboxEntry
local ENTRY = {
  to = "string|integer|table",      -- required: the recipient, as in `client:send`
  message = "table",                -- required: a message, as builders return it
  number = "string|integer",        -- the sending business number or its phone_number_id; for a sender with several
                                    -- clients
  key = "string|integer",           -- a message is stored only once for each key and number
  at = "number",                    -- Unix seconds; the message is not sent before this time
  bulk = "boolean",                 -- true: the message is sent after all entries without `bulk`
  campaign = "string",              -- the results of all entries with the same name are counted: see `outbox:campaign`
  options = "waba.OutboxSendOptions", -- the options of the message
}

--- The options of `client:send` that an entry can have.
---@options waba.OutboxSendOptions : waba.MessageOptions
local SEND_OPTIONS = option.with(sending.MESSAGE_OPTIONS, {
  data = "string",                  -- text that the statuses of the message contain, at most 486 characters, because
                                    -- the outbox appends the id of the entry (Cloud hosting only)
})

local MOST_DATA = 512 - callback_data.OVERHEAD
local LONGEST_KEY = 512
-- The length of a message's hash in bytes. The value that is stored with a key consists of the hash of the message and
-- the id of the entry.
entries.DIGEST = 32

-- Returns 20 hexadecimal digits: 36 bits of the time in units of 10 us, and 44 random bits. Ids that were made in a short
-- time have neighbouring places in the indexes of SQLite, so that a transaction writes few pages.
local function new_id()
  local time, random = floor(core.clock() * 1e5), core.random() * 2 ^ 20
  local high, low = floor(time / 2 ^ 20) % 2 ^ 16, time % 2 ^ 20
  return ("%04x%05x%05x%06x"):format(high, low, floor(random), floor(random % 1 * 2 ^ 24))
end

local function digest_of(entry, message)
  local hash = core.sha256()
  hash:update(canonical.text { entry.to, entry.form or "", message, entry.options or {}, entry.bulk or false })
  return hash:hex():sub(1, entries.DIGEST)
end

-- The level of the caller of `outbox:put` for `error` in `check_form`.
local CALLER = 6

-- Raises an error for wrong use.
local function check_form(fields, what)
  option.check(fields, ENTRY, what, CALLER)
  if type(fields.message) ~= "table" then
    error(("%s: option message must be a table from a builder, not a %s"):format(what, type(fields.message)), CALLER)
  end
  if fields.options then option.check(fields.options, SEND_OPTIONS, what .. ": options", CALLER) end
  local key = fields.key
  if key == "" or type(key) == "string" and #key > LONGEST_KEY then
    error(("%s: option key has %d bytes: expected 1 to %d"):format(what, #key, LONGEST_KEY), CALLER)
  end
  if fields.at and not (fields.at == fields.at and math.abs(fields.at) < 1e12) then
    error(("%s: option at must be Unix seconds, not %s"):format(what, fields.at), CALLER)
  end
  if fields.number and not recipient.business_number(fields.number) then
    error(("%s: option number %s is neither a phone number nor a phone_number_id"):format(what,
      tostring(fields.number)), CALLER)
  end
end

local function text_of_key(key)
  return type(key) == "number" and ("%.0f"):format(key) or key
end

-- The options of a client that the check of a message needs. The namespace is a placeholder, because the client that
-- sends the message may have one.
local OF_CLIENT = "of the client"
local CLIENT = { validate = true, namespace = OF_CLIENT }

-- Checks the content of an entry. Returns the body of the request for the message.
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
  local body
  body, err = hostings.get(hosting).encode_message(entry.to, message, CLIENT, options, entry.form)
  if not body then return nil, err end
  local content = body[body.type]
  if type(content) == "table" and content.namespace == OF_CLIENT then content.namespace = nil end
  return body
end

--- Checks an entry that is put. Raises an error for wrong use.
---@param fields waba.OutboxEntry
---@param hosting waba.Hosting
---@param what string  "outbox:put"
---@return table|nil entry
---@return table|waba.Error body  the body of the request; or the error, of kind "invalid"
function entries.read(fields, hosting, what)
  check_form(fields, what)
  local to, form = recipient.read(fields.to)
  if not to then return nil, form end
  local message, is_copy = core.plain(fields.message)
  local options = fields.options
  if options and next(options) == nil then options = nil end
  local entry = {
    version = VERSION, id = new_id(), to = to, form = form, hosting = hosting, waba = version, stored = os.time(),
    number = fields.number and recipient.business_number(fields.number), key = text_of_key(fields.key), at = fields.at,
    bulk = fields.bulk or nil, campaign = fields.campaign, options = options,
  }
  local body, err = read_content(entry, options and sending.with_options(message, options) or message, is_copy, hosting)
  if not body then return nil, err end
  entry.digest = entry.key and digest_of(entry, message)
  return entry, body
end

--- Returns the name under which the store records the key of an entry.
---@param entry table
---@return string
function entries.key(entry)
  return (entry.number or "") .. ":" .. entry.key
end

--- Returns the bytes of an entry.
---@param entry table  an entry that `read` or `decode` has returned
---@param body string  the body of its request
---@return string|nil
---@return string? message  the error text of `core.encode`
---@return string? path
function entries.encode(entry, body)
  local head, message, path = core.encode(entry)
  if not head then return nil, message, path end
  return head .. "\n" .. body
end

--- Returns the entry in the form that the store takes.
---@param entry table  the first result of `read`
---@param content table  the body of the request, which is the second result of `read`
---@return waba.StoreEntry|nil
---@return waba.Error? err  the message has text that is not UTF-8, or its tables are nested too deeply
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

--- Decodes an entry.
---@param bytes string
---@return table|nil entry  without its message
---@return string message  the body of its request; or the reason why the entry can't be read
function entries.decode(bytes)
  local head_end = bytes:find("\n", 1, true) or #bytes + 1
  local entry = core.decode(bytes:sub(1, head_end - 1))
  if type(entry) ~= "table" or not entry.version then return nil, "the entry is not a JSON object with a version" end
  if entry.version ~= VERSION then
    return nil, ("the entry has version %s, from another version of waba: expected version %d"):format(
      tostring(entry.version), VERSION)
  end
  if head_end > #bytes then return nil, "the entry has no message" end
  return entry, bytes:sub(head_end + 1)
end

-- The fields of a message other than its type and its content.
local MESSAGE_FIELDS = { "category", "ttl_seconds", "direct_send_config" }

--- Returns the message in the body of a request.
---@param body string
---@return waba.Message
function entries.message_of(body)
  local content = core.decode(body)
  local message = { type = content.type, [content.type] = content[content.type] }
  for _, name in ipairs(MESSAGE_FIELDS) do message[name] = content[name] end
  if content.preview_url ~= nil then message.text.preview_url = content.preview_url end -- on On-Premise hosting
  return message
end

-- The fields of an error that are stored.
local ERROR_FIELDS = {
  "kind", "message", "code", "subcode", "status", "title", "details", "href", "path", "retryable", "retry_after",
  "scope", "maybe_sent", "trace_id",
}

--- Returns a table with the fields of an error that are stored. The table can be encoded as JSON.
---@param err waba.Error|nil
---@return table|nil
function entries.plain_error(err)
  if not err then return nil end
  local copy = {}
  for _, name in ipairs(ERROR_FIELDS) do copy[name] = err[name] end
  return copy
end

return entries
