---@meta
-- The methods of a store, and what they guarantee. A store is a queue of entries with leases, retries and dead
-- letters, and a set of named records. Each entry belongs to a conversation. `waba.store.memory`, `.sqlite` and
-- `.redis` have all methods of this file; the inbox and the outbox use a store. This file has annotations only and is
-- never executed.
--
-- - `put` stores all entries of a call or none. An entry whose key is known is not stored again.
-- - `take` returns the entries of one conversation one at a time, in the order of `put`. A conversation has one or more
--   names. Names that occur together in one entry identify the same conversation for `names.REMEMBER` seconds; the
--   store in memory remembers the 100000 names of the latest entries instead. A conversation may have several lanes; an
--   entry waits only for the entries of its own lane.
-- - A taken entry is leased. When the lease expires, or the process that took the entry ends, `take` returns the entry
--   again. Each return counts as an attempt. After `attempts` attempts the entry becomes a dead letter.
-- - A lease can have a mark, which means that the work on the entry may already have had an effect, for example that a
--   message may have been sent. If the lease expires, the entry keeps the mark. An entry with a mark does not become a
--   dead letter after `attempts` attempts.
-- - Times are Unix seconds of the store's clock: Redis has a clock; the other stores use the clock of the machine.

---@class waba.StoreEntry
---@field body any          a string; any value in memory
---@field names? string[]   the names of its conversation; an entry without names does not wait for any other entry
---@field lane? string      the lane in its conversation, one of the store's `lanes`; "" by default
---@field key? string       the key of the entry; an entry whose key is known is not stored
---@field value? string     a text that is recorded with the key
---@field same? integer     a number of bytes: if the recorded value and `value` differ within their first `same` bytes,
---        `put` stores nothing
---@field known? string     set by `put` if the key was known: the value that was recorded with the key
---@field id? string        the id by which the method `find` finds the entry
---@field at? number        Unix seconds; before this time the entry is not taken, and no other entry waits for it
---@field bulk? boolean     true: the entry is taken after all entries without `bulk`; entries with `bulk` need a lane
---        of their own

---@class waba.StoreLease
---@field body any
---@field attempts integer  how many times the entry was taken, including this time
---@field was_marked boolean?  true: a previous lease, which has expired, had a mark

--- One change to a taken entry. Exactly one of `done`, `extend`, `delay`, `dead`, `release` and `later` is set; only
--- `delay` and `release` may occur together. `delay` and `release` keep a mark that the entry had when it was taken;
--- `later` removes the mark.
---@class waba.StoreChange
---@field lease waba.StoreLease
---@field done? "held"|"always"  remove the entry; "always": even if the lease has expired, and the entry was taken by
---        another process or became a dead letter
---@field extend? number    seconds from now until the lease ends
---@field mark? boolean      with `extend`: sets or removes the mark of the lease
---@field delay? number     seconds until the entry may be taken again
---@field dead? boolean     true: make the entry a dead letter
---@field release? boolean  true: return the entry to the queue without counting the attempt; with `delay` it may be
---                         taken again after that number of seconds
---@field later? number     seconds for which the entry leaves its conversation, as if it had been put with `at`
---@field body? any         with `later`: the entry's new body
---@field reason? string    the reason, with `delay` and `dead`
---@field following? table[]  with `done = "held"` or `dead`: entries that the method `following` has returned, to which
---        the change applies too
---@field records? waba.StoreRecord[]  records to write unless the lease has expired; with `done = "always"` in any case
---@field lost? boolean     set by `settle`: the lease has expired, and another process may have taken the entry

---@class waba.StoreRecord
---@field name string
---@field value? string     nil removes the record
---@field seconds? number   seconds for which the record is kept; nil: without limit
---@field of_key? boolean   true: `name` is the key of an entry
---@field rises? boolean    true: the record is not written if its present value is the same or greater, compared byte
---        by byte
---@field add? integer      a number to add to the number in the record, instead of `value`. In a change with `done` the
---                         number is added only if the entry existed

---@class waba.StoreRow
---@field id string         the time at which the entry was stored, in microseconds; unique in the store
---@field conversation? string
---@field at number         Unix seconds: when the entry was stored; for a dead letter: when it became one
---@field attempts integer
---@field reason? string
---@field state "waiting"|"taken"|"dead"
---@field body any
---@field is_marked boolean? true: the entry has a mark
---@field records? waba.StoreRecord[]  the caller of `drop` sets this field: the records are written when the entry is
---        removed, but not if the entry is a dead letter

---@class waba.Store
---@field durable boolean   true: stored entries outlive the process
---@field grouped? boolean  true: one call of `put` with many entries is much faster than many calls with one entry
local store = {}

---@param entries waba.StoreEntry[]
---@param records? waba.StoreRecord[]  records to write in the same transaction
---@param taking? { n: integer, seconds: number, changes: waba.StoreChange[] }  the arguments of a `take` that follows
---               in the same call of the server or in the same transaction
---@return integer|nil|false stored  the number of stored entries; false: nothing was stored because of `same`
---@return waba.Error|waba.StoreLease[]|integer|nil  one of these:
---        - if `stored` is nil: the error, of kind "unavailable";
---        - if `stored` is false: the position of the entry whose key was recorded before with a different value;
---        - otherwise, with `taking`: the leases that `take` returns
---@return number|false|nil due
function store:put(entries, records, taking) end

--- Takes the oldest entries that are due, at most one of each conversation.
---@param n integer
---@param seconds number  the length of the leases
---@param changes? waba.StoreChange[]  changes to make first, as `settle` does, in the same call of the server or the
---        same transaction
---@param mark? boolean  true: the leases get a mark; SQLite: the marks are on the disk when this function returns
---@return waba.StoreLease[]|nil
---@return number|false|nil|waba.Error due  set if fewer than n entries are returned: the seconds until another entry
---        is due, or false if there is no such entry
function store:take(n, seconds, changes, mark) end

--- Returns the entries that wait behind a taken entry in the same conversation, in their order. Each returned entry has
--- its `body` and `age`, the seconds since it was stored. Following entries are not leased: they wait until the lease
--- of the taken entry ends.
---@param lease waba.StoreLease
---@param n integer  the largest number of entries to return
---@return { body: any, age: number }[]|nil list
---@return number|waba.Error age  the seconds since the taken entry was stored; or the error
function store:following(lease, n) end

--- Makes all changes in one transaction.
---@param changes waba.StoreChange[]
---@param records? waba.StoreRecord[]
---@param to_disk? boolean  true: with SQLite, returns when the changes are on the disk
---@return integer|nil held  the number of leases that had not expired
---@return waba.Error? err
function store:settle(changes, records, to_disk) end

--- Returns the number of entries that wait or are taken.
---@return integer|nil
---@return waba.Error? err
function store:depth() end

--- Returns the seconds until the next entry can be taken; 0 if one can be taken now; nil without a waiting entry.
---@return number|nil
function store:next_due() end

--- Returns the time at which the oldest entry was stored; nil if no entry waits.
---@return number|nil
---@return waba.Error? err
function store:oldest() end

--- Lists entries or dead letters. Dead letters, and the entries of one conversation, are in their order.
---@param dead boolean
---@param n integer
---@param after? string  the second result of the previous call, to continue its list
---@return waba.StoreRow[]|nil
---@return string|nil|waba.Error after  nil: the list is complete
function store:list(dead, n, after) end

--- Returns the entry that was put with this `id`, unless it was removed.
---@param id string
---@return waba.StoreRow|nil
---@return waba.Error? err
function store:find(id) end

--- Makes an entry that was put with `at`, or changed with `later`, due now.
---@param id string
---@return true|nil
---@return waba.Error? err
function store:hasten(id) end

--- Returns dead letters to the queue, behind the waiting entries of their conversations.
---@param rows waba.StoreRow[]  rows that `list` has returned
---@return integer|nil count
---@return waba.Error? err
function store:revive(rows) end

--- Removes dead letters, and entries that are not taken.
---@param rows waba.StoreRow[]  rows that `list` or `find` has returned
---@return integer|nil count
---@return waba.Error? err
function store:drop(rows) end

--- Returns the value of a record.
---@param name string
---@return string|nil
---@return waba.Error? err
function store:get(name) end

--- Returns the values of several records, by name.
---@param names string[]
---@return table<string, string>|nil
---@return waba.Error? err
function store:get_all(names) end

--- Lists the names of records that begin with a text, in any order; a name may be returned twice.
---@param prefix string
---@param n integer        the approximate number of names to return
---@param after? string    the second result of the previous call, to continue its list
---@return string[]|nil
---@return string|nil|waba.Error after  nil: the list is complete
function store:record_names(prefix, n, after) end

--- Releases the resources of the store.
function store:close() end
