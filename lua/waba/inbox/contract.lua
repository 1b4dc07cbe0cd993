---@meta
-- The methods of an inbox, and their guarantees. The option `inbox` of `waba.receiver` also accepts another table that
-- has the methods from `put` to `next_due`. This file has annotations only and is never executed.
--
-- - `put` stores all events of a batch or none.
-- - `put` drops duplicates of the events of the last `remember` seconds. Two messages are duplicates if they have the
--   same id. Two statuses are duplicates if they have the same message id and status and, on Cloud hosting, the same
--   recipient or group member. Two account events of Cloud hosting are duplicates if they have the same content and
--   time. Errors, and account events without a time, are never dropped.
-- - `take` may return an event several times before `ack`, but never after `ack`.
-- - A conversation has the events of a customer or, on Cloud hosting, of a group. `take` returns the events of a
--   conversation in the order of `put`, each only after the previous event was acknowledged or has become a dead
--   letter. If `separate_statuses` is true, the statuses of messages to a customer do not wait for the customer's other
--   events.
-- - A customer of Cloud hosting has up to two ids: the phone number and the business-scoped user id. An event with both
--   ids connects the ids for 90 days, and each later event with one of these ids extends the time. The inbox in memory
--   instead keeps the ids of the latest 100000 events. The first event with two ids joins the waiting events of both
--   ids in one conversation. Taken events stay in their conversation.
-- - If the lease of a taken event expires, the attempt counts as failed, and `take` may return the event again.
-- - A failed event waits for its next attempt, and the later events of its conversation wait for this event. After
--   `retry.attempts` attempts an event becomes a dead letter. A dead letter has the reason of the last failure.
-- - A damaged event, and an event that another version of waba has stored, becomes a dead letter at once.

---@class waba.SetAside
---@field event waba.Event?  nil: the event can't be read
---@field attempts integer
---@field reason string   the reason of the last failure
---@field at number       Unix seconds at which the event became a dead letter

---@class waba.Inbox
---@field durable boolean  true: stored events outlive the process
---@field grouped? boolean  true: one call of `put` with many events is much faster than many calls with one event
---@field separate_statuses? boolean  true: the statuses of messages to a customer are ordered separately from the
---        customer's other events; if nil, the receiver sets this field
local inbox = {}

--- Stores a batch of events.
---@param events waba.Event[]
---@param sources? table<integer, string>  for some events, by index: the JSON text from which `event.raw` was decoded
---@param taking? { done: waba.Event[], n: integer, lease: number? }  also does an `exchange` with these arguments
---@return integer|nil stored  the number of events that are not duplicates; nil: no event was stored
---@return waba.Error|waba.Event[]|nil err  an error of kind "unavailable"; with `taking`: the events of the `exchange`
---@return number|false|nil due  with `taking`: the result `due` of the `exchange`
function inbox:put(events, sources, taking) end

--- Leases the oldest events that are due, at most one of each conversation.
---@param n? integer      the largest number of events; default: 1
---@param lease? number   the seconds after which another `take` may return the events; default: 60
---@return waba.Event[]|nil events
---@return waba.Error? err
function inbox:take(n, lease) end

--- Acknowledges handled events as `ack(done, true)` does, and takes other events, in one call of the store.
---@param done waba.Event[]
---@param n integer
---@param lease? number
---@return waba.Event[]|nil events
---@return number|false|nil|waba.Error due  set if fewer than n events are returned: the seconds until another event is
---        due; false: no other event waits
function inbox:exchange(done, n, lease) end

--- Returns how many times `take` has returned this event.
---@param event waba.Event
---@return integer
function inbox:attempts(event) end

--- Extends the lease of a taken event.
---@param event waba.Event
---@param lease? number  the seconds from now until the lease ends; default: 60
---@return true|nil ok   nil: the lease has expired, and another worker may have taken the event
---@return waba.Error? err
function inbox:extend(event, lease) end

--- Acknowledges taken events. `take` does not return acknowledged events again.
---@param event waba.Event|waba.Event[]
---@param is_done? boolean  true: the event was handled. The event is acknowledged even if its lease has expired, if
---        another worker has taken it, or if it has become a dead letter
---@return true|nil ok   nil: the lease of at least one event has expired; the other events are acknowledged
---@return waba.Error? err
function inbox:ack(event, is_done) end

--- Sets records of a taken event. `ack` of the event writes the records in the same transaction.
---@param event waba.Event
---@param records { name: string, value: string?, seconds: number? }[]
function inbox:attach(event, records) end

--- Returns the value of the record with a name.
---@param name string
---@return string|nil  nil: the record does not exist, or the store can't be read
---@return waba.Error? err
function inbox:get(name) end

--- Joins a taken message with the later messages of the same customer. All joined messages are acknowledged together.
---@param event waba.Event
---@param seconds number  the number of seconds for which the customer must have written nothing
---@return waba.Event|nil last  the last message; the field `messages` has all joined messages. An event that is not
---        a message is returned unchanged. nil: the customer may still write, so the event was returned to the queue
---@return number|waba.Error|nil left  the seconds until the event is due; an error if the store can't be read
function inbox:gather(event, seconds) end

--- Records the failure of a taken event. The event is due again later, or becomes a dead letter.
---@param event waba.Event
---@param reason? string
---@param is_final? boolean  true: makes the event a dead letter at once, because another attempt could repeat an effect
---@return number|false|nil delay  the seconds until the next attempt; false: the event has become a dead letter
---@return waba.Error? err
function inbox:fail(event, reason, is_final) end

--- Puts a taken event back into the queue without counting the attempt.
---@param event waba.Event
---@return true|nil ok
---@return waba.Error? err
function inbox:release(event) end

--- Returns the Unix time at which the oldest event was stored; nil if the inbox is empty.
---@return number|nil
---@return waba.Error? err
function inbox:oldest() end

--- The counts of this process. `depth` and `oldest` include the events of all processes.
---@class waba.InboxStats
---@field stored integer    events that were stored
---@field duplicate integer  events that were dropped as duplicates
---@field handled integer   events that were acknowledged
---@field failed integer    attempts that failed
---@field dead integer      events that became dead letters
---@field depth? integer    events that wait or are taken; nil: the store can't be read
---@field oldest? number    the age of the oldest event in seconds; nil: the inbox is empty, or the store can't be read

---@return waba.InboxStats
function inbox:stats() end

---@class waba.InboxRow
---@field id string
---@field conversation? string  the customer or the group
---@field at number        Unix seconds at which the event was stored, or became a dead letter
---@field attempts integer
---@field reason? string   the reason of the last failure
---@field state "waiting"|"taken"|"dead"
---@field event waba.Event?  nil: the event can't be read

--- Lists events.
---@param filter? waba.InboxFilter
---@param n? integer  the largest number of rows; default: 100
---@return waba.InboxRow[]|nil
---@return waba.Error? err
function inbox:list(filter, n) end

--- Puts dead letters back into the queue, behind the waiting events of their conversations.
---@param filter? waba.InboxFilter  default: all dead letters
---@return integer|nil count  the number of dead letters that were put back
---@return waba.Error? err
function inbox:retry_dead(filter) end

--- Removes dead letters or waiting events, but no events that are taken.
---@param filter waba.InboxFilter  an empty table selects all waiting events
---@return integer|nil count  the number of removed dead letters or events
---@return waba.Error? err
function inbox:drop(filter) end

--- Lists the dead letters, the oldest first.
---@param n? integer  the largest number of dead letters; default: 100
---@return waba.SetAside[]|nil
---@return waba.Error? err
function inbox:set_aside(n) end

--- Puts all dead letters back into the queue, as `retry_dead` does.
---@return integer|nil count  the number of dead letters that were put back
---@return waba.Error? err
function inbox:revive() end

--- Returns the number of events that wait or are taken. Dead letters do not count.
---@return integer|nil depth
---@return waba.Error? err
function inbox:depth() end

--- Returns the seconds until the next waiting event is due; nil if no event waits.
---@return number|nil
function inbox:next_due() end

--- Releases the resources of the inbox. A second call of `close` has no effect.
function inbox:close() end
