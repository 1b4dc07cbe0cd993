-- Makes the entries of a store for the events of a webhook of On-Premise hosting, as an inbox does.

local cjson = require("cjson").new()

local redis_entries = {}

--- Calls `add` with the key and the value of each event of a webhook.
---@param body string
---@param add fun(key: string, event: table)
function redis_entries.each(body, add)
  local webhook = cjson.decode(body)
  for _, message in ipairs(webhook.messages or {}) do add("message:" .. message.id, message) end
  for _, status in ipairs(webhook.statuses or {}) do add("status:" .. status.id .. ":" .. status.status, status) end
end

--- Returns the entries of the events of a webhook. The body of an entry is the JSON text of its event.
---@param body string
---@return waba.StoreEntry[]
function redis_entries.of(body)
  local entries = {}
  redis_entries.each(body, function(key, event)
    entries[#entries + 1] = {
      key = key, lane = event.status and "status:" or "", names = { event.from or event.message.recipient_id },
      body = cjson.encode(event),
    }
  end)
  return entries
end

return redis_entries
