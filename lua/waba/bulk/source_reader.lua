-- Reads the source of a bulk run: checks the messages, and skips messages that have a result in the journal.

local errors = require "waba.errors"
local keys = require "waba.bulk.keys"
local recipient = require "waba.recipient"
local suppression = require "waba.client.suppression"

local source_reader = {}

local LONGEST_KEY = 512
local PORTION = 500 -- the number of skipped recipients after which other coroutines run

-- Returns an error text if the message or the key is invalid, otherwise nil.
local function invalid(run, message, key)
  if type(message) ~= "table" then
    return ("the message must be a table from a builder, not a %s"):format(type(message))
  end
  if run.has_keys == nil then run.has_keys = key ~= nil end
  if run.has_keys ~= (key ~= nil) then return "some have a key and some have none: expected a key for all or none" end
  if key ~= nil and (not keys.text(key) or key == "" or #keys.text(key) > LONGEST_KEY) then
    return ("a key must be a whole number or a string of 1 to %d bytes"):format(LONGEST_KEY)
  end
end

-- Returns the next item of the source; nil if the source has ended, has raised an error, or has returned invalid
-- values.
local function next_item(run)
  local ok, to, message, key = pcall(run.source)
  if not ok then
    run:end_source(to)
    return nil
  elseif to == nil then
    run.is_exhausted = true
    return nil
  end
  run.position = run.position + 1
  local reason = invalid(run, message, key)
  if reason then
    run:end_source(("client:send_all: message %d of the source: %s"):format(run.position, reason))
    return nil
  end
  return { to = to, message = message, position = run.position, key = key == nil and run.position or key }
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

-- Returns whether an item must be sent according to the journal. Counts an item that has a result. Reports an item that
-- has a repeated key, or whose result is uncertain after a crash.
local function is_due(run, item)
  local journal, options = run.journal, run.options
  local known = journal.keys
  item.text = keys.text(item.key)
  local state = known:state(item.text)
  if state == "seen" then
    item.is_unwritten = true
    run:settle(item, nil, source_reader.repeated(item.key))
    return false
  end
  if run.has_keys then known:set(item.text, "seen") else known:withdraw(item.text) end
  if state == nil or state == "failed" and options.retry_failed then return true end
  if (state == "begun" or state == "maybe") and options.retry_maybe_sent then return true end
  if state == "begun" then
    run:settle(item, nil, uncertain())
  else
    run.count:add "skipped"
    if state == "failed" then run.count:add "failed_before" end
    if state == "maybe" then run.count:add "maybe_sent_before" end
  end
  return false
end

-- Ends the run if the journal belongs to another source. Returns whether the journal belongs to this source.
local function belongs(run, item)
  local journal = run.journal
  local err = item.position == 1 and journal:name(run.has_keys and "keys" or "positions")
    or not run.has_keys and journal:verify(item.position, item.to)
  if err then run:give_up(err) end
  return not err
end

--- Reads from the source until `most` messages to send were found, the source has ended, or many messages were skipped.
---@return table[] items  each item has the fields `to`, `message`, `key`, `position` and `text` (the key as text)
function source_reader.read(run, most)
  local items = {}
  for _ = 1, PORTION do
    if #items == most or run.is_ending then break end
    local item = next_item(run)
    if not item then break end
    local address = run.recipients and recipient.read(item.to) -- nil: the recipient is invalid
    if address and run.recipients[address] then
      run.count:add "duplicates"
    elseif not run.journal then
      items[#items + 1] = item
    elseif not belongs(run, item) then
      break
    elseif is_due(run, item) then
      items[#items + 1] = item
    end
    if address then run.recipients[address] = true end
  end
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

--- Reports, at the end of the source, the messages with an uncertain result that the source has not returned. The
--- reports have no recipient, because the journal contains no recipients.
function source_reader.report_uncertain(run)
  if run.options.retry_maybe_sent then return end
  local left = {}
  for text in pairs(run.journal.keys.begun) do left[#left + 1] = text end
  table.sort(left)
  for _, text in ipairs(left) do
    local position = run.journal.uses == "positions" and tonumber(text)
    run:settle({ key = position or text, text = text }, nil, uncertain())
  end
end

return source_reader
