-- The inbox in one SQLite file: survives the end of the process at any moment, and may be shared by
-- several processes of one machine. The contract is in contract.lua.

local core = require "waba.core"
local customers = require "waba.inbox.customers"
local keys = require "waba.inbox.keys"
local library = require "waba.library"
local options = require "waba.options"
local policy = require "waba.inbox.policy"
local record = require "waba.inbox.record"
local sqlite_connection = require "waba.inbox.sqlite_connection"
local sqlite_file = require "waba.inbox.sqlite_file"

local quote = sqlite_connection.quote

-- Unix seconds with milliseconds, by the clock that all processes share.
local NOW = "((julianday('now') - 2440587.5) * 86400.0)"

local LEASE_OVER = "its lease was over before it was handled"

---@class waba.SqliteInbox : waba.Inbox
local Sqlite = {}
Sqlite.__index = Sqlite
Sqlite.__name = "waba.inbox.sqlite"
Sqlite.durable, Sqlite.grouped = true, true

-- Lets the next events of some conversations (quoted) come.
local function promote(inbox, conversations)
  if #conversations == 0 then return end
  inbox.database:execute(([[UPDATE waba_event SET head = 1 WHERE seq IN
    (SELECT min(seq) FROM waba_event WHERE conversation IN (%s) GROUP BY conversation)]]):format(
    table.concat(conversations, ",")))
end

-- Calls `work` with lists that are short enough for one statement each.
local function in_portions(entries, work)
  local portion, size = {}, 0
  for _, entry in ipairs(entries) do
    local length = #(entry.body or "") + #(entry.key or "") + #(entry.conversation or "") + 100
    if #portion > 0 and (size + length > 300000 or #portion >= 250) then
      work(portion)
      portion, size = {}, 0
    end
    portion[#portion + 1], size = entry, size + length
  end
  if #portion > 0 then work(portion) end
end

-- Which of these texts are in a column already.
local function present(inbox, query, texts)
  local found = {}
  if #texts == 0 then return found end
  local quoted = {}
  for index, text in ipairs(texts) do quoted[index] = quote(text) end
  for _, row in ipairs(inbox.database:rows(query:format(table.concat(quoted, ",")))) do found[row[1]] = true end
  return found
end

local function collect(entries, name)
  local texts = {}
  for _, entry in ipairs(entries) do texts[#texts + 1] = entry[name] end
  return texts
end

-- Sets the conversations of entries; the entries of one call share the names that were read.
local function name_conversations(inbox, entries, now)
  local database, store = inbox.database, {}
  local known = {} -- name to the name that it refers to, or false
  local is_fresh = {} -- names whose row is up to date

  local function look_up(names)
    if #names == 0 then return end
    local quoted = {}
    for index, name in ipairs(names) do quoted[index], known[name] = quote(name), false end
    local query = "SELECT name, root, until FROM waba_customer WHERE until > %d AND name IN (%s)"
    local roots = {}
    for _, row in ipairs(database:rows(query:format(now, table.concat(quoted, ",")))) do
      known[row[1]], is_fresh[row[1]] = row[2], row[3] > now + customers.REMEMBER / 2
      if known[row[2]] == nil then roots[#roots + 1] = row[2] end
    end
    look_up(roots)
  end

  function store.next(name)
    if known[name] == nil then look_up { name } end
    return known[name] or nil
  end

  function store.remember(name, root)
    if known[name] == root and is_fresh[name] then return end
    known[name], is_fresh[name] = root, true
    database:execute(("INSERT OR REPLACE INTO waba_customer (name, root, until) VALUES (%s, %s, %.3f)"):format(
      quote(name), quote(root), now + customers.REMEMBER))
  end

  function store.is_begun(root)
    local query = "SELECT 1 FROM waba_event WHERE conversation IN (%s, %s) AND attempts > 0"
    return database:value(query:format(quote(root), quote(keys.LANES[2] .. root))) ~= nil
  end

  function store.merge(from, to)
    for _, lane in ipairs(keys.LANES) do
      local old, new = quote(lane .. from), quote(lane .. to)
      local moved = database:execute(([[UPDATE waba_event SET conversation = %s, head = 0
        WHERE conversation = %s AND attempts = 0]]):format(new, old))
      if moved > 0 then
        -- the oldest event is the first one, unless another one was taken before
        database:execute(("UPDATE waba_event SET head = 0 WHERE conversation = %s AND attempts = 0"):format(new))
        local head = database:value(("SELECT 1 FROM waba_event WHERE conversation = %s AND head = 1"):format(new))
        if not head then promote(inbox, { new }) end
      end
    end
  end

  local unknown, is_listed = {}, {}
  for _, entry in ipairs(entries) do
    for _, name in ipairs(entry.names) do
      if not is_listed[name] then unknown[#unknown + 1], is_listed[name] = name, true end
    end
  end
  look_up(unknown)
  -- a later event may have the names of two earlier customers, who then are the same one
  for _, entry in ipairs(entries) do customers.join(store, entry.names) end
  for _, entry in ipairs(entries) do
    local root = customers.join(store, entry.names)
    entry.conversation = root and entry.lane .. root
  end
end

-- Stores events behind those of their conversations.
local function append(inbox, entries, now)
  name_conversations(inbox, entries, now)
  local waiting = present(inbox, "SELECT DISTINCT conversation FROM waba_event WHERE conversation IN (%s)",
    collect(entries, "conversation"))
  local values = {}
  for index, entry in ipairs(entries) do
    local conversation = entry.conversation
    values[index] = ("(%s,%d,0,%s)"):format(quote(conversation), waiting[conversation] and 0 or 1, quote(entry.body))
    if conversation then waiting[conversation] = true end
  end
  inbox.database:execute("INSERT INTO waba_event (conversation, head, due, body) VALUES " .. table.concat(values, ","))
end

-- What `put` stores of an event.
local function entry_of(inbox, event, body)
  local lane, names = keys.conversation(event, inbox.separate_statuses)
  return { key = keys.identity(event), lane = lane, names = names, body = body or record.encode(event) }
end

local function set_aside(inbox, seq, conversation, reason)
  inbox.database:execute(([[INSERT INTO waba_aside (conversation, attempts, at, reason, body)
    SELECT conversation, attempts, %s, %s, body FROM waba_event WHERE seq = %d]]):format(NOW, quote(reason), seq))
  inbox.database:execute(("DELETE FROM waba_event WHERE seq = %d"):format(seq))
  promote(inbox, { conversation and quote(conversation) })
end

local function lease_of(inbox, event)
  return inbox.leases[event] or error("this event was not taken from this inbox", 3)
end

-- Whether a worker's lease still stands.
local function holds(inbox, lease)
  local query = "SELECT 1 FROM waba_event WHERE seq = %d AND token = %d"
  return inbox.database:value(query:format(lease.seq, lease.token)) ~= nil
end

-- Drops the oldest keys whose time is over, now and then: as many as have come since, and some.
local function forget_old(inbox, now, stored)
  inbox.since_forgetting = inbox.since_forgetting + stored
  if inbox.since_forgetting < 500 then return end
  local statement = ([[DELETE FROM {table} WHERE {key} IN
    (SELECT {key} FROM {table} WHERE until <= %d ORDER BY until LIMIT %d)]]):format(now, inbox.since_forgetting + 100)
  for table_name, key in pairs { waba_seen = "key", waba_customer = "name" } do
    inbox.database:execute((statement:gsub("{(%w+)}", { table = table_name, key = key })))
  end
  inbox.since_forgetting = 0
end

-- The entries that are not known yet, in their order; they are known from now on.
local function keep_new(inbox, entries, now)
  local known = present(inbox, ("SELECT key FROM waba_seen WHERE until > %d AND key IN (%%s)"):format(now),
    collect(entries, "key"))
  local fresh, values = {}, {}
  for _, entry in ipairs(entries) do
    if not entry.key or not known[entry.key] then fresh[#fresh + 1] = entry end
    if entry.key and not known[entry.key] then
      known[entry.key] = true
      values[#values + 1] = ("(%s,%.3f)"):format(quote(entry.key), now + inbox.remember)
    end
  end
  if #values > 0 then
    inbox.database:execute("INSERT OR REPLACE INTO waba_seen (key, until) VALUES " .. table.concat(values, ","))
  end
  return fresh
end

function Sqlite:put(events)
  local entries = {}
  for index, event in ipairs(events) do entries[index] = entry_of(self, event) end
  return self.database:transaction(function()
    local now, stored = os.time(), 0
    in_portions(entries, function(portion)
      local fresh = keep_new(self, portion, now)
      if #fresh > 0 then append(self, fresh, now) end
      stored = stored + #fresh
    end)
    forget_old(self, now, stored)
    return stored
  end, self.sync or nil)
end

-- Gives one due event to the worker, or sets it aside when it was tried too often.
local function lend(inbox, row, lease)
  local seq, conversation, attempts = row[1], row[2], row[3]
  if attempts >= inbox.retry.attempts then
    set_aside(inbox, seq, conversation, row[5] or LEASE_OVER)
    return nil
  end
  local token = math.floor(core.random() * 2 ^ 52)
  inbox.database:execute(("UPDATE waba_event SET attempts = %d, token = %d, due = %s + %.3f WHERE seq = %d"):format(
    attempts + 1, token, NOW, lease, seq))
  local event = record.decode(row[4])
  inbox.leases[event] = {
    seq = seq, token = token, conversation = conversation, attempts = attempts + 1, body = row[4],
  }
  return event
end

local DUE = "FROM waba_event WHERE head = 1 AND due <= " .. NOW .. " ORDER BY seq LIMIT %d"

local function take_due(inbox, n, lease)
  local taken = {}
  local was_set_aside
  repeat
    was_set_aside = false
    local due = inbox.database:rows(("SELECT seq, conversation, attempts, body, reason " .. DUE):format(n - #taken))
    for _, row in ipairs(due) do
      local event = lend(inbox, row, lease)
      taken[#taken + 1] = event
      was_set_aside = was_set_aside or not event
    end
  until not was_set_aside
  return taken
end

-- A look first: workers that find nothing to do leave the writers alone.
function Sqlite:take(n, lease)
  local database = self.database
  local is_due, err = database:guarded(function() return database:value(("SELECT 1 " .. DUE):format(1)) or false end)
  if is_due == nil then return nil, err end
  if not is_due then return {} end
  return database:transaction(function() return take_due(self, n or 1, lease or policy.LEASE) end)
end

function Sqlite:attempts(event)
  local lease = self.leases[event]
  return lease and lease.attempts or 0
end

function Sqlite:extend(event, seconds)
  local lease = lease_of(self, event)
  return self.database:transaction(function()
    if not holds(self, lease) then return nil, policy.lease_lost() end
    self.database:execute(("UPDATE waba_event SET due = %s + %.3f WHERE seq = %d"):format(
      NOW, seconds or policy.LEASE, lease.seq))
    return true
  end)
end

-- Ends an event whose lease has expired, in whatever state it is. Another event may have its `seq` by now.
local function remove_lost(inbox, lease)
  local condition = ("seq = %d AND body = %s"):format(lease.seq, quote(lease.body))
  local conversation = inbox.database:value("SELECT conversation FROM waba_event WHERE head = 1 AND " .. condition)
  inbox.database:execute("DELETE FROM waba_event WHERE " .. condition)
  if conversation then promote(inbox, { quote(conversation) }) end
  inbox.database:execute(([[DELETE FROM waba_aside WHERE seq =
    (SELECT max(seq) FROM waba_aside WHERE conversation IS %s AND body = %s)]]):format(
    quote(lease.conversation), quote(lease.body)))
end

function Sqlite:ack(event, is_done)
  local leases, conditions, conversations = {}, {}, {}
  for index, one in ipairs(policy.as_list(event)) do
    local lease = lease_of(self, one)
    leases[index] = lease
    conditions[index] = ("seq = %d AND token = %d"):format(lease.seq, lease.token)
    conversations[#conversations + 1] = lease.conversation and quote(lease.conversation)
  end
  if #leases == 0 then return true end
  local lost = false
  local ok, err = self.database:transaction(function()
    local removed = self.database:execute("DELETE FROM waba_event WHERE " .. table.concat(conditions, " OR "))
    lost = removed < #leases
    if lost and is_done then
      for _, lease in ipairs(leases) do remove_lost(self, lease) end
    end
    promote(self, conversations)
    return true
  end)
  if ok and lost then return nil, policy.lease_lost() end
  return ok, err
end

function Sqlite:fail(event, reason, is_final)
  local lease = lease_of(self, event)
  reason = tostring(reason or "no reason was given")
  return self.database:transaction(function()
    if not holds(self, lease) then return nil, policy.lease_lost() end
    if is_final or lease.attempts >= self.retry.attempts then
      set_aside(self, lease.seq, lease.conversation, reason)
      return false
    end
    local delay = policy.delay(self.retry, lease.attempts)
    self.database:execute(("UPDATE waba_event SET token = -1, due = %s + %.3f, reason = %s WHERE seq = %d"):format(
      NOW, delay, quote(reason), lease.seq))
    return delay
  end)
end

function Sqlite:release(event)
  local lease = lease_of(self, event)
  return self.database:transaction(function()
    if not holds(self, lease) then return nil, policy.lease_lost() end
    local statement = "UPDATE waba_event SET token = -1, due = 0, attempts = attempts - 1 WHERE seq = %d"
    self.database:execute(statement:format(lease.seq))
    return true
  end)
end

function Sqlite:set_aside(n)
  return self.database:guarded(function()
    local list = {}
    local query = "SELECT body, attempts, reason, at FROM waba_aside ORDER BY seq LIMIT %d"
    local found = self.database:rows(query:format(n or 100))
    for index, row in ipairs(found) do
      list[index] = { event = record.decode(row[1]), attempts = row[2], reason = row[3], at = row[4] }
    end
    return list
  end)
end

function Sqlite:revive()
  return self.database:transaction(function()
    local aside = self.database:rows("SELECT body FROM waba_aside ORDER BY seq")
    local entries = {}
    for index, row in ipairs(aside) do entries[index] = entry_of(self, record.decode(row[1]), row[1]) end
    in_portions(entries, function(portion) append(self, portion, os.time()) end)
    self.database:execute("DELETE FROM waba_aside")
    return #aside
  end)
end

function Sqlite:depth()
  return self.database:guarded(function() return self.database:value("SELECT count(*) FROM waba_event") end)
end

function Sqlite:next_due()
  return (self.database:guarded(function()
    local seconds = self.database:value(("SELECT min(due) - %s FROM waba_event WHERE head = 1"):format(NOW))
    return seconds and math.max(0, seconds)
  end))
end

function Sqlite:close()
  self.database:close()
end

local sqlite = {}

--- The options of `waba.inbox.sqlite`.
---@options waba.SqliteInboxOptions : waba.InboxOptions
local OPTIONS = options.with(policy.OPTIONS, {
  file = "string",                   -- required: the database; it and its directory must be writable. Created with mode
                                     -- 600, for its owner only. If it was removed or replaced, the file with this name is
                                     -- opened again
  busy_timeout = { "number>=0", 5 }, -- seconds to wait for another process's write. In nginx, in `waba.run`, cqueues and
                                     -- copas other coroutines run meanwhile
  sync = { "boolean", true },        -- true: `put` returns when the disk has the events, so that they survive a power
                                     -- failure; in nginx the worker waits for it (see bench/webhook.lua). false: they
                                     -- survive the end of the process
})

--- An inbox in a SQLite file. The file is opened at the first use, so that a process may fork before;
--- what can be seen of it now is: raises when it can't be opened or is no database.
---@param given waba.SqliteInboxOptions|string  a string is the file
---@return waba.SqliteInbox
function sqlite.new(given)
  if type(given) == "string" then given = { file = given } end
  local settings = policy.settings(given, OPTIONS, "waba.inbox.sqlite")
  if not settings.file then error("waba.inbox.sqlite: option file is required", 2) end
  library.load("luasql.sqlite3", "luasql-sqlite3", "lua-sql-sqlite3", "waba.inbox.sqlite", 2)
  local problem = sqlite_file.problem(settings.file)
  if problem then error("waba.inbox.sqlite: option file: " .. problem, 2) end
  return setmetatable({
    database = sqlite_connection.new(settings.file, settings.busy_timeout), sync = settings.sync,
    retry = settings.retry, remember = settings.remember, since_forgetting = 0,
    leases = setmetatable({}, { __mode = "k" }),
  }, Sqlite)
end

return sqlite
