-- On-Premise hosting: the URLs, rate limits and closed paths of the gateway.

local errors = require "waba.errors"
local on_premise_errors = require "waba.hosting.on_premise.errors"
local endpoints = require "waba.hosting.on_premise.endpoints"
local messages = require "waba.hosting.on_premise.messages"
local sent = require "waba.hosting.sent"

local on_premise = {
  name = "on_premise",
  base_url = "https://waba.360dialog.io",
  sandbox_url = "https://waba-sandbox.360dialog.io",
  -- requests per second (source: 360dialog's page on capacity)
  pace = { messages = { rate = 50, burst = 150 }, other = { rate = 20, burst = 60 } },
  endpoints = endpoints,
  errors = on_premise_errors,
  encode_message = messages.encode,
  unknown_contact = 1006, -- the code of an error of kind "recipient" if the phone number was never checked
  read_sent = sent.read,
  number_field = "phone_number", -- in the response to GET /v1/configs/phone_number (on-premise.md, section 7.1)
}

-- 360dialog keeps these paths and all paths below them closed: the gateway responds with 403 (on-premise.md, section
-- 8.1).
local CLOSED = {
  "/v1/settings", "/v1/certificates", "/v1/account", "/v1/stats", "/metrics", "/v1/support", "/v1/users",
}
local OPEN = { "/v1/settings/profile", "/v1/settings/business/profile" }

-- Removes the query, decodes percent-encoded characters, resolves `//`, `.` and `..`, and converts the path to lower
-- case.
local function normalize(path)
  path = path:gsub("[?#].*$", "")
  path = path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  local parts = {}
  for part in path:gmatch("[^/\\]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part:lower()
    end
  end
  return "/" .. table.concat(parts, "/")
end

local function lies_below(path, roots)
  for _, root in ipairs(roots) do
    if path == root or path:sub(1, #root + 1) == root .. "/" then return true end
  end
  return false
end

--- Returns whether 360dialog keeps a path closed, in whatever way the path is written.
function on_premise.is_closed(path)
  path = normalize(path)
  return lies_below(path, CLOSED) and not lies_below(path, OPEN)
end

--- Returns the body and the parameters of the request that marks a message as read (on-premise.md, section 3); or nil
--- and an error.
function on_premise.encode_read(id, options)
  if options and options.typing then
    return nil, errors.invalid("typing", "typing exists on Cloud hosting only")
  end
  return { status = "read" }, { id = id }
end

return on_premise
