-- Reads the source of a bulk run: checks the messages, and skips messages that have a result in the journal.

local errors = require "waba.errors"
local keys = require "waba.bulk.keys"
local recipient = require "waba.recipient"
local suppression = require "waba.client.suppression"

local source_reader = {}

local LONGEST_KEY = 512
local PORTION = 500 -- the number of skipped recipients after which other coroutines run

-- Checks the message and the key that the source has returned. Returns the key as text, or nil without a key.
local function read_key(run, message, key)
  local reason
  if type(message) ~= "table" then
    reason = ("the message must be a table from a builder, not a %s"):format(type(message))
  elseif run.has_keys ~= (key ~= nil) then
    reason = "some have a key and some have none: expected a key for all or none"
  elseif key == nil then
    return nil
  else
    local text = keys.text(key)
    if text and text ~= "" and #text <= LONGEST_KEY then return text end
    reason = ("a key must be a whole number or a string of 1 to %d bytes"):format(LONGEST_KEY)
  end
  error(("client:send_all: message %d of the source: %s"):format(run.position, reason), 0)
end

local function uncertain()
  return errors.new {
    kind = "cancelled", maybe_sent = true,
    message = "an earlier run ended before the response to this message: option retry_maybe_sent sends it again",
  }
end

--- Returns the error of an item whose key the source has returned before.
function source_reader.repeated(key)
  return errors.invalid("key",
    ("key %s repeats the key of an earlier message of this run: expected unique keys"):format(tostring(key)))
end

-- Returns whether an item must be sent according to the journal. Counts an item that has a result. Calls `on_result`
-- for an item that has a repeated key, or whose result is uncertain after a crash. Ends the run if the journal belongs
-- to another source.
local function is_due(run, journal, item, text)
  local options, key, known = run.options, item.key, journal.keys
  local err = run.position == 1 and journal:name(text and "keys" or "positions")
    or not text and journal.checks[key] and journal:verify(key, item.to)
  if err then
    run:give_up(err)
    return false
  end
  local name = text and keys.name(text) or key
  local state = known:state(name)
  if state == "seen" then
    run:settle(item, nil, source_reader.repeated(key))
    return false
  end
  if text then known:set(name, "seen") elseif state == "begun" then known:withdraw(name) end
  if state == "sent" or state == "failed" and not options.retry_failed
    or state == "maybe" and not options.retry_maybe_sent then
    run.count:add "skipped"
    if state ~= "sent" then run.count:add(state == "failed" and "failed_before" or "maybe_sent_before") end
    return false
  end
  item.word = text and keys.escape(text) or tostring(key)
  if state ~= "begun" or options.retry_maybe_sent then return true end
  run:settle(item, nil, uncertain())
  return false
end

-- Returns whether a recipient has occurred before. An invalid recipient counts as new.
local function is_repeated(recipients, to)
  local address = recipient.read(to)
  if not address then return false end
  local is_known = recipients[address] ~= nil
  recipients[address] = true
  return is_known
end

local function read_items(run, items, most)
  local source, journal, recipients = run.source, run.journal, run.recipients
  for _ = 1, PORTION do
    if #items == most or run.is_ending then break end
    local to, message, key = source()
    if to == nil then
      run.is_exhausted = true
      break
    end
    local position = run.position + 1
    run.position = position
    if position == 1 then run.has_keys = key ~= nil end
    local text = read_key(run, message, key)
    local item = { to = to, message = message, key = text and key or position, word = nil }
    if recipients and is_repeated(recipients, to) then
      run.count:add "duplicates"
    elseif not journal or is_due(run, journal, item, text) then
      items[#items + 1] = item
    end
  end
end

--- Reads from the source until `most` messages to send were found, the source has ended, or many messages were skipped.
---@return table[] items  each item has the fields `to`, `message` and `key`; with a journal also `word`, the key as the
---        journal writes it
function source_reader.read(run, most)
  local items = {}
  local ok, raised = pcall(read_items, run, items, most)
  if not ok then run:end_source(raised) end
  return items
end

--- Checks whether the option `suppress` allows the message of an item. Counts a message that must not be sent.
---@return true|nil is_allowed
---@return waba.Error? err  with the path "suppress": the message must not be sent; with another path: the
---        receiver's store can't be read
function source_reader.check(run, item)
  local options = run.options
  if not options.suppress then return true end
  local is_allowed, err = suppression.check(options.suppress, run.client, item.to, item.message, options.marketing,
    options.number)
  if not is_allowed and err.path == "suppress" then run.count:add "suppressed" end
  return is_allowed, err
end

--- At the end of the source, calls `on_result` for the messages with an uncertain result that the source has not
--- returned. The recipient is nil in these calls, because the journal contains no recipients.
function source_reader.report_uncertain(run)
  if run.options.retry_maybe_sent then return end
  local journal, left = run.journal, {}
  for name in pairs(journal.keys.begun) do left[#left + 1] = keys.text(name) end
  table.sort(left)
  for _, text in ipairs(left) do
    local position = journal.uses == "positions" and tonumber(text)
    run:settle({ key = position or text, word = keys.escape(text) }, nil, uncertain())
  end
end

return source_reader
