---@meta
-- The contract of an inbox: `waba.inbox.memory`, `.sqlite` and `.redis` make one over a store
-- (waba/store/contract.lua), and any table with the methods up to `next_due` can be given to `waba.receiver { inbox = …
-- }`. Nothing here is executed.
--
-- The guarantees of an inbox:
-- - `put` stores all events of a batch or none. An event seen before is dropped, for `remember` seconds:
--   a message by its id; a status by its id, its status and on Cloud its recipient or member of a group;
--   an account event of Cloud by its content and time. Errors, and account events without a time, are
--   always stored.
-- - `take` returns an event again until it is acknowledged: at least once. After `ack` it never
--   returns the event again.
-- - The events of one conversation (a customer or, on Cloud, a group) are returned one at a time, in the order
--   of `put`: the next one only when the one before is acknowledged or set aside. A failed event
--   blocks its conversation until it is tried again. With `separate_statuses` the statuses of messages
--   to a customer are one conversation, and everything else is another.
-- - A customer is identified by the phone number and by the business-scoped user id (Cloud). Two of these names in one
--   event, such as an old number and the new one, identify the same customer for 90 days after the last event with one
--   of them; in memory for the 100000 names of the latest events. Events that wait under two names are joined into one
--   conversation when the names first occur together; events that were already taken are not affected.
-- - A taken event whose lease has expired counts as tried, and the next `take` may return it.
-- - After `retry.attempts` tries an event is set aside, with the reason of its last failure.

---@class waba.SetAside
---@field event waba.Event
---@field attempts integer
---@field reason string   the reason of the last failure
---@field at number       Unix seconds

---@class waba.Inbox
---@field durable boolean  what is stored outlives the process
---@field grouped? boolean a put costs much, however small: callers had better put together
---@field separate_statuses? boolean  whether the statuses of messages to a customer are a conversation of their own; if it
---                         is nil, the receiver sets it
local inbox = {}

--- Stores a batch.
---@param events waba.Event[]
---@param sources? table<integer, string>  by the event's position: the platform's text of `event.raw`, which an inbox may
---                store instead of the event (lua/waba/inbox/record.lua)
---@param taking? { done: waba.Event[], n: integer, lease: number? }  the arguments of an `exchange` in the same call
---@return integer|nil stored  how many were new; nil when nothing was stored
---@return waba.Error|waba.Event[]|nil err  kind "unavailable"; with `taking` the events of `exchange`
---@return number|false|nil due  with `taking`
function inbox:put(events, sources, taking) end

--- Takes events that are due, oldest first, at most one of each conversation.
---@param n? integer      how many at most; 1 by default
---@param lease? number   seconds until they may be returned again; 60 by default
---@return waba.Event[]|nil events
---@return waba.Error? err
function inbox:take(n, lease) end

--- Acknowledges handled events as `ack(done, true)` does, and takes other events, in one call of the store.
---@param done waba.Event[]
---@param n integer
---@param lease? number
---@return waba.Event[]|nil events
---@return number|false|nil|waba.Error due  if there are fewer than n: seconds until another one is due, false if none is
function inbox:exchange(done, n, lease) end

--- Returns how often `take` has returned a taken event, including the last time.
---@param event waba.Event
---@return integer
function inbox:attempts(event) end

--- Extends the lease of a taken event.
---@param event waba.Event
---@param lease? number  seconds from now; 60 by default
---@return true|nil ok   nil: the lease was over and the event is no longer this worker's
---@return waba.Error? err
function inbox:extend(event, lease) end

--- Ends a taken event, or several at once: they were handled.
---@param event waba.Event|waba.Event[]
---@param is_done? boolean  end events whose lease has expired too, even if another worker has taken them since or they
---                         were set aside: they were handled
---@return true|nil ok   nil: at least one event was no longer this worker's; the other events are acknowledged
---@return waba.Error? err
function inbox:ack(event, is_done) end

--- Sets the records that are written with the acknowledgement of a taken event, in the same transaction.
---@param event waba.Event
---@param records { name: string, value: string?, seconds: number? }[]
function inbox:attach(event, records) end

--- Returns the value of a record.
---@param name string
---@return string|nil
---@return waba.Error? err
function inbox:get(name) end

--- Reports that a taken event could not be handled: it comes back later, or is set aside.
---@param event waba.Event
---@param reason? string
---@param is_final? boolean  set it aside at once: another try would do harm
---@return number|false|nil delay  seconds until the next try; false: it was set aside
---@return waba.Error? err
function inbox:fail(event, reason, is_final) end

--- Returns a taken event as if it had never been taken.
---@param event waba.Event
---@return true|nil ok
---@return waba.Error? err
function inbox:release(event) end

--- Returns the Unix time at which the oldest event was stored; nil when the inbox is empty.
---@return number|nil
---@return waba.Error? err
function inbox:oldest() end

--- The counts of this process, and the events that wait for all processes.
---@class waba.InboxStats
---@field stored integer    new events
---@field duplicate integer  events that were seen before
---@field handled integer   acknowledgements
---@field failed integer    failures of handlers
---@field dead integer      events that were set aside by them
---@field depth? integer    events that wait or are being handled; nil when the store can't be read
---@field oldest? number    seconds for which the oldest event has waited

---@return waba.InboxStats
function inbox:stats() end

---@class waba.InboxFilter
---@field dead? boolean    events that were set aside; false, the default: events that wait or are taken
---@field id? string       the id of a row
---@field reason? string   a text that the reason contains
---@field before? number   Unix seconds: selects events that were stored, or set aside, before this time

---@class waba.InboxRow
---@field id string
---@field conversation? string  the customer or group
---@field at number        Unix seconds: when it was stored, or set aside
---@field attempts integer
---@field reason? string   the reason of the last failure
---@field state "waiting"|"taken"|"dead"
---@field event waba.Event

--- Lists events.
---@param filter? waba.InboxFilter
---@param n? integer  how many at most; 100 by default
---@return waba.InboxRow[]|nil
---@return waba.Error? err
function inbox:list(filter, n) end

--- Returns events that were set aside to the queue, after the waiting events of the same conversation.
---@param filter? waba.InboxFilter  all of these events by default
---@return integer|nil count
---@return waba.Error? err
function inbox:retry_dead(filter) end

--- Removes events that were set aside, or that wait; never one that is taken.
---@param filter waba.InboxFilter
---@return integer|nil count
---@return waba.Error? err
function inbox:drop(filter) end

--- Lists the events that were tried too often, oldest first.
---@param n? integer  how many at most; 100 by default
---@return waba.SetAside[]|nil
---@return waba.Error? err
function inbox:set_aside(n) end

--- Calls `retry_dead` for all dead letters.
---@return integer|nil count
---@return waba.Error? err
function inbox:revive() end

--- Returns the number of events that wait or are being handled, without the events that were set aside.
---@return integer|nil depth
---@return waba.Error? err
function inbox:depth() end

--- Returns the seconds until the next event can be taken; nil when no event waits for a time.
---@return number|nil
function inbox:next_due() end

--- Frees what the inbox holds. Harmless when repeated.
function inbox:close() end
