-- The journal of a bulk run: a text file with one line for each event. The key of a message is on the disk before the
-- message is sent. The result is written before `on_result` is called, and before the next message of the same worker
-- is sent. After a crash, only the messages with a key and without a result are uncertain.
--
--   waba journal 1 positions              the first line; "keys" instead of "positions" if the source returns keys
--   opened 2024-04-12T09:30:00Z spring    a run of the campaign "spring" has started
--   check 1000 5f0c17a2                   the hash of the recipient at position 1000, to detect another source
--   begun 17                              the message with the key 17 will be sent
--   sent 17 gBEGkYiEB1VXAglK1ZEqA1YKPrU   the gateway has accepted the message and returned its id
--   failed 17 recipient 1013              the message was refused: kind and code of the error
--   maybe 17 timeout                      the result is uncertain: kind of the error
--   withdrawn 17                          the message was certainly not sent, despite its line "begun"

local core = require "waba.core"
local errors = require "waba.errors"
local keys = require "waba.bulk.keys"
local open_file = require "waba.open"
local recipient = require "waba.recipient"

-- The results of all runs of one campaign, or of all runs without a campaign. The results without a campaign count for
-- every campaign, because these messages may belong to any campaign.
---@class waba.JournalSection
---@field campaign? string
---@field sent integer  the number of messages that were sent
---@field failed integer  the number of lines "failed"; a later run may have sent some of these messages
---@field keys? waba.BulkKeys  only for the campaign with which the journal was opened, and for runs without a campaign
---@field checks? table<integer, string>  the hashes of recipients by position; nil if `keys` is nil

---@class waba.BulkJournal
---@field keys waba.BulkKeys  results of earlier runs of the campaign
---@field uses "positions"|"keys"|nil  what identifies the messages; nil in a new journal
---@field sections table<string|false, waba.JournalSection>  the sections by campaign; false: runs without a campaign
---@field last_campaign? string|false  the campaign of the last run; false: the last run had no campaign; nil: no run
local Journal = { __name = "waba.BulkJournal" }
Journal.__index = Journal

local journal = {}

local concat = table.concat
local escape, unescape = keys.escape, keys.unescape

local HEADER = "waba journal 1 "
local PIECE = 64 * 1024 -- the number of bytes that are read from the file at once

local function journal_error(path, reason)
  return errors.invalid("journal", ("the journal %s %s"):format(path, reason))
end

-- The functions that read a line, by the first word of the line. The functions return false for an invalid line.
local readers = {}

for word, method in pairs { begun = "begin", withdrawn = "withdraw" } do
  readers[word] = function(section, rest)
    if rest:find " " then return false end
    if section.keys then section.keys[method](section.keys, keys.name(unescape(rest))) end
  end
end

for _, state in ipairs { "sent", "failed", "maybe" } do
  readers[state] = function(section, rest)
    local key = rest:match "^(%S+) %S"
    if not key then return false end
    if section[state] then section[state] = section[state] + 1 end
    if section.keys then section.keys:set(keys.name(unescape(key)), state) end
  end
end

function readers.check(section, rest)
  local position, hash = rest:match "^(%d+) (%x+)$"
  if not position then return false end
  if section.checks then section.checks[tonumber(position)] = hash end
end

local function section_of(self, campaign)
  local section = self.sections[campaign]
  if not section then
    section = { campaign = campaign or nil, sent = 0, failed = 0 }
    if not campaign or campaign == self.campaign then section.keys, section.checks = self.keys, self.checks end
    self.sections[campaign] = section
  end
  return section
end

-- Reads one line. Returns false if the line is not a line of a journal.
local function read_line(self, line)
  if not self.uses then
    self.uses = line:match("^" .. HEADER .. "(%l+)$")
    return self.uses == "positions" or self.uses == "keys"
  end
  -- After a power failure, zeros may replace lines that were not yet on the disk. Only lines with results can be
  -- missing, because a line "begun" is on the disk before its message is sent.
  if line:find("\0", 1, true) then return true end
  local word, rest = line:match "^(%l+) (.+)$"
  if word == "opened" then
    local campaign = rest:match "^%S+ (%S+)$"
    self.last_campaign = campaign and unescape(campaign) or false
    self.section = section_of(self, self.last_campaign)
    return true
  end
  local reader = readers[word]
  return reader ~= nil and reader(self.section, rest) ~= false
end

-- Reads all complete lines. Returns the number of bytes in complete lines, or nil and the reason why a line is invalid.
local function read_lines(self, file)
  local rest, taken, count = "", 0, 0
  for piece in function() return file:read(PIECE) end do
    local text, start = rest .. piece, 1
    local stop = text:find("\n", 1, true)
    while stop do
      count = count + 1
      if not read_line(self, text:sub(start, stop - 1)) then
        if count == 1 then return nil, "is not a journal that this version of waba can read: expected a new path" end
        return nil, ("can't be read: line %d is not a journal record"):format(count)
      end
      start = stop + 1
      stop = text:find("\n", start, true)
    end
    taken, rest = taken + start - 1, text:sub(start)
    if count == 0 and #rest > PIECE then break end
  end
  if count == 0 and rest ~= "" and rest ~= HEADER:sub(1, #rest) and rest:sub(1, #HEADER) ~= HEADER then
    return nil, "is not a journal that this version of waba can read: expected a new path"
  end
  return taken
end

-- Reads the file, and removes an incomplete last line, which a crash can leave.
local function load(self)
  local file, message = open_file(self.path, "rb")
  if not file then return nil, "can't be read: " .. message end
  local taken
  taken, message = read_lines(self, file)
  file:close()
  if not taken then return nil, message end
  if taken == self.file:size() then return true end
  local cut
  cut, message = self.file:truncate(taken)
  if not cut then return nil, "can't be written: " .. message end
  return true
end

local function new(path, file, campaign)
  local self = setmetatable({
    path = path, file = file, campaign = campaign, keys = keys.new(), checks = {}, sections = {},
    lines = {}, -- the buffered lines, which are not yet written to the file
  }, Journal)
  self.section = section_of(self, false)
  return self
end

--- Reads the section of the last run's campaign, and the section of the campaign `campaign`.
---@return waba.JournalSection|nil last  nil: there is no journal, or its last run has no campaign
---@return waba.JournalSection? own  nil: the journal has no run of the campaign
function journal.last_section(path, campaign)
  local file = io.open(path, "rb")
  if not file then return nil end
  local self = new(path, nil, nil)
  local taken = read_lines(self, file)
  file:close()
  if not taken then return nil end
  return self.last_campaign and self.sections[self.last_campaign] or nil, campaign and self.sections[campaign]
end

--- Opens a journal and reads the results of earlier runs. Creates a missing file. No other run can open the journal
--- until the journal is closed.
---@return waba.BulkJournal|nil
---@return waba.Error? err  kind "invalid", path "journal"
function journal.open(path, campaign)
  local file, message, is_locked = core.append(path)
  if is_locked then
    -- a run whose coroutine was ended may have the journal open until the garbage collector closes the file
    collectgarbage()
    collectgarbage()
    file, message, is_locked = core.append(path)
  end
  if not file then
    return nil, journal_error(path, is_locked and "is in use by another run: expected another path"
      or "can't be written: " .. message)
  end
  local self = new(path, file, campaign)
  local ok
  ok, message = load(self)
  if not ok then
    file:close()
    return nil, journal_error(path, message)
  end
  return self
end

--- Makes the first lines of a run, which the next write puts before the other lines of the run. Returns an error if the
--- first run has identified the messages by keys, and this run by positions, or the reverse.
function Journal:name(uses)
  if self.uses and self.uses ~= uses then
    return journal_error(self.path, self.uses == "keys"
      and "has keys, but the source returns none: expected the same source"
      or "has positions, but the source returns keys: expected the same source")
  end
  self.heading = ("%s%s%s\n"):format(self.uses and "" or HEADER .. uses .. "\n", os.date "!opened %Y-%m-%dT%H:%M:%SZ",
    self.campaign and " " .. escape(self.campaign) or "")
  self.uses = uses
end

-- The journal has hashes of the recipients at powers of two and at multiples of 1000. Most powers of two are at the
-- beginning of the source, where two sources usually differ.
local POWERS_OF_TWO = {}
for exponent = 0, 52 do POWERS_OF_TWO[2 ^ exponent] = true end

local function hash_of(to)
  local text = recipient.normalize(to) or type(to) == "table" and core.encode(to) or tostring(to)
  return core.hmac_sha256("waba journal", text):sub(1, 8)
end

--- Returns an error if the hash of the recipient at a position differs from the hash in the journal.
function Journal:verify(position, to)
  if self.checks[position] ~= hash_of(to) then
    local reason = "is of another source: recipient %d differs; expected that source, or another path"
    return journal_error(self.path, reason:format(position))
  end
end

-- Writes the buffered lines and then `text` to the file. After an error, the next call writes the lines again, but not
-- `text`.
local function append(self, text)
  local lines = self.lines
  local count = #lines
  lines[count + 1] = text
  local written, message = self.file:write((self.heading or "") .. concat(lines))
  if written then
    self.lines, self.heading = {}, nil
  else
    self.message, lines[count + 1] = message, nil
  end
  return written
end

-- Adds the line "check" of a position to the buffered lines, unless the journal has this line.
local function add_check(self, position, to)
  if self.checks[position] then return end
  self.checks[position] = hash_of(to)
  self.lines[#self.lines + 1] = ("check %d %s\n"):format(position, self.checks[position])
end

--- Writes the buffered lines, and a line "begun" for each message, to the disk before the messages are sent.
---@param workers { item: table }[]  the field `item` is the message
---@return true|nil  nil: the messages must not be sent; the field `message` of the journal has the reason
function Journal:begin(workers)
  local words, has_positions = {}, self.uses == "positions"
  for i = 1, #workers do
    local item = workers[i].item
    local key = item.key
    if has_positions and (key % 1000 == 0 or POWERS_OF_TWO[key]) then add_check(self, key, item.to) end
    words[i] = item.word
  end
  if not append(self, "begun " .. concat(words, "\nbegun ") .. "\n") then return nil end
  local synced, message = self.file:sync()
  if not synced then self.message = message end
  return synced
end

--- Adds a result to the buffered lines. `state` is "sent", "failed" or "maybe". `detail` is the end of the line: an id
--- encoded by `escape`, or the kind and code of an error.
function Journal:result(item, state, detail)
  local lines = self.lines
  lines[#lines + 1] = state .. " " .. item.word .. " " .. detail .. "\n"
end

--- Adds a line "withdrawn" to the buffered lines: the message was not sent, despite its line "begun".
function Journal:withdraw(item)
  self.lines[#self.lines + 1] = "withdrawn " .. item.word .. "\n"
end

--- Writes the buffered lines to the file. The lines reach the disk with the next call of `begin`, or when the journal
--- is closed.
---@return true|nil  nil: the field `message` of the journal has the reason
function Journal:write() return #self.lines == 0 or append(self) end

--- Writes the remaining lines, waits until all lines are on the disk, and closes the file.
---@return waba.Error|nil err  a line could not be written
function Journal:close()
  self:write()
  local synced, message = self.file:sync()
  self.file:close()
  if not synced then self.message = message end
  if self.message then
    local lost = #self.lines
    return errors.new {
      kind = "unavailable", path = "journal",
      message = ("the journal %s can't be written: %s%s"):format(self.path, self.message,
        lost > 0 and ("; %d of its last lines are missing"):format(lost) or ""),
    }
  end
end

return journal
