-- What an inbox knows an event by: the key that tells duplicates, and the conversation whose events
-- are handled one after the other.

local keys = {}

--- The key of an event; nil for news without an identity of its own, which is never a duplicate.
---@param event waba.Event
---@return string|nil
function keys.identity(event)
  if not event.id then return nil end
  if event.kind == "message" then return "message:" .. event.id end
  if event.kind == "status" then
    local key = "status:" .. event.id .. ":" .. tostring(event.status)
    -- One message to a group has a status per member on Cloud.
    if event.hosting == "cloud" and event.recipient then return key .. ":" .. event.recipient end
    return key
  end
end

--- The customer an event is about; nil when it is about none.
---@param event waba.Event
---@return string|nil
function keys.conversation(event)
  local customer = event.from or event.recipient or type(event.contact) == "table" and event.contact.wa_id
  if customer then return tostring(customer) end
end

return keys
