-- `client:send_all` with an outbox: fills the outbox from the source, and waits until senders have sent the messages.

local core = require "waba.core"
local encoding = require "waba.encoding"
local errors = require "waba.errors"
local figures = require "waba.bulk.figures"
local keys = require "waba.bulk.keys"
local recipient = require "waba.recipient"
local source_reader = require "waba.bulk.source_reader"

local clock = core.clock

local outbox_run = {}

-- BATCH: the number of entries that are put in one call. BEAT: the seconds between two reads of the results, and
-- between two attempts while the store fails. REPORT: the seconds between two reports of progress.
local BATCH, BEAT, REPORT = 100, 0.25, 0.5

local function entries_of(self, items)
  local entries = {}
  for index, item in ipairs(items) do
    entries[index] = {
      to = item.to, message = item.message, number = self.options.number, bulk = true, options = self.options.send,
      campaign = self.options.campaign, key = self.prefix .. keys.text(item.key),
    }
  end
  return entries
end

local function notify(self, item, err)
  if self.options.on_result then self.options.on_result(item.key, nil, err, item.to) end
end

local function refuse(self, item, err)
  self.refused = self.refused + 1
  notify(self, item, err)
end

-- Checks an item as `source_reader.check` does, and its recipient, because `outbox:put` raises an error for a recipient
-- of a wrong type. The third result is true if the recipient is invalid.
local function check(self, item)
  local to, err = recipient.read(item.to)
  if not to then return nil, err, true end
  return source_reader.check(self, item)
end

-- Returns the items that must be sent. For an item with a repeated key, or whose recipient wants no marketing messages,
-- calls `on_result` with an error. Returns nil and an error if the receiver's store can't be read.
local function select_items(self, items)
  local selected = {}
  for _, item in ipairs(items) do
    local name = keys.name(keys.text(item.key))
    if self.known:state(name) then
      refuse(self, item, source_reader.repeated(item.key))
    else
      self.known:set(name, "seen")
      local is_allowed, err, is_invalid = check(self, item)
      if is_allowed then
        selected[#selected + 1] = item
      elseif is_invalid then
        refuse(self, item, err)
      elseif err.path == "suppress" then
        notify(self, item, err)
      else
        return nil, err
      end
    end
  end
  return selected
end

-- Puts items into the outbox. Calls `on_result` with an error for each item that the outbox refuses. Returns an error
-- if the store of the outbox has failed for longer than `patience`.
local function put(self, items)
  local since = clock()
  while #items > 0 do
    local ids, err = self.options.outbox:put(entries_of(self, items))
    if ids then
      self.puts[#self.puts + 1] = table.concat(ids, " ") -- needs less memory than the ids in a table
      return nil
    elseif err.index then
      refuse(self, table.remove(items, err.index), err)
    elseif clock() - since >= self.options.patience then
      return err
    else
      self.client.transport:sleep(BEAT)
    end
  end
end

-- Reads the results of the campaign, and calls `on_progress`. Returns true; or nil and an error.
local function update(self, is_last)
  local counts, err = self.options.outbox:campaign(self.options.campaign)
  if not counts then return nil, err end
  local count = self.count
  count.sent, count.maybe_sent = counts.sent, counts.uncertain
  count.failed = counts.failed + counts.cancelled + self.refused
  local now = clock()
  if self.options.on_progress and (is_last or now - self.reported >= REPORT) then
    self.reported = now
    self.options.on_progress(count:read(now))
  end
  return true
end

-- Returns whether all entries of this run have results. The numbers of the campaign do not show this, because they also
-- contain the results of other runs of the campaign, on other machines and before.
local function are_finished(self)
  for index = self.checked + 1, #self.puts do
    local is_finished, err = self.options.outbox:are_finished(self.puts[index])
    if not is_finished then return is_finished, err end
    self.checked = index
  end
  return true
end

local function is_stopped(self)
  if self.options.stop and self.options.stop() then self.stopped = true end
  return self.stopped
end

-- Puts all messages of the source into the outbox. Returns an error if the messages can't be put.
local function fill_all(self)
  while not self.is_exhausted and not is_stopped(self) do
    local items, err = select_items(self, source_reader.read(self, BATCH))
    if items then err = put(self, items) end
    if err then return err end
    update(self)
  end
end

-- Waits until all entries have results. Returns an error if the store of the outbox has failed for longer than
-- `patience`.
local function await_all(self)
  local since = clock()
  while not is_stopped(self) do
    local is_finished, err = update(self)
    if is_finished then is_finished, err = are_finished(self) end
    if is_finished then return nil end
    if is_finished == false then since = clock() elseif clock() - since >= self.options.patience then return err end
    self.client.transport:sleep(BEAT)
  end
end

-- A run with an outbox. source_reader.lua calls the method `end_source`, which the runs of run.lua also have.
local OutboxRun = {}
OutboxRun.__index = OutboxRun

function OutboxRun:end_source(raised)
  self.raised, self.is_exhausted = { value = raised }, true
end

--- Puts the messages of the source into the outbox, and waits for their results. If the source raises an error, waits
--- until all earlier messages have results, and then raises the error again. Returns a `waba.BulkSummary`; or nil and
--- an error, whose field `summary` is a `waba.BulkSummary`.
function outbox_run.run(client, source, options)
  local now = clock()
  local self = setmetatable({
    client = client, source = source, options = options, position = 0,
    -- of two campaigns "a" and "a:b", the keys "b:c" and "c" are different keys of the outbox
    prefix = encoding.percent(options.campaign, "[%%:]") .. ":",
    known = keys.new(), recipients = options.unique and {} or nil,
    count = figures.new(options.total, now, options.suppress ~= nil), reported = now, refused = 0, puts = {},
    checked = 0,
  }, OutboxRun)
  local err = fill_all(self) or await_all(self)
  if self.raised then error(self.raised.value, 0) end
  update(self, true)
  local summary = self.count:summary(clock())
  summary.stopped = self.stopped
  if not err then return summary end
  return nil, errors.new { kind = err.kind, message = err.message, retryable = true, summary = summary }
end

return outbox_run
