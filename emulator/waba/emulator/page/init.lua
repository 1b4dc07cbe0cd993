-- The page for a browser, with a phone for each customer: serves the page's files and the media of messages, sends the
-- state of the gateways and its changes as server-sent events, and passes calls to the control port.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local core = require "waba.core"
local codes = require "waba.emulator.codes"
local control = require "waba.emulator.control"
local files = require "waba.emulator.files"
local json = require "waba.emulator.json"
local protect = require("waba.coroutines").protect

local page = {}

local FOLDER = debug.getinfo(1, "S").source:match("^@(.*)[/\\][^/\\]*$") or "."

-- The MIME types of the page's files.
local FILES = { ["vendor/preact-htm.js"] = "text/javascript", ["style.css"] = "text/css" }
for _, name in ipairs({ "app", "connection", "copies", "dialogs", "formats", "messages", "phone", "switches",
  "traffic", "voice" }) do
  FILES[name .. ".js"] = "text/javascript"
end

-- The browser may load the page's own files only, and must not run code or apply styles that are in the HTML.
-- Media that a bot sends by link are loaded from their own URL.
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  .. "img-src 'self' blob: data: https: http:; media-src 'self' blob: https: http:; "
  .. "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

local HEADERS = { ["content-security-policy"] = POLICY, ["x-content-type-options"] = "nosniff",
  ["referrer-policy"] = "no-referrer", ["cache-control"] = "no-store",
  ["cross-origin-resource-policy"] = "same-origin", ["permissions-policy"] = "microphone=(self)" }

-- Seconds between two comments in a stream of events. Writing a comment fails if the browser has disconnected.
local HEARTBEAT = 10
-- Seconds for which changes are collected before they are sent.
local PAUSE = 0.03
-- The largest number of events that may wait for one browser. If more than MOST_WAITING events wait, the emulator
-- closes the browser's connection. The browser then connects again and gets a new snapshot.
local MOST_WAITING = 50000
-- The largest number of contacts in the state of a gateway.
local MOST_CONTACTS = 500

---@class waba.emulator.Page : waba.emulator.Gateway
---@field url string                   the URL with the token
---@field streams table<table, true>   the streams of events, one for each connected browser
---@field skew number                  seconds by which the start of the emulator's clock differs from the real time
local Page = {}
Page.__index = Page
Page.__name = "waba.emulator.Page"

function page.new(process)
  return setmetatable({ process = process, token = process.token, control = control.new(process, process.token),
    streams = {}, skew = math.floor(process.clock:now() - process.clock.ahead - os.time() + 0.5) }, Page)
end

-- Summaries of requests and webhooks --------------------------------------------------------------

local function table_of(value) return type(value) == "table" and value or {} end

local function decoded(text)
  return type(text) == "string" and text:find("^%s*{") and table_of(json.decode(text)) or {}
end

-- Returns the code and the text of an error response of either hosting.
local function error_of(response)
  local graph, row, meta = table_of(response.error), table_of(table_of(response.errors)[1]), table_of(response.meta)
  local text = table_of(graph.error_data).details or graph.message or row.details or row.title
    or meta.developer_message or meta.developerMessage
  if not text and not graph.code and not row.code then return nil end
  return { code = graph.code or row.code, title = row.title or graph.message, details = text }
end

-- Describes a request about a message. `id` is the id of the sent message; `marks` is the id of the message that
-- the request marks as read.
local function about_message(entry)
  if not entry.path:find("messages") or entry.method == "GET" then return {} end
  local body, response = decoded(entry.body), decoded(entry.response)
  return { to = body.to or body.recipient, type = body.type, id = table_of(table_of(response.messages)[1]).id,
    marks = body.message_id or entry.path:match("messages/(.+)$"), refused = entry.status >= 400 and entry.body or nil }
end

local SUMMARIES = { message = function(record) return record end }

function SUMMARIES.request(entry)
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

function SUMMARIES.attempt(entry)
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

-- The state of the gateways -----------------------------------------------------------------------

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
  local options, fields = gateway.options, table_of(gateway.health.fields)
  local address = gateway.webhooks.addresses.number or select(2, next(gateway.webhooks.addresses))
  return {
    name = gateway.name, kind = gateway.kind, number = options.number, url = gateway.url,
    webhook = address and address.url,
    phone_number_id = options.phone_number_id, verified_name = options.verified_name,
    window = options.window, statuses = options.statuses, duplicates = options.webhooks.duplicates,
    reorder = options.webhooks.reorder, failures = json.array(gateway.failures.requests),
    status_failures = json.array(gateway.failures.statuses), contacts = contacts_of(gateway),
    templates = json.array(gateway.templates.list),
    quality = fields.quality_rating, limit = fields.whatsapp_business_manager_messaging_limit,
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

--- Sends a new or changed entry to the browsers; `kind` is "message", "request" or "attempt".
function Page:publish(gateway, kind, entry)
  if not next(self.streams) then return end
  local text = event(kind, json.encode({ gateway = gateway.name, entry = SUMMARIES[kind](entry) }))
  for stream in pairs(self.streams) do
    stream[#stream + 1] = text
    stream.changed:signal()
  end
end

-- Sends events until the browser disconnects.
local function send_events(self, stream, exchange)
  local waiting = { "retry: 1000\n\n", event("state", stream.state), event("snapshot", snapshot(self)) }
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

local function serve_events(self, exchange)
  local stream = { changed = condition.new(), state = state(self) }
  self.streams[stream] = true
  local ok, raised = protect(send_events, self, stream, exchange)
  self.streams[stream] = nil
  if not ok then error(raised, 0) end
end

-- Files -------------------------------------------------------------------------------------------

local function respond(status, content_type, body)
  local headers = { ["content-type"] = content_type .. "; charset=utf-8" }
  for name, value in pairs(HEADERS) do headers[name] = value end
  return { status = status, headers = headers, body = body }
end

local function refuse(status, title, text)
  return respond(status, "text/html", ("<!doctype html><html lang=en><meta charset=utf-8><title>%s</title>"
    .. "<h1>%s</h1><p>%s"):format(title, title, text))
end

local function serve_file(name, content_type)
  local text, message = files.read(FOLDER .. "/" .. name)
  if not text then return refuse(500, "A file of the page is missing", message) end
  return respond(200, content_type, text)
end

-- MIME types that a browser shows without running code from the file.
local SHOWN = { image = true, audio = true, video = true }

local function serve_media(self, request)
  local gateway = self.process.gateways[request.segments[2]]
  local kept = gateway and gateway.media:get(request.segments[3])
  if not kept then return refuse(404, "There is no such file", "It may have expired.") end
  local plain = kept.type:lower():match("^[%w/.+-]+") or ""
  local shown = SHOWN[plain:match("^%a+")] and not plain:find("svg")
  local response = respond(200, "")
  response.file = kept.file
  response.headers["content-type"] = shown and plain or "application/octet-stream"
  response.headers["content-disposition"] = not shown and "attachment" or nil
  response.headers["content-security-policy"] = "default-src 'none'; sandbox"
  return response
end

local function get(self, request)
  local name, place = request.path:sub(2), request.segments[1]
  if FILES[name] then return serve_file(name, FILES[name]) end
  if place and place ~= "events" and place ~= "media" then
    return refuse(404, "There is no such page", "The page is at /, with the token that the emulator has printed.")
  elseif not core.equals(self.token, request.query.token or "") then
    return refuse(403, "The token is wrong or missing",
      "Open the whole address that the emulator has printed, with ?token= at its end. Each start has another token.")
  elseif place == "events" and request.method == "GET" then
    return { status = 200, headers = { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store",
      ["x-content-type-options"] = "nosniff" }, stream = function(exchange) serve_events(self, exchange) end }
  elseif place == "media" then
    return serve_media(self, request)
  end
  return serve_file("index.html", "text/html")
end

function Page:expects(request) return request.method == "POST" and self.control:expects(request) or { limit = 0 } end

function Page:handle(request)
  if control.is_foreign(request) then
    return refuse(403, "This page is for a browser of this machine", "Open the address that the emulator has printed.")
  elseif request.method == "GET" or request.method == "HEAD" then
    return get(self, request)
  end
  local response = self.control:handle(request)
  for stream in pairs(self.streams) do stream.changed:signal() end
  return response
end

--- The page's own requests are not recorded.
function Page:finished() end

return page
