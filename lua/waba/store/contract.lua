---@meta
-- The methods of a store, and their guarantees. A store has a queue of entries with leases, retries and dead letters,
-- and a set of named records. Inboxes and outboxes use a store: waba.store.memory, waba.store.sqlite or
-- waba.store.redis. This file has annotations only and is never executed.
--
-- - `put` stores all entries of a call or none. `put` does not store an entry whose key is recorded.
-- - Each entry belongs to a conversation. `take` returns the entries of a conversation one at a time, in the order of
--   `put`. A conversation may have several lanes. An entry waits only for the entries of its own lane.
-- - A conversation has one or more names. Names in one entry identify the same conversation for `names.REMEMBER`
--   seconds. The store in memory instead remembers the 100000 names that were used last.
-- - `take` leases the entries that it returns. When a lease expires, or the process that took the entry ends, `take`
--   returns the entry again. After `attempts` leases the entry becomes a dead letter.
-- - A lease can have a mark. The mark means that the work on the entry may have had an effect; for example, a message
--   may have been sent. The entry keeps the mark when the lease expires. An entry with a mark does not become a dead
--   letter after `attempts` leases.
-- - Times are Unix seconds. The store in Redis uses the clock of the Redis server; the other stores use the clock of
--   the machine.
-- - A method that can't reach the store returns nil and a `waba.Error` of kind "unavailable".

--- The settings of a store. SQLite: also the fields of `waba.SqliteFile`; Redis: also those of `waba.RedisAddress`.
---@class waba.StoreSettings
---@field attempts integer  the number of leases after which an entry becomes a dead letter
---@field remember number   the number of seconds for which `put` records the keys of entries
---@field lanes string[]    all lanes that entries may have
---@field beside? string[]  Redis: suffixes of record names. For a taken entry of the first lane, `take` also reads the
---        records whose names consist of the name of the entry's conversation and one of these suffixes
---@field title string      the store's name in messages at run time: "the inbox" or "the outbox"
---@field name string       the public function that makes the store, for messages about its options
---@field max? integer      memory: the largest number of entries that wait
---@field seen? table       memory: a table or a shared dictionary of nginx in which `put` records the keys of entries
---@field sync? boolean     SQLite: true: `put` returns after the entries are written to the disk
---@field application? integer  SQLite: the `PRAGMA application_id` of the file; default: 0
---@field prefix? string    Redis: the prefix of all keys; a part in braces keeps the keys on one node of a cluster

---@class waba.StoreEntry
---@field body any          a string; in memory any value
---@field names? string[]   the names of the entry's conversation; an entry without names waits for no other entry
---@field lane? string      the lane of the entry; default: ""
---@field key? string       `put` does not store an entry whose key is recorded
---@field value? string     a text that `put` records with the key
---@field same? integer     if the key is recorded, the first `same` bytes of `value` and of the recorded value must be
---        equal; otherwise `put` stores nothing
---@field known? string     set by `put` if an earlier `put` has recorded the key: the value that it has recorded
---@field id? string        the id by which the method `find` finds the entry
---@field at? number        Unix seconds: `take` does not return the entry before this time; later entries of the
---        conversation do not wait for the entry
---@field bulk? boolean     true: `take` returns the entry after all entries without `bulk`. No lane may
---       have entries with `bulk` and entries without `bulk`

---@class waba.StoreLease
---@field body any
---@field attempts integer  the number of times that `take` has returned the entry
---@field known table<string, string|false>?  the values, by name, of the records that the setting `beside` selects;
---        false: the record does not exist
---@field was_marked boolean?  true: an earlier lease of the entry had a mark and has expired

--- A change to a taken entry. One of `done`, `extend`, `delay`, `dead`, `release` and `later` is set; `release` and
--- `delay` may be set together. `delay` and `release` keep the mark that the entry had before its lease. `later`
--- removes the mark.
---@class waba.StoreChange
---@field lease waba.StoreLease
---@field done? "held"|"always"  "held": removes the entry if its lease is valid; "always": removes the entry even if
---        another process has taken it, or if it is a dead letter
---@field extend? number    the seconds from now until the lease ends
---@field mark? boolean     with `extend`: whether the lease has a mark afterwards; nil: the mark does not change
---@field delay? number     the seconds until `take` may return the entry again
---@field dead? boolean     true: makes the entry a dead letter
---@field release? boolean  true: returns the entry to the queue, and does not count the attempt
---@field later? number     the seconds until the entry is due again; later entries of the conversation do not wait
---        for the entry
---@field body? any         with `later`: the entry's new body
---@field reason? string    with `delay` and `dead`: the reason of the failure
---@field following? table[]  with `done = "held"` or `dead`: more entries to change, from the method `following`
---@field records? waba.StoreRecord[]  records to write if the lease is valid or `done` is "always"
---@field lost? boolean     set by `settle`: true if the lease has expired; another process may have taken the entry

---@class waba.StoreRecord
---@field name string
---@field value? string     nil removes the record
---@field seconds? number   the number of seconds for which the record is kept; nil: without limit
---@field of_key? boolean   true: `name` is the key of an entry
---@field rises? boolean    true: writes the record only if it does not exist, or if `value` is greater, byte by byte,
---       than the present value
---@field add? integer      a number to add to the record; a change with `done` adds the number only if the entry exists

---@class waba.StoreRow
---@field id string         the time at which the entry was stored, in microseconds; unique in the store
---@field conversation? string  the name of the entry's conversation; nil: the entry has no conversation at present
---@field at number         Unix seconds at which the entry was stored; for a dead letter: at which the entry
---        became a dead letter
---@field attempts integer
---@field reason? string    the reason of the last failure; nil: no failure was recorded
---@field state "waiting"|"taken"|"dead"
---@field body any
---@field is_marked boolean?  true: the entry has a mark
---@field records? waba.StoreRecord[]  set by the caller of `drop`: records to write with the removal of an entry

---@class waba.Store
---@field durable boolean   true: stored entries outlive the process
---@field grouped? boolean  true: one call of `put` with many entries is much faster than many calls with one entry
---@field depth fun(self): integer|nil  returns the number of entries that wait or are taken
---@field oldest fun(self): number|nil  returns the time at which the oldest entry was stored; nil without entries
---@field next_due fun(self): number|nil  returns the seconds until an entry can be taken; nil if no entry waits
---@field find fun(self, id: string): waba.StoreRow|nil  returns the entry or the dead letter with this `id`; nil: none
---@field hasten fun(self, id: string): true|nil  makes an entry due now that waits
---        because of `at` or `later`
---@field revive fun(self, rows: waba.StoreRow[]): integer|nil  returns dead letters to the queue, behind the waiting
---        entries of their conversations; returns their number
---@field drop fun(self, rows: waba.StoreRow[]): integer|nil  removes entries that are not taken; returns the number. An
---        entry whose row has `records` is not removed if it has a mark, or another body than the row
---@field get fun(self, name: string): string|nil  returns the value of a record; nil: no record has the name
---@field get_all fun(self, names: string[]): table<string, string>|nil  returns the values of existing records, by name
---@field close fun(self)   releases the resources of the store
local store = {}

--- Stores entries and records.
---@param entries waba.StoreEntry[]
---@param records? waba.StoreRecord[]
---@param taking? { n: integer, seconds: number, changes: waba.StoreChange[] }  the arguments of a `take`
---@return integer|nil|false stored  the number of stored entries; false: no entry was stored, because of
---        the field `same` of an entry
---@return waba.Error|waba.StoreLease[]|integer|nil  if `stored` is false: the index of the entry whose recorded value
---        differs; if `stored` is an integer and `taking` is set: the leases of `take`
---@return number|false|nil due  with `taking`: the result `due` of `take`
function store:put(entries, records, taking) end

--- Leases the oldest entries that are due, at most one of each conversation.
---@param n integer
---@param seconds number  the length of the leases
---@param changes? waba.StoreChange[]  changes that `take` makes first in the same transaction, as `settle` does
---@param mark? boolean  true: the leases get a mark; the store in SQLite then writes the marks to the disk before
---        `take` returns
---@return waba.StoreLease[]|nil leases  the field `died`: the number of entries that became dead letters in this call,
---        because `attempts` leases have expired; nil: none
---@return number|false|nil|waba.Error due  set if fewer than n entries are returned: the seconds until another entry
---        is due; false: no other entry waits
function store:take(n, seconds, changes, mark) end

--- Returns the entries that wait behind a taken entry in the same conversation, in their order. The returned entries
--- are not leased: `take` returns none of them until the lease of the taken entry ends.
---@param lease waba.StoreLease
---@param n integer  the largest number of entries to return
---@return { body: any, age: number }[]|nil list  `age`: the seconds since the entry was stored
---@return number|waba.Error age  the seconds since the taken entry was stored
function store:following(lease, n) end

--- Makes all changes in one transaction.
---@param changes waba.StoreChange[]
---@param records? waba.StoreRecord[]
---@param to_disk? boolean  true: the store in SQLite writes the changes to the disk before `settle` returns
---@return integer|nil held  the number of leases that had not expired
function store:settle(changes, records, to_disk) end

--- Lists the entries, or the dead letters. The entries of a conversation are in the order of `take`. The oldest dead
--- letter is the first.
---@param dead boolean
---@param n integer
---@param after? string  the second result of the previous call, to continue its list
---@return waba.StoreRow[]|nil
---@return string|nil|waba.Error after  nil: the list is complete
function store:list(dead, n, after) end

--- Lists the names of records that begin with `prefix`, in any order. A name may be returned twice.
---@param prefix string
---@param n integer        the approximate number of names to return
---@param after? string    the second result of the previous call, to continue its list
---@return string[]|nil
---@return string|nil|waba.Error after  nil: the list is complete
function store:record_names(prefix, n, after) end
