-- The page for a browser. The page shows a phone for each customer, and the requests and webhooks. Serves the files
-- of the page, the events of feed.lua, the files of messages, and the calls of the control port.

local core = require "waba.core"
local control = require "waba.emulator.control"
local feed = require "waba.emulator.page.feed"
local files = require "waba.emulator.files"

local page = {}

local FOLDER = debug.getinfo(1, "S").source:match("^@(.*)[/\\][^/\\]*$") or "."

-- The files of the page by their path.
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

---@class waba.emulator.Page : waba.emulator.Gateway
---@field url string  the URL with the token
---@field feed waba.emulator.page.Feed
local Page = {}
Page.__index = Page
Page.__name = "waba.emulator.Page"

--- Creates the page of a process.
---@param process waba.emulator.Process
---@return waba.emulator.Page
function page.new(process)
  return setmetatable({ process = process, feed = feed.new(process), token = process.token,
    control = control.new(process, process.token) }, Page)
end

local function respond(status, content_type, body)
  local headers = { ["content-type"] = content_type .. "; charset=utf-8" }
  for name, value in pairs(HEADERS) do headers[name] = value end
  return { status = status, headers = headers, body = body }
end

local function refuse(status, title, text)
  return respond(status, "text/html", ("<!doctype html><html lang=en><meta charset=utf-8><title>%s</title>"
    .. "<h1>%s</h1><p>%s"):format(title, title, text))
end

-- What it serves ----------------------------------------------------------------------------------

local function serve_file(name, content_type)
  local text, message = files.read(FOLDER .. "/" .. name)
  if not text then return refuse(500, "A file of the page is missing", message) end
  return respond(200, content_type, text)
end

-- MIME types that a browser shows without running code from the file.
local SHOWN = { image = true, audio = true, video = true }

-- Returns the file of a message.
local function serve_media(self, request)
  local gateway = self.process.gateways[request.segments[2]]
  local kept = gateway and gateway.media:get(request.segments[3])
  if not kept then return refuse(404, "There is no such file", "It may have expired.") end
  local plain = kept.type:lower():match("^[%w/.+-]+") or ""
  local shown = SHOWN[plain:match("^%a+")] and not plain:find("svg")
  local response = respond(200, "")
  response.body, response.file = nil, kept.file
  response.headers["content-type"] = shown and plain or "application/octet-stream"
  response.headers["content-disposition"] = not shown and "attachment" or nil
  response.headers["content-security-policy"] = "default-src 'none'; sandbox"
  return response
end

local function get(self, request)
  local name = request.path:sub(2)
  if FILES[name] then return serve_file(name, FILES[name]) end
  local place = request.segments[1]
  if place and place ~= "events" and place ~= "media" then
    return refuse(404, "There is no such page", "The page is at /, with the token that the emulator has printed.")
  elseif not core.equals(self.token, request.query.token or "") then
    return refuse(403, "The token is wrong or missing",
      "Open the whole address that the emulator has printed, with ?token= at its end. Each start has another token.")
  elseif place == "events" and request.method == "GET" then
    return { status = 200, headers = { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store",
      ["x-content-type-options"] = "nosniff" }, stream = function(exchange) self.feed:stream(exchange) end }
  elseif place == "media" then
    return serve_media(self, request)
  end
  return serve_file("index.html", "text/html")
end

-- Requests ----------------------------------------------------------------------------------------

---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Page:expects(request)
  if request.method ~= "POST" then return { limit = 0 } end
  return self.control:expects(request)
end

--- Responds to a browser of this machine.
---@param request waba.emulator.Request
---@return waba.emulator.Response
function Page:handle(request)
  if control.is_foreign(request) then
    return refuse(403, "This page is for a browser of this machine", "Open the address that the emulator has printed.")
  elseif request.method == "GET" or request.method == "HEAD" then
    return get(self, request)
  end
  local response = self.control:handle(request)
  self.feed:refresh()
  return response
end

--- The page's own requests are not recorded.
function Page:finished() end

return page
