---@meta
-- The methods of an inbox, and what they guarantee. `waba.inbox.memory`, `.sqlite` and `.redis` make an inbox over a
-- store (waba/store/contract.lua). The option `inbox` of `waba.receiver` also accepts any other table with the methods
-- from `put` to `next_due`. This file has annotations only and is never executed.
--
-- The guarantees of an inbox:
-- - `put` stores all events of a batch or none.
-- - `put` drops duplicates of the events of the last `remember` seconds. Two messages are duplicates if they have the
--   same id. Two statuses are duplicates if they have the same message id and the same status and, on Cloud hosting,
--   the same recipient or group member. Two account events of Cloud are duplicates if they have the same content and
--   time. Errors, and account events without a time, are always stored.
-- - `take` may return an event several times until the event is acknowledged. After `ack` the event is never
--   returned again.
-- - `take` returns the events of one conversation (with a customer or, on Cloud, a group) one at a time, in the order
--   of `put`. The next event is returned when the previous one was acknowledged or has become a dead letter. A failed
--   event blocks its conversation until its next attempt. With `separate_statuses` the statuses of messages to a
--   customer are ordered separately from the customer's other events.
-- - A customer has up to two ids: the phone number and the business-scoped user id (Cloud). Two ids that occur in one
--   event, such as an old number and the new one, identify the same customer for 90 days after the last event with one
--   of them. The inbox in memory keeps the 100000 ids of the latest events instead. When an event first contains two
--   ids, the waiting events of both ids become one conversation. Events that were already taken are not affected.
-- - When the lease of a taken event expires, this counts as a failed attempt, and the next `take` may return the event.
-- - After `retry.attempts` attempts an event becomes a dead letter. A dead letter is stored with the reason of its
-- last failure. An event that can't be read, because it is damaged or another version of waba has stored it, becomes
-- a dead letter at once.

---@class waba.SetAside
---@field event waba.Event?  nil: the event can't be read
---@field attempts integer
---@field reason string   the reason of the last failure
---@field at number       Unix seconds

---@class waba.Inbox
---@field durable boolean  true if stored events outlive the process
---@field grouped? boolean  true: one call of `put` with many events is much faster than many calls with one event
---@field separate_statuses? boolean  true: the statuses of messages to a customer are ordered separately from the
---                         customer's other events; the receiver sets this field if it is nil
local inbox = {}

--- Stores a batch.
---@param events waba.Event[]
---@param sources? table<integer, string>  for some events, by index: the JSON text from which `event.raw` was decoded. An
---                inbox may store this text instead of the event (lua/waba/inbox/record.lua)
---@param taking? { done: waba.Event[], n: integer, lease: number? }  the arguments of an `exchange` in the same call of
---        the store
---@return integer|nil stored  the number of events that were not duplicates; nil if nothing was stored
---@return waba.Error|waba.Event[]|nil err  kind "unavailable"; with `taking`: the events that `exchange` returns
---@return number|false|nil due  with `taking`
function inbox:put(events, sources, taking) end

--- Takes the oldest events that are due, at most one of each conversation.
---@param n? integer      the largest number of events; 1 by default
---@param lease? number   seconds of the lease: another `take` may return the events afterwards; 60 by default
---@return waba.Event[]|nil events
---@return waba.Error? err
function inbox:take(n, lease) end

--- Acknowledges handled events as `ack(done, true)` does and takes other events, in one call of the store.
---@param done waba.Event[]
---@param n integer
---@param lease? number
---@return waba.Event[]|nil events
---@return number|false|nil|waba.Error due  set if fewer than n events are returned: the seconds until another event is
---        due, or false if there is no such event
function inbox:exchange(done, n, lease) end

--- Returns how many times `take` has returned this event.
---@param event waba.Event
---@return integer
function inbox:attempts(event) end

--- Extends the lease of a taken event.
---@param event waba.Event
---@param lease? number  seconds from now; 60 by default
---@return true|nil ok   nil: the lease has expired, and another worker may have taken the event
---@return waba.Error? err
function inbox:extend(event, lease) end

--- Acknowledges one or several taken events, which were handled.
---@param event waba.Event|waba.Event[]
---@param is_done? boolean  true: acknowledge an event that was handled even if its lease has expired, if another
---                         worker has taken it since, or if it has become a dead letter
---@return true|nil ok   nil: the lease of at least one event has expired; the other events are acknowledged
---@return waba.Error? err
function inbox:ack(event, is_done) end

--- Sets the records that are written in the transaction that acknowledges a taken event.
---@param event waba.Event
---@param records { name: string, value: string?, seconds: number? }[]
function inbox:attach(event, records) end

--- Returns the value of the record with a name.
---@param name string
---@return string|nil
---@return waba.Error? err
function inbox:get(name) end

--- Joins a taken message with the later messages of the same customer, which are acknowledged together with it.
---@param event waba.Event
---@param seconds number  seconds that must have passed since the customer's last message
---@return waba.Event|nil last  the last message, with all joined messages in its field `messages`; an event that is not
---                       a message is returned unchanged. nil: the event is not due yet and was returned to the queue,
---                       or the store can't be read
---@return number|waba.Error|nil left  seconds until the event is due; or the error
function inbox:gather(event, seconds) end

--- Reports that a taken event could not be handled: `take` returns the event again later, or the event becomes a dead
--- letter.
---@param event waba.Event
---@param reason? string
---@param is_final? boolean  true: make the event a dead letter at once, because another attempt could repeat an effect
---@return number|false|nil delay  seconds until the next attempt; false: the event has become a dead letter
---@return waba.Error? err
function inbox:fail(event, reason, is_final) end

--- Returns a taken event to the queue without counting the attempt.
---@param event waba.Event
---@return true|nil ok
---@return waba.Error? err
function inbox:release(event) end

--- Returns the Unix time at which the oldest event was stored; nil when the inbox is empty.
---@return number|nil
---@return waba.Error? err
function inbox:oldest() end

--- The counts of this process, and the number of events that wait for any process.
---@class waba.InboxStats
---@field stored integer    new events
---@field duplicate integer  events that were dropped as duplicates
---@field handled integer   acknowledgements
---@field failed integer    failures of handlers
---@field dead integer      events that became dead letters
---@field depth? integer    events that wait or are being handled; nil when the store can't be read
---@field oldest? number    the age of the oldest event in seconds

---@return waba.InboxStats
function inbox:stats() end

---@class waba.InboxRow
---@field id string
---@field conversation? string  the customer or group
---@field at number        Unix seconds: when the event was stored, or became a dead letter
---@field attempts integer
---@field reason? string   the reason of the last failed attempt
---@field state "waiting"|"taken"|"dead"
---@field event waba.Event?  nil: the event can't be read

--- Lists events.
---@param filter? waba.InboxFilter
---@param n? integer  the largest number of rows; 100 by default
---@return waba.InboxRow[]|nil
---@return waba.Error? err
function inbox:list(filter, n) end

--- Returns dead letters to the queue, after the waiting events of the same conversation.
---@param filter? waba.InboxFilter  the filter; default: all dead letters
---@return integer|nil count
---@return waba.Error? err
function inbox:retry_dead(filter) end

--- Removes dead letters or waiting events, but no events that are taken.
---@param filter waba.InboxFilter  an empty table: removes all waiting events
---@return integer|nil count
---@return waba.Error? err
function inbox:drop(filter) end

--- Lists the dead letters, oldest first.
---@param n? integer  the largest number of dead letters; 100 by default
---@return waba.SetAside[]|nil
---@return waba.Error? err
function inbox:set_aside(n) end

--- Calls `retry_dead` for all dead letters.
---@return integer|nil count
---@return waba.Error? err
function inbox:revive() end

--- Returns the number of events that wait or are being handled, without the dead letters.
---@return integer|nil depth
---@return waba.Error? err
function inbox:depth() end

--- Returns the seconds until the next waiting event is due; nil if no event waits for a later time.
---@return number|nil
function inbox:next_due() end

--- Releases the resources of the inbox. Further calls have no effect.
function inbox:close() end
