-- Requests other than messages: what each becomes on Cloud hosting (cloud.md, section 10). The endpoints are
-- those of the hostings, by the name that they share.

local cloud = require "waba.hosting.cloud"
local cloud_profile = require "waba.hosting.cloud.profile"
local cloud_templates = require "waba.hosting.cloud.templates"
local core = require "waba.core"
local on_premise = require "waba.hosting.on_premise"
local validate = require("waba.schema").validate

local requests = {}

local CHECKED = { validate = true }

local OLD_MEDIA = "a file that On-Premise hosting keeps has to be uploaded again"

-- By endpoint: `to`, when the counterpart has another name; `says`: what changes; `query` and `body`: what is sent,
-- made of the values in the path and the old body; `check`: what holds for the body.
local known = {
  mark_read = {
    says = "the id goes into the body; ids from before the move are unknown here",
    body = function(values) return cloud.encode_read(values.id) end,
  },
  block_contact = {
    to = "block_users", says = "a list of users instead of one, and no reason",
    body = function(values)
      return { messaging_product = "whatsapp", block_users = { { user = values.number } } }
    end,
  },
  upload_media = {
    says = "a form (multipart/form-data) with messaging_product, type and file instead of the bare bytes; "
      .. "answers { id }",
  },
  download_media = {
    to = "get_media",
    says = "answers what is known of the file, with a URL to load it from within 5 minutes; " .. OLD_MEDIA,
  },
  delete_media = { says = "answers { success = true }; " .. OLD_MEDIA },
  set_webhook = { says = "has to be called again after the new API key was made" },
  phone_number = { says = "the number is the field display_phone_number" },
  health = { says = "tells the health of the number, the account and the business, not of containers" },
  list_templates = {
    says = "pages go on with a cursor, after; templates have no namespace, and their status is in capitals",
  },
  create_template = {
    says = "words such as category and type are in capitals; the answer has an id",
    body = function(_, body) return cloud_templates.encode(body) end,
    check = function(body) return cloud_templates.check(CHECKED, body) end,
  },
  delete_template = {
    says = "the name goes into the query",
    query = function(values) return cloud_templates.encode_delete(values.name).query end,
  },
  get_about = { says = "a field of the profile" },
  set_about = {
    says = "a field of the profile: about",
    body = function(_, body) return cloud_profile.encode_about(body.text) end,
    check = function(body) return validate(true, cloud_profile.about, body) end,
  },
  get_business = { says = "the fields that are wanted have to be named" },
  set_business = {
    says = "changes only what is given; vertical is one of the platform's words, such as RETAIL",
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
  get_photo = { to = "get_photo_link", says = "gives the photo's link, profile_picture_url, not its bytes" },
  get_photo_link = { says = "a field of the profile: profile_picture_url" },
  set_photo = { says = "the handle of a file that POST /uploads took instead of the bare bytes" },
}

-- Paths that no endpoint of the library has: the first prefix that fits.
local GONE = {
  { "/v1/settings/application/media", "providers of files are gone: links must be public, or the file is uploaded" },
  { "/v1/settings/application", "settings of the client are gone; webhooks are set with POST /v1/configs/webhook" },
  { "/v1/settings", "settings of the client are gone; the 360dialog Hub has what is left to set" },
  { "/v1/certificates", "certificates are gone: the address of a webhook needs one that is trusted publicly" },
  { "/v1/account", "numbers are registered by 360dialog" },
  { "/v1/users", "there are no users and no logins: the API key is enough" },
  { "/v1/stats", "there are no statistics of a client" },
  { "/metrics", "there are no statistics of a client" },
  { "/v1/support", "there is no client to ask for support information" },
  { "/v1/stickerpacks", "there are no packs of stickers: a sticker is sent by its id or link" },
  { "/v1/groups", "groups of On-Premise hosting are gone; Cloud hosting's are others" },
  { "/v1/services", "there is no client whose database could be cleaned" },
}

-- Matching ----------------------------------------------------------------------------------------

-- Endpoints by method, each with a pattern for its path.
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
  -- a path without values before one with them; one with a query of its own first
  table.sort(list, function(x, y)
    if #x.names ~= #y.names then return #x.names < #y.names end
    if (x.endpoint.query ~= nil) ~= (y.endpoint.query ~= nil) then return x.endpoint.query ~= nil end
    return x.name < y.name
  end)
  return list
end

local function asks(query, wanted)
  for name, value in pairs(wanted or {}) do
    if not query:find(name .. "=" .. value, 1, true) then return false end
  end
  return true
end

local function decoded(value)
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The endpoint of a request, and the values in its path.
local function find(list, method, path, query)
  for _, row in ipairs(list) do
    if row.endpoint.method == method and asks(query, row.endpoint.query) then
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

--- A path without its host, its query and a slash at its end.
---@param url string
---@return string path
---@return string query
function requests.path_of(url)
  local path, query = url:gsub("#.*$", ""):match "^([^?]*)%??(.*)$"
  path = path:gsub("^%a+://[^/]*", ""):gsub("/+$", "")
  return path, query
end

--- Which endpoint of On-Premise hosting a request is for.
---@param method string  in capitals
---@param url string
---@return string|nil name  nil for a path that it does not have
---@return table<string, string>? values  those in the path
function requests.name_of(method, url)
  old_endpoints = old_endpoints or compile(on_premise.endpoints)
  local path, query = requests.path_of(url)
  return find(old_endpoints, method, path, query)
end

-- Mapping -----------------------------------------------------------------------------------------

local function fill(path, values)
  return (path:gsub("{%+?([%w_]+)}", function(name) return core.percent_encode(values[name]) end))
end

-- Why nothing takes the place of a request.
local function why_gone(path)
  for _, row in ipairs(GONE) do
    if path == row[1] or path:sub(1, #row[1] + 1) == row[1] .. "/" then return row[2] end
  end
  if on_premise.is_closed(path) then return "360dialog kept it closed, and Cloud hosting has nothing like it" end
  return "it is no path of On-Premise hosting that is known here"
end

local function is_cloud_path(method, path, query)
  new_endpoints = new_endpoints or compile(cloud.endpoints)
  return not path:find "^/v1/" and path ~= "/metrics" and find(new_endpoints, method, path, query) ~= nil
end

-- The body for the counterpart, or why there is none.
local function body_of(about, values, body)
  if not about.body then return not about.to and body or nil end
  if next(values) == nil and body == nil then return nil end -- nothing to make it of
  local made = about.body(values, body or {})
  if about.check then
    local valid, err = about.check(made)
    if not valid then return nil, err end
  end
  return made
end

-- What changes, in one sentence; nil when nothing does.
local function sentence(name, method, endpoint, about)
  local is_moved = endpoint.method ~= method or endpoint.path ~= on_premise.endpoints[name].path
  local moved = is_moved and ("becomes %s %s"):format(endpoint.method, endpoint.path)
  if moved and about.says then return moved .. ": " .. about.says end
  return moved or about.says
end

-- An endpoint as people name it: "/v1/media/{id}".
local function shown(endpoint)
  local path = endpoint.path
  for name, value in pairs(endpoint.query or {}) do path = ("%s?%s=%s"):format(path, name, value) end
  return path
end

--- What a request other than a message becomes on Cloud hosting.
---@param method string  in capitals
---@param url string     its path, or the whole address
---@param body table|nil decoded, when it is JSON
---@return { endpoint: string|nil, cloud: table|nil, changes: waba.migrate.Change[], lacking: waba.migrate.Lack[] }
function requests.map(method, url, body)
  local path, query = requests.path_of(url)
  local made = { changes = {}, lacking = {} }
  local name, values = requests.name_of(method, url)
  local about = name and known[name] or {}
  local endpoint = name and cloud.endpoints[about.to or name]
  made.endpoint = name and shown(on_premise.endpoints[name])
  if endpoint and not endpoint.unsupported then
    local what = sentence(name, method, endpoint, about)
    if what then made.changes[1] = { path = "path", what = what } end
    local written, err = body_of(about, values, body)
    if err then
      made.lacking[1] = { path = "body." .. err.path, why = err.message }
    else
      local asked = about.query and about.query(values) or endpoint.query
      made.cloud = { method = endpoint.method, path = fill(endpoint.path, values), query = asked, body = written }
    end
  elseif name then
    made.lacking[1] = { path = "path", why = endpoint.unsupported }
  elseif not is_cloud_path(method, path, query) then
    made.lacking[1] = { path = "path", why = "nothing takes its place: " .. why_gone(path) }
  end
  return made
end

return requests
