---@meta
-- The contract of a store: a queue of entries in conversations, with leases, retries and dead letters, and records beside
-- it. `waba.store.memory`, `.sqlite` and `.redis` implement it; the inbox is built on it. Nothing here is executed.
--
-- - `put` stores all entries of a call or none. An entry whose key is known is not stored again.
-- - The entries of one conversation are returned one at a time, in the order of `put`. A conversation has one or more
--   names; names that occur together in one entry identify the same conversation for `names.REMEMBER` seconds (in memory
--   for the 100000 names of the latest entries). Each lane of a conversation is in order by itself.
-- - A taken entry is leased. When the lease has expired, or its process has ended, the entry is returned again; that counts
--   as an attempt. After `attempts` attempts the entry becomes a dead letter.
-- - Times are Unix seconds of the store's own clock: Redis has one, processes that share a file use the machine's.

---@class waba.StoreEntry
---@field body any          bytes; in memory any value
---@field names? string[]   of its conversation; without any the entry waits for no other
---@field lane? string      of its conversation, one of the store's `lanes`; "" by default
---@field key? string       the entry is not stored while this key is known
---@field value? string     is recorded with the key
---@field same? integer     if as many first bytes of the recorded value differ from those of `value`, `put` stores nothing
---@field known? string     set by `put` where the key was known: the value that was recorded with it
---@field id? string        a name for `find`
---@field at? number        Unix seconds before which it is not taken and no other entry waits for it
---@field bulk? boolean     is taken after entries that are not; such entries need a lane of their own

---@class waba.StoreLease
---@field body any
---@field attempts integer  how often the entry was taken, this time included

--- One thing to do with a taken entry; exactly one of the following fields is set.
---@class waba.StoreChange
---@field lease waba.StoreLease
---@field done? "held"|"always"  remove it; "always": also when the lease was lost, wherever the entry is by now
---@field extend? number    seconds after which the lease ends
---@field delay? number     seconds until the entry may be taken again
---@field dead? boolean     make it a dead letter
---@field release? boolean  as if it had never been taken
---@field later? number     seconds for which the entry leaves its conversation, as if it had been put with `at`
---@field body? any         with `later`: the entry's new body
---@field reason? string    with `delay` and `dead`
---@field records? waba.StoreRecord[]  written unless the lease was lost; with "always" in any case
---@field lost? boolean     set by `settle`: the lease was over and the entry is another's

---@class waba.StoreRecord
---@field name string
---@field value? string     nil removes the record
---@field seconds? number   seconds for which the record is kept; nil: for ever
---@field of_key? boolean   `name` is the key of an entry
---@field rises? boolean    not written if the present value is the same or greater, byte by byte
---@field add? integer      instead of `value`: is added to the number that the record has. In a change with `done` only if
---                         the entry was there

---@class waba.StoreRow
---@field id string         the time of storing in microseconds; unique in the store
---@field conversation? string
---@field at number         Unix seconds: when it was stored; for a dead letter when it became one
---@field attempts integer
---@field reason? string
---@field state "waiting"|"taken"|"dead"
---@field body any
---@field records? waba.StoreRecord[]  set by the caller of `drop`: written when the entry is removed, if it is no dead letter

---@class waba.Store
---@field durable boolean   what is stored outlives the process
---@field grouped? boolean  a put costs much, however small: callers had better put together
local store = {}

---@param entries waba.StoreEntry[]
---@param records? waba.StoreRecord[]  written in the same transaction
---@param taking? { n: integer, seconds: number, changes: waba.StoreChange[] }  what `take` does afterwards, in the same
---               call of the server or the same transaction
---@return integer|nil|false stored  false: nothing was stored because of `same`
---@return waba.Error|waba.StoreLease[]|integer|nil  err, kind "unavailable"; or, with `taking`, what `take` returns; or the
---        position of the entry whose key has another value
---@return number|false|nil due
function store:put(entries, records, taking) end

--- Takes entries that are due, oldest first, at most one of each conversation.
---@param n integer
---@param seconds number  of the leases
---@param changes? waba.StoreChange[]  made before, as by `settle`, in the same call of the server or the same transaction
---@return waba.StoreLease[]|nil
---@return number|false|nil|waba.Error due  if there are fewer than n: seconds until another one is due, false if none is
function store:take(n, seconds, changes) end

--- Does everything in one transaction.
---@param changes waba.StoreChange[]
---@param records? waba.StoreRecord[]
---@param to_disk? boolean  SQLite: the disk has it when this returns
---@return integer|nil held  the number of leases that were not lost
---@return waba.Error? err
function store:settle(changes, records, to_disk) end

--- The number of entries that wait or are taken.
---@return integer|nil
---@return waba.Error? err
function store:depth() end

--- Seconds until an entry can be taken that can't now; 0 when one can be taken now; nil when there is none.
---@return number|nil
function store:next_due() end

--- When the oldest entry was stored; nil when none waits.
---@return number|nil
---@return waba.Error? err
function store:oldest() end

--- Lists entries or dead letters; dead letters and the entries of a conversation in their order.
---@param dead boolean
---@param n integer
---@param after? string  continues a list: the second result of the call before
---@return waba.StoreRow[]|nil
---@return string|nil|waba.Error after  nil: there are no more
function store:list(dead, n, after) end

--- The entry that was put with this `id`, unless it was removed.
---@param id string
---@return waba.StoreRow|nil
---@return waba.Error? err
function store:find(id) end

--- Lets an entry be taken now that was put with `at`, or changed with `later`.
---@param id string
---@return true|nil
---@return waba.Error? err
function store:hasten(id) end

--- Puts dead letters back, behind the entries that wait in their conversations.
---@param rows waba.StoreRow[]  of `list`
---@return integer|nil count
---@return waba.Error? err
function store:revive(rows) end

--- Removes dead letters, and entries that are not taken.
---@param rows waba.StoreRow[]  of `list` or `find`
---@return integer|nil count
---@return waba.Error? err
function store:drop(rows) end

--- The value of a record.
---@param name string
---@return string|nil
---@return waba.Error? err
function store:get(name) end

--- The values of several records, by name.
---@param names string[]
---@return table<string, string>|nil
---@return waba.Error? err
function store:get_all(names) end

--- Lists the names of records that begin with a text; in any order, and a name may be returned twice.
---@param prefix string
---@param n integer        about how many
---@param after? string    continues a list: the second result of the call before
---@return string[]|nil
---@return string|nil|waba.Error after  nil: there are no more
function store:record_names(prefix, n, after) end

--- Frees what the store holds.
function store:close() end
