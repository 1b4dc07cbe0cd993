-- Converts requests that send no message to requests for Cloud hosting (cloud.md, section 10).

local cloud = require "waba.hosting.cloud"
local cloud_profile = require "waba.hosting.cloud.profile"
local cloud_templates = require "waba.hosting.cloud.templates"
local core = require "waba.core"
local encoding = require "waba.encoding"
local on_premise = require "waba.hosting.on_premise"
local validate = require("waba.schema").validate

local requests = {}

local OLD_MEDIA = "files stored by On-Premise hosting must be uploaded again"

-- The differences between the endpoints of both hostings, by the name of the On-Premise endpoint. `to` is the name of
-- the Cloud endpoint, if the name differs. `change` is the description for the report. `query` and `body` create the
-- Cloud query and the Cloud body from the values in the On-Premise path and the On-Premise body. `check` checks the
-- Cloud body.
local known = {
  mark_read = {
    change = "the id moves into the body; ids from before the move are unknown on Cloud hosting",
    body = function(values) return cloud.encode_read(values.id) end,
  },
  block_contact = {
    to = "block_users", change = "takes a list of users instead of one, and no reason",
    body = function(values) return { messaging_product = "whatsapp", block_users = { { user = values.number } } } end,
  },
  upload_media = {
    change = "takes a form (multipart/form-data) with messaging_product, type and file instead of the file's bytes; "
      .. "returns { id }",
  },
  download_media = {
    to = "get_media",
    change = "returns a description of the file, with a download URL that expires after 5 minutes; " .. OLD_MEDIA,
  },
  delete_media = { change = "returns { success = true }; " .. OLD_MEDIA },
  set_webhook = { change = "must be called again after the new API key was created" },
  phone_number = { change = "returns the number in the field display_phone_number" },
  health = { change = "returns the health of the number, the account and the business, not of containers" },
  list_templates = {
    change = "pages with the cursor after; templates have no namespace, and their status is in upper case",
  },
  create_template = {
    change = "values such as those of category and type are in upper case; the response has an id",
    body = function(_, body) return cloud_templates.encode(body) end,
    check = function(body) return cloud_templates.check({ validate = true }, body) end,
  },
  delete_template = {
    change = "the name moves into the query",
    query = function(values) return cloud_templates.encode_delete(values.name).query end,
  },
  get_about = { change = "returns it as a field of the profile" },
  set_about = {
    change = "takes it as a field of the profile: about",
    body = function(_, body) return cloud_profile.encode_about(body.text) end,
    check = function(body) return validate(true, cloud_profile.about, body) end,
  },
  get_business = { change = "the query must name the fields" },
  set_business = {
    change = "changes only the fields in the body; vertical is a constant of the platform, such as RETAIL",
    body = function(_, body)
      local call = cloud_profile.encode_business(body)
      return call and (call.json or core.decode(call.body)) or body
    end,
    check = function(body)
      local fields = {}
      for name, value in pairs(body) do
        if name ~= "messaging_product" then fields[name] = value end
      end
      return validate(true, cloud_profile.business, fields)
    end,
  },
  get_photo = { to = "get_photo_link", change = "returns the photo's link, profile_picture_url, not its bytes" },
  get_photo_link = { change = "returns it as a field of the profile: profile_picture_url" },
  set_photo = { change = "takes the handle of a file uploaded with POST /uploads instead of the file's bytes" },
}

-- Beginnings of On-Premise paths without a counterpart, each with the reason. For a path, the first matching row is
-- used.
local GONE = {
  { "/v1/settings/application/media", "there are no media providers: make links public, or upload the files" },
  { "/v1/settings/application", "the client has no settings; set the webhook with POST /v1/configs/webhook" },
  { "/v1/settings", "the client has no settings; the remaining ones are in the 360dialog Hub" },
  { "/v1/certificates", "certificates are not uploaded: the webhook's server needs one from a public authority" },
  { "/v1/account", "360dialog registers numbers" },
  { "/v1/users", "there are no users and no logins: the API key is enough" },
  { "/v1/stats", "there are no statistics" },
  { "/metrics", "there are no statistics" },
  { "/v1/support", "there is no support information" },
  { "/v1/stickerpacks", "there are no sticker packs: send a sticker by its id or link" },
  { "/v1/groups", "groups of On-Premise hosting no longer exist, and those of Cloud hosting are unrelated" },
  { "/v1/services", "there is no database to clean up" },
}

local function compile(endpoints)
  local list = {}
  for name, endpoint in pairs(endpoints) do
    local names = {}
    local pattern = (endpoint.path or ""):gsub("[%-%.]", "%%%0"):gsub("{%+?([%w_]+)}", function(value)
      names[#names + 1] = value
      return "([^/]+)"
    end)
    if not endpoint.unsupported then
      list[#list + 1] = { name = name, endpoint = endpoint, pattern = "^" .. pattern .. "$", names = names }
    end
  end
  -- more specific endpoints come first: those with fewer values in the path, then those with a fixed query
  table.sort(list, function(x, y)
    if #x.names ~= #y.names then return #x.names < #y.names end
    if (x.endpoint.query ~= nil) ~= (y.endpoint.query ~= nil) then return x.endpoint.query ~= nil end
    return x.name < y.name
  end)
  return list
end

local function has_query(query, wanted)
  for name, value in pairs(wanted or {}) do
    if not query:find(name .. "=" .. value, 1, true) then return false end
  end
  return true
end

local function decoded(value)
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function find(list, method, path, query)
  for _, row in ipairs(list) do
    if row.endpoint.method == method and has_query(query, row.endpoint.query) then
      local found = { path:match(row.pattern) }
      if found[1] then
        local values = {}
        for i, name in ipairs(row.names) do values[name] = decoded(found[i]) end
        return row.name, values
      end
    end
  end
end

local old_endpoints, new_endpoints

-- Splits a URL. Returns the path without a trailing slash, and the query.
function requests.path_of(url)
  local path, query = url:gsub("#.*$", ""):match "^([^?]*)%??(.*)$"
  path = path:gsub("^%a+://[^/]*", ""):gsub("/+$", "")
  return path, query
end

---@param method string  in upper case
---@param url string
---@return string|nil name  the name of the On-Premise endpoint; nil for an unknown path
---@return table<string, string>? values  the values of the parameters in the path, such as an id
function requests.name_of(method, url)
  old_endpoints = old_endpoints or compile(on_premise.endpoints)
  local path, query = requests.path_of(url)
  return find(old_endpoints, method, path, query)
end

local function fill(path, values)
  return (path:gsub("{%+?([%w_]+)}", function(name) return encoding.percent(values[name]) end))
end

local function reason_of(path)
  for _, row in ipairs(GONE) do
    if path == row[1] or path:sub(1, #row[1] + 1) == row[1] .. "/" then return row[2] end
  end
  if on_premise.is_closed(path) then return "360dialog did not offer it, and Cloud hosting has no such endpoint" end
  return "it is not a known path of On-Premise hosting"
end

local function is_cloud_path(method, path, query)
  new_endpoints = new_endpoints or compile(cloud.endpoints)
  return not path:find "^/v1/" and path ~= "/metrics" and find(new_endpoints, method, path, query) ~= nil
end

-- Returns the body of a request for Cloud hosting; nil without an error if the request has no body.
local function body_of(about, values, body)
  if not about.body then return not about.to and body or nil end
  if next(values) == nil and body == nil then return nil end
  local made = about.body(values, body or {})
  if about.check then
    local valid, err = about.check(made)
    if not valid then return nil, err end
  end
  return made
end

local function description_of(name, method, endpoint, about)
  local is_moved = endpoint.method ~= method or endpoint.path ~= on_premise.endpoints[name].path
  local moved = is_moved and ("becomes %s %s"):format(endpoint.method, endpoint.path)
  if moved and about.change then return moved .. ": " .. about.change end
  return moved or about.change
end

local function shown(endpoint)
  local path = endpoint.path
  for name, value in pairs(endpoint.query or {}) do path = ("%s?%s=%s"):format(path, name, value) end
  return path
end

--- Converts a request that sends no message to a request for Cloud hosting.
---@param method string  in upper case
---@param url string     the path of the request, or its complete URL
---@param body table|nil the decoded JSON object; nil for another body
---@return { endpoint: string|nil, cloud: table|nil, changes: waba.migrate.Change[], lacking: waba.migrate.Lack[] }
function requests.map(method, url, body)
  local path, query = requests.path_of(url)
  local made = { changes = {}, lacking = {} }
  local name, values = requests.name_of(method, url)
  local about = name and known[name] or {}
  local endpoint = name and cloud.endpoints[about.to or name]
  made.endpoint = name and shown(on_premise.endpoints[name])
  if endpoint and not endpoint.unsupported then
    local what = description_of(name, method, endpoint, about)
    if what then made.changes[1] = { path = "path", what = what } end
    local written, err = body_of(about, values, body)
    if err then
      made.lacking[1] = { path = "body." .. err.path, why = err.message }
    else
      local new_query = about.query and about.query(values) or endpoint.query
      made.cloud = { method = endpoint.method, path = fill(endpoint.path, values), query = new_query, body = written }
    end
  elseif name then
    made.lacking[1] = { path = "path", why = endpoint.unsupported }
  elseif not is_cloud_path(method, path, query) then
    made.lacking[1] = { path = "path", why = "has no counterpart: " .. reason_of(path) }
  end
  return made
end

return requests
