-- The conversations of the SQLite store: the method `put`, and the names of conversations.

local leases = require "waba.store.sqlite.leases"
local names = require "waba.store.names"
local records = require "waba.store.sqlite.records"
local sqlite_connection = require "waba.store.sqlite.connection"

local escape, unescape = sqlite_connection.escape, sqlite_connection.unescape

local conversations = {}

--- Returns the `waba.NameStore` of one transaction. The table `known` has, for each name that was read, the name to
--- which it refers, or false. The table `is_fresh` has the names whose records need not be renewed.
function conversations.name_store(self, now)
  local database, store, known, is_fresh = self.database, {}, {}, {}

  function store.next(name)
    if known[name] == nil then
      local row = database:row("SELECT value, until FROM waba_record WHERE name = ?", name .. ":name")
      known[name] = row and row[2] > now and unescape(row[1]) or false
      is_fresh[name] = row and row[2] > now + names.REMEMBER / 2
    end
    return known[name] or nil
  end

  function store.remember(name, root)
    if known[name] == root and is_fresh[name] then return end
    known[name], is_fresh[name] = root, true
    records.set_all(self, { name .. ":name", escape(root), now + names.REMEMBER })
  end

  function store.is_begun(root)
    for _, lane in ipairs(self.lanes) do
      local sql = "SELECT 1 FROM waba_entry WHERE conversation = ? AND attempts > 0 LIMIT 1"
      if database:value(sql, escape(lane .. root)) then return true end
    end
    return false
  end

  function store.merge(from, to)
    for _, lane in ipairs(self.lanes) do
      local old, new = escape(lane .. from), escape(lane .. to)
      local moved = database:run(
        "UPDATE waba_entry SET conversation = ?, head = 0 WHERE conversation = ? AND attempts = 0", new, old)
      if moved > 0 then
        -- unless an entry of the conversation is taken, the oldest entry of the conversation becomes its first entry
        database:run("UPDATE waba_entry SET head = 0 WHERE conversation = ? AND attempts = 0", new)
        database:run([[UPDATE waba_entry SET head = 1 WHERE seq = (SELECT min(seq) FROM waba_entry
          WHERE conversation = ?1 AND NOT EXISTS (SELECT 1 FROM waba_entry WHERE conversation = ?1 AND head = 1))]],
          new)
      end
    end
  end

  return store
end

-- With OR FAIL, SQLite does not copy the changed pages to be able to undo the statement alone.
local INSERT = "INSERT OR FAIL INTO waba_entry (seq, conversation, head, bulk, due, id, later, body) VALUES "
-- The parameter ?8 is the column `head`. A single row costs less if the statement reads `seq` and `head`; several rows
-- cost less if their statement reads nothing.
local INSERT_ONE = INSERT .. [[(max(?1, coalesce((SELECT max(seq) + 1 FROM waba_entry), 0)), ?2,
  ?8 AND NOT EXISTS (SELECT 1 FROM waba_entry WHERE conversation = ?2), ?3, ?4, ?5, ?6, ?7)]]
local INSERT_SEVERAL = INSERT .. "(?1, ?2, ?8, ?3, ?4, ?5, ?6, ?7)"
local LAST = "SELECT max(seq) * 1.0 FROM waba_entry"
local EXISTS = "SELECT 1 FROM waba_entry WHERE conversation = ? LIMIT 1"

--- Appends entries to their conversations. An entry with a time `at` has no conversation until this time.
function conversations.append(self, entries, store, now)
  local database, is_single, known, list, size = self.database, #entries == 1, {}, {}, 0
  local seq = now * 1e6 - now * 1e6 % 1
  local roots = {} -- all names are joined first, because `names.join` may move entries that are already stored
  for index, entry in ipairs(entries) do roots[index] = entry.names and names.join(store, entry.names) or false end
  if not is_single then seq = math.max(seq, 1 + (database:value(LAST) or 0)) end
  for index = 1, #entries do
    local entry, root = entries[index], roots[index]
    local conversation, later, is_head = root and escape((entry.lane or "") .. root) or nil, nil, true
    if entry.at then conversation, later = nil, conversation or "" end
    if conversation and not is_single then
      is_head = not known[conversation] and not database:value(EXISTS, conversation)
      known[conversation] = true
    end
    list[size + 1], list[size + 2], list[size + 3] = seq + index - 1, conversation, entry.bulk and 1 or 0
    list[size + 4], list[size + 5], list[size + 6] = entry.at or now, entry.id, later
    list[size + 7], list[size + 8] = escape(entry.body), is_head
    size = size + 8
  end
  database:insert(is_single and INSERT_ONE or INSERT_SEVERAL, 8, list, size)
end

-- Stores the records `list` and the entries whose keys are not recorded. Returns the number of stored entries.
local function put_entries(self, entries, list, now)
  local conflict = records.find_conflict(self, entries, now)
  if conflict then return false, conflict end
  local store, fresh, are_new = conversations.name_store(self, now), {}, records.are_new(self, entries, now)
  for _, entry in ipairs(entries) do
    if are_new or not records.is_known(self, entry, now) then
      fresh[#fresh + 1] = entry
      -- all names are joined before the first entry is appended, because a later entry may join two conversations
      if entry.names and entry.names[2] then names.join(store, entry.names) end
    end
  end
  conversations.append(self, fresh, store, now)
  records.write_all(self, list, now)
  records.forget_old(self, now, #fresh)
  return #fresh
end

function conversations:put(entries, list, taking)
  if taking then leases.free_ended(self) end
  local taken, due, bytes = nil, nil, 0
  for _, entry in ipairs(entries) do bytes = bytes + #entry.body end
  local stored, err = self.database:transaction(function()
    local now = self.database:now()
    local count, conflict = put_entries(self, entries, list, now)
    if count and taking then taken, due = leases.lease(self, taking.n, taking.seconds, taking.changes, now) end
    return count, conflict
  end, self.sync, bytes)
  if not stored then return stored, err end
  return stored, taken, due
end

return conversations
