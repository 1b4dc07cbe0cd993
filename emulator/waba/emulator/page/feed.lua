-- The content of the page: a snapshot of the gateways, and then their changes as server-sent events.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local codes = require "waba.emulator.codes"
local json = require "waba.emulator.json"

local feed = {}

-- Seconds between two comments. A comment is sent to find out whether the browser is still connected.
local HEARTBEAT = 10
-- Seconds for which changes are collected before they are sent.
local PAUSE = 0.03
-- The largest number of events that may wait for one browser. If more events wait, the emulator closes the browser's
-- connection. A browser whose connection was closed connects again and gets a new snapshot.
local MOST_WAITING = 50000
-- The largest number of contacts in the snapshot.
local MOST_CONTACTS = 500

---@class waba.emulator.page.Feed
---@field process waba.emulator.Process
---@field streams table<table, true>  the streams of events, one for each connected browser
local Feed = {}
Feed.__index = Feed
Feed.__name = "waba.emulator.page.Feed"

---@param process waba.emulator.Process
---@return waba.emulator.page.Feed
function feed.new(process)
  return setmetatable({ process = process, streams = {},
    skew = math.floor(process.clock:now() - process.clock.ahead - os.time() + 0.5) }, Feed)
end

-- Summaries of requests and webhooks --------------------------------------------------------------

local function table_of(value) return type(value) == "table" and value or {} end

local function decoded(text)
  if type(text) ~= "string" or not text:find("^%s*{") then return {} end
  return table_of(json.decode(text))
end

-- Returns the code and the text of an error response. The response may be from either gateway.
local function error_of(response)
  local graph = table_of(response.error)
  local row = table_of(table_of(response.errors)[1])
  local meta = table_of(response.meta)
  local text = table_of(graph.error_data).details or graph.message or row.details or row.title
    or meta.developer_message or meta.developerMessage
  if not text and not graph.code and not row.code then return nil end
  return { code = graph.code or row.code, title = row.title or graph.message, details = text }
end

-- Describes a request about a message. `id` is the id of the sent message, `marks` that of the message marked as read.
local function about_message(entry)
  if not entry.path:find("messages") or entry.method == "GET" then return {} end
  local body, response = decoded(entry.body), decoded(entry.response)
  local about = { to = body.to or body.recipient, type = body.type,
    id = table_of(table_of(response.messages)[1]).id, marks = body.message_id or entry.path:match("messages/(.+)$") }
  if entry.status >= 400 then about.refused = entry.body end
  return about
end

local function request_summary(entry)
  local about = about_message(entry)
  about.sequence, about.method, about.path, about.at = entry.sequence, entry.method, entry.path, entry.at
  about.status, about.size, about.cut = entry.status, entry.size, not entry.answered or nil
  about.error = entry.status >= 400 and error_of(decoded(entry.response)) or nil
  return about
end

local function add_value(events, value)
  for _, message in ipairs(table_of(value.messages)) do
    events[#events + 1] = { kind = "message", id = message.id, type = message.type }
  end
  for _, status in ipairs(table_of(value.statuses)) do
    events[#events + 1] = { kind = "status", id = status.id, type = status.status }
  end
end

local function attempt_summary(entry)
  local body, events = decoded(entry.body), {}
  add_value(events, body)
  for _, part in ipairs(table_of(body.entry)) do
    for _, change in ipairs(table_of(part.changes)) do
      add_value(events, table_of(change.value))
      if change.field ~= "messages" then events[#events + 1] = { kind = "change", type = change.field } end
    end
  end
  return { sequence = entry.sequence, url = entry.url, attempt = entry.attempt, status = entry.status,
    error = entry.error, at = entry.at, seconds = entry.seconds, events = json.array(events) }
end

local SUMMARIES = { message = function(record) return record end, request = request_summary,
  attempt = attempt_summary }

-- The state of a gateway --------------------------------------------------------------------------

local function contacts_of(gateway)
  local list, seen = {}, {}
  for _, contact in pairs(gateway.contacts.known) do
    if not seen[contact] and contact.wa_id and #list < MOST_CONTACTS then
      seen[contact] = true
      list[#list + 1] = { wa_id = contact.wa_id, name = contact.name, user_id = contact.user_id,
        username = contact.username, status = contact.status, blocked = contact.blocked or nil,
        last_inbound = contact.last_inbound, hidden = contact.hidden }
    end
  end
  table.sort(list, function(a, b) return a.wa_id < b.wa_id end)
  return json.array(list)
end

local function state_of(gateway)
  local options = gateway.options
  local address = gateway.webhooks.addresses.number or select(2, next(gateway.webhooks.addresses))
  return {
    name = gateway.name, kind = gateway.kind, number = options.number, url = gateway.url,
    webhook = address and address.url,
    phone_number_id = options.phone_number_id, verified_name = options.verified_name,
    window = options.window, statuses = options.statuses, duplicates = options.webhooks.duplicates,
    reorder = options.webhooks.reorder, failures = json.array(gateway.failures.requests),
    status_failures = json.array(gateway.failures.statuses), contacts = contacts_of(gateway),
    templates = json.array(gateway.templates.list),
    quality = table_of(gateway.health.fields).quality_rating,
    limit = table_of(gateway.health.fields).whatsapp_business_manager_messaging_limit,
    health = table_of(table_of(gateway.health.entities).PHONE_NUMBER).can_send_message,
  }
end

local function state(self)
  local gateways = {}
  for _, gateway in pairs(self.process.gateways) do gateways[#gateways + 1] = state_of(gateway) end
  table.sort(gateways, function(a, b) return a.name < b.name end)
  return json.encode({ gateways = gateways, skew = self.skew + self.process.clock.ahead,
    ca_file = self.process.ca_file })
end

local function code_list(known)
  local list = {}
  for key, row in pairs(known) do
    if type(key) == "number" then list[#list + 1] = row end
  end
  table.sort(list, function(a, b) return a.code < b.code end)
  return list
end

local function summaries(ring, kind)
  local list = ring:list()
  for i, entry in ipairs(list) do list[i] = SUMMARIES[kind](entry) end
  return json.array(list)
end

local function snapshot(self)
  local gateways = {}
  for name, gateway in pairs(self.process.gateways) do
    gateways[name] = { message = summaries(gateway.messages, "message"),
      request = summaries(gateway.journal, "request"), attempt = summaries(gateway.webhooks.attempts, "attempt") }
  end
  return json.encode({ gateways = gateways,
    codes = { on_premise = code_list(codes.on_premise), cloud = code_list(codes.cloud) } })
end

-- Events ------------------------------------------------------------------------------------------

local function event(name, data) return ("event: %s\ndata: %s\n\n"):format(name, data) end

--- Sends a new or changed entry to the browsers.
---@param gateway waba.emulator.GatewayBase
---@param kind "message"|"request"|"attempt"
---@param entry table
function Feed:publish(gateway, kind, entry)
  if not next(self.streams) then return end
  local text = event(kind, json.encode({ gateway = gateway.name, entry = SUMMARIES[kind](entry) }))
  for stream in pairs(self.streams) do
    stream[#stream + 1] = text
    stream.changed:signal()
  end
end

--- Notifies the browsers of changed options, customers and failures.
function Feed:refresh()
  for stream in pairs(self.streams) do stream.changed:signal() end
end

local function send_all(self, stream, exchange)
  local waiting = {}
  while true do
    local now = state(self)
    if now ~= stream.state then
      stream.state = now
      table.insert(waiting, 1, event("state", now))
    elseif #waiting == 0 and cqueues.poll(stream.changed, HEARTBEAT) == HEARTBEAT then
      waiting[1] = ": the emulator runs\n\n"
    end
    if #waiting > 0 and not exchange:write(table.concat(waiting)) then return end
    cqueues.sleep(PAUSE)
    if #stream > MOST_WAITING then return end
    waiting = {}
    for i = 1, #stream do waiting[i], stream[i] = stream[i], nil end
  end
end

--- Sends events to one browser until it disconnects.
---@param exchange waba.http.Exchange
function Feed:stream(exchange)
  local stream = { changed = condition.new() }
  self.streams[stream] = true
  local ok, raised = require("waba.coroutines").protect(function()
    stream.state = state(self)
    if exchange:write("retry: 1000\n\n" .. event("state", stream.state) .. event("snapshot", snapshot(self))) then
      send_all(self, stream, exchange)
    end
  end)
  self.streams[stream] = nil
  if not ok then error(raised, 0) end
end

return feed
