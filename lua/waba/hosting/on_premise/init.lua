-- The On-Premise gateway (waba.360dialog.io): addresses, endpoints and rates. Other parts
-- are in files of this folder and loaded at first use: health, media, profile, templates, webhook.

local errors = require "waba.errors"
local on_premise_errors = require "waba.hosting.on_premise.errors"
local messages = require "waba.hosting.on_premise.messages"
local sent = require "waba.hosting.sent"
local values = require "waba.hosting.values"

local type = type

local on_premise = {
  name = "on_premise",
  base_url = "https://waba.360dialog.io",
  sandbox_url = "https://waba-sandbox.360dialog.io",
  -- requests per second, and bursts (360dialog's page on capacity)
  pace = { messages = { rate = 50, burst = 150 }, other = { rate = 20, burst = 60 } },
  errors = on_premise_errors,
  hints = {
    refused = 'if the number is on Cloud hosting, give hosting = "cloud"',
    unreached = 'On-Premise hosting ended in October 2025: for a number on Cloud hosting give hosting = "cloud"',
  },
  encode_message = messages.encode,
  unknown_contact = 1006, -- the code for a number that was never checked (kind "recipient")
  read_sent = sent.read,
}

-- Paths (on-premise.md, sections 2 to 9). `{name}` is percent-encoded.
---@type table<string, waba.Endpoint>
on_premise.endpoints = {
  send = { method = "POST", path = "/v1/messages", class = "messages", summary = sent.summary },
  mark_read = { method = "PUT", path = "/v1/messages/{id}", idempotent = true },
  check_contacts = { method = "POST", path = "/v1/contacts", idempotent = true },
  block_contact = { method = "POST", path = "/v1/contacts/{number}/block", idempotent = true },
  get_identity = { method = "GET", path = "/v1/contacts/{wa_id}/identity", idempotent = true },
  acknowledge_identity = { method = "PUT", path = "/v1/contacts/{wa_id}/identity", idempotent = true },
  upload_media = { method = "POST", path = "/v1/media" },
  download_media = { method = "GET", path = "/v1/media/{id}", idempotent = true, binary = true },
  delete_media = { method = "DELETE", path = "/v1/media/{id}", idempotent = true },
  get_webhook = { method = "GET", path = "/v1/configs/webhook", idempotent = true },
  set_webhook = { method = "POST", path = "/v1/configs/webhook", idempotent = true },
  phone_number = { method = "GET", path = "/v1/configs/phone_number", idempotent = true },
  health = { method = "GET", path = "/v1/health", idempotent = true },
  list_templates = { method = "GET", path = "/v1/configs/templates", idempotent = true },
  create_template = { method = "POST", path = "/v1/configs/templates" },
  delete_template = { method = "DELETE", path = "/v1/configs/templates/{name}", idempotent = true },
  get_about = { method = "GET", path = "/v1/settings/profile/about", idempotent = true },
  set_about = { method = "PATCH", path = "/v1/settings/profile/about", idempotent = true },
  get_photo = { method = "GET", path = "/v1/settings/profile/photo", idempotent = true, binary = true },
  get_photo_link = {
    method = "GET", path = "/v1/settings/profile/photo", query = { format = "link" }, idempotent = true,
  },
  set_photo = { method = "POST", path = "/v1/settings/profile/photo", idempotent = true },
  get_business = { method = "GET", path = "/v1/settings/business/profile", idempotent = true },
  set_business = { method = "POST", path = "/v1/settings/business/profile", idempotent = true },
}

-- Messages of the errors for endpoints that only Cloud hosting has, each with the names of these endpoints.
local UNSUPPORTED = {
  ["resumable uploads exist on Cloud hosting only: On-Premise hosting takes the file itself"] = {
    "open_upload", "upload_state", "send_upload",
  },
  ["what is known of a file can be asked for on Cloud hosting only: here client.media:download returns the file"] = {
    "get_media",
  },
  ["webhook addresses of an account exist on Cloud hosting only: every number has its own here"] = {
    "get_account_webhook", "set_account_webhook",
  },
  ["further destinations of webhooks exist on Cloud hosting only"] = {
    "get_destinations", "set_destinations", "add_destination", "update_destination",
  },
  ["single templates can be asked for on Cloud hosting only: client.templates:list finds them by name"] = {
    "get_template",
  },
  ["templates can be edited on Cloud hosting only: here another one is created, and the old one deleted"] = {
    "edit_template",
  },
  ["templates can be deleted by their ids on Cloud hosting only: client.templates:delete takes a name here"] = {
    "delete_templates",
  },
  ["templates can be archived on Cloud hosting only"] = { "archive_templates", "unarchive_templates" },
  ["templates can be compared on Cloud hosting only"] = { "compare_templates" },
  ["the library of templates exists on Cloud hosting only"] = { "template_library" },
  ["the block list exists on Cloud hosting only: client.contacts:block blocks one contact here"] = {
    "list_blocked", "block_users", "unblock_users",
  },
  ["ice breakers, commands and welcome messages exist on Cloud hosting only"] = { "get_automation", "set_automation" },
  ["calls exist on Cloud hosting only"] = { "get_calling", "set_calling" },
  ["commerce settings exist on Cloud hosting only: 360dialog's support sets them here"] = {
    "get_commerce", "set_commerce",
  },
  ["QR codes exist on Cloud hosting only"] = {
    "list_qr_codes", "get_qr_code", "create_qr_code", "update_qr_code", "delete_qr_code",
  },
}
for message, names in pairs(UNSUPPORTED) do
  for _, name in ipairs(names) do on_premise.endpoints[name] = { unsupported = message } end
end

-- The resources of the WhatsApp client that 360dialog keeps closed: a path is closed when it is one of these or below
-- one (on-premise.md, section 8.1). 360dialog opens them one by one; until then the gateway responds with 403.
local CLOSED = {
  "/v1/settings", "/v1/certificates", "/v1/account", "/v1/stats", "/metrics", "/v1/support", "/v1/users",
}
local OPEN = { "/v1/settings/profile", "/v1/settings/business/profile" }

-- Normalizes a path: without query, `%73`, `//`, `.` and `..`; in lower case.
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

--- Whether 360dialog keeps a path closed, in any spelling.
---@param path string  as in "/v1/settings/application"
---@return boolean
function on_premise.is_closed(path)
  path = normalize(path)
  return lies_below(path, CLOSED) and not lies_below(path, OPEN)
end

--- Writes the request of `mark_read` (on-premise.md, section 3).
---@param id string
---@param options? { typing: boolean? }
---@return table|nil body
---@return table|waba.Error parameters  of the path, or the error
function on_premise.encode_read(id, options)
  if options and options.typing then
    return nil, errors.invalid("typing", "typing exists on Cloud hosting only")
  end
  return { status = "read" }, { id = id }
end

--- Reads the response to GET /v1/configs/phone_number (on-premise.md, section 7.1).
---@param json any
---@return string|nil digits
function on_premise.read_phone_number(json)
  return type(json) == "table" and values.phone_digits(json.phone_number) or nil
end

return on_premise
