-- The ledger of a soak test records the library's result of each message. At the end the ledger compares the results
-- with the messages that the emulator accepted. The results are written to a file, because in memory they would look
-- like a leak.

local core = require "waba.core"

local ledger = {}

local Ledger = {}
Ledger.__index = Ledger

-- The largest number of violated guarantees that are reported.
local MOST = 10

--- Returns the part of a message's text that identifies the message.
function ledger.mark(number) return ("soak message %d."):format(number) end

function ledger.new(path)
  return setmetatable({
    path = path, file = assert(io.open(path, "wb")), counts = { sent = 0, maybe_sent = 0, failed = 0 },
    kinds = {}, examples = {}, problems = {}, problem_count = 0, returned = 0,
  }, Ledger)
end

--- Records a violated guarantee.
function Ledger:blame(sentence)
  self.problem_count = self.problem_count + 1
  if #self.problems < MOST then self.problems[#self.problems + 1] = sentence end
end

--- Writes the result of a message.
---@param sent waba.Sent|nil  nil: the send returned an error
---@param err waba.Error|nil  nil: the message was sent
function Ledger:enter(number, sent, err)
  local outcome = sent and "sent" or err.maybe_sent and "maybe_sent" or "failed"
  self.returned = self.returned + 1
  self.counts[outcome] = self.counts[outcome] + 1
  if err then
    local kind = ("%s %s, %s"):format(err.kind, err.status or "without a response", outcome)
    self.kinds[kind] = (self.kinds[kind] or 0) + 1
    self.examples[kind] = self.examples[kind] or err.message
  end
  assert(self.file:write(("%d %s %s\n"):format(number, outcome, sent and sent.id or "-")))
end

-- Returns the ids of the messages that the emulator accepted. The keys are the numbers of the messages.
local function read_record(self, path)
  local accepted = {}
  for line in io.lines(path) do
    local message = core.decode(line)
    local number, id = tonumber(line:match "soak message (%d+)%."), message and message.id
    if not number or not id then
      self:blame("the record has a line that is not a message of the soak test: " .. line)
    elseif accepted[number] then
      self:blame(("message %d was accepted twice: %s, %s"):format(number, accepted[number], id))
    else
      accepted[number] = id
    end
  end
  return accepted
end

-- Compares the result of one message with the emulator's record.
local function compare(self, number, outcome, id, accepted)
  if outcome == "sent" and not accepted then
    self:blame(("message %d counts as sent, but the emulator has not accepted it"):format(number))
  elseif outcome == "sent" and accepted ~= id then
    self:blame(("message %d was accepted as %s, but has the id %s"):format(number, accepted, id))
  elseif outcome == "failed" and accepted then
    self:blame(("message %d counts as not sent, but was accepted"):format(number))
  end
end

function Ledger:close() assert(self.file:close()) end

--- Compares all results: each message has one result, which agrees with the emulator's record.
---@param record string   path of the emulator's record
---@param count integer   messages, numbered from 1
---@return { accepted: integer, uncertain_accepted: integer }
function Ledger:compare(record, count)
  local accepted, results = read_record(self, record), {}
  local tally = { accepted = 0, uncertain_accepted = 0 }
  for line in io.lines(self.path) do
    local digits, outcome, id = line:match "^(%d+) (%S+) (%S+)$"
    local number = tonumber(digits)
    if results[number] then self:blame(("message %d has two results"):format(number)) end
    results[number] = true
    compare(self, number, outcome, id, accepted[number])
    if outcome == "maybe_sent" and accepted[number] then tally.uncertain_accepted = tally.uncertain_accepted + 1 end
  end
  for number = 1, count do
    if not results[number] then self:blame(("message %d has no result"):format(number)) end
    if accepted[number] then tally.accepted = tally.accepted + 1 end
    accepted[number] = nil
  end
  if next(accepted) then self:blame(("message %d was never sent, but accepted"):format((next(accepted)))) end
  return tally
end

return ledger
