-- Methods of client.templates for the definitions of templates, which are kept in memory and optionally in a folder.

local core = require "waba.core"
local errors = require "waba.errors"
local filling = require "waba.message.filling"
local new_file = require "waba.resource.media.new_file"
local schema = require "waba.schema"

local definitions = {}

-- Returns the same text for two forms of one language or status, such as "pt-BR" and "pt_br", or "APPROVED" and
-- "approved".
local function comparable(value)
  return type(value) == "string" and value:lower():gsub("-", "_") or nil
end

definitions.comparable = comparable

-- Returns whether the name of a template or of a language can be a part of a file name.
local function is_plain(name)
  return name:find "^[%w_%-]+$" ~= nil
end

local function path_of(folder, name, language)
  return ("%s/%s.%s.json"):format(folder, name, language)
end

function definitions.write(folder, template)
  if not (is_plain(tostring(template.name)) and is_plain(tostring(template.language))) then
    local text = "template %s, language %s can't be stored: expected a name and a language of letters, digits, _ or -, "
      .. "because they are the name of a file"
    return nil, errors.invalid("name", text:format(tostring(template.name), tostring(template.language)))
  end
  local text, message = core.encode(template)
  if not text then return nil, errors.invalid("folder", ("can't write %s: %s"):format(template.name, message)) end
  local path = path_of(folder, template.name, template.language)
  local written, err = new_file.write(path, text .. "\n")
  if not written then return nil, errors.invalid("folder", err.message) end
  return path
end

function definitions.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  local template, message = core.decode(text or "")
  if type(template) ~= "table" or type(template.name) ~= "string" or type(template.language) ~= "string" then
    return nil, errors.invalid("folder", ("%s is not the definition of a template: %s"):format(path,
      message or "expected an object with name, language and components"))
  end
  return template
end

-- Returns the definition of a template from a folder, or an error of kind "template" if the folder does not have the
-- definition.
function definitions.in_folder(folder, name, language)
  local path = path_of(folder, name, language)
  local template, err
  if is_plain(name) and is_plain(language) then template, err = definitions.read(path) end
  if template or err then return template, err end
  return nil, errors.new {
    kind = "template", path = "name", message = ("template %s (%s): there is no file %s"):format(name, language, path),
  }
end

local function keep(self, template)
  local name, language = template.name, template.language
  if type(name) ~= "string" or type(language) ~= "string" then return end
  self.known = self.known or {}
  self.known[name] = self.known[name] or {}
  self.known[name][comparable(language)] = template
end

local function find(self, name, language)
  return self.known and self.known[name] and self.known[name][comparable(language)]
end

local function fetch(self, name)
  local found = {}
  for template, err in self:each { name = name } do
    if not template then return nil, err end
    if template.name == name then found[#found + 1] = template end
  end
  for _, template in ipairs(found) do
    keep(self, template)
    if self.folder then
      local path, err = definitions.write(self.folder, template)
      if not path then return nil, err end
    end
  end
  return found
end

local function absent(name, language, found)
  local languages = {}
  for i, template in ipairs(found) do languages[i] = tostring(template.language) end
  table.sort(languages)
  local message = #found == 0 and ("name is %s: there is no such template"):format(name)
    or ("template %s has no language %s: it has %s"):format(name, language, table.concat(languages, ", "))
  return errors.new { kind = "template", path = #found == 0 and "name" or "language", message = message }
end

local function check_name(name, language, what)
  if type(name) ~= "string" or name == "" then error(what .. ": the name must be a string that is not empty", 3) end
  if type(language) ~= "string" or language == "" then
    error(what .. ": the language must be a string such as en_US", 3)
  end
end

--- Returns the definition of a template in one language. The client fetches the definition once, and again after
--- `forget` or after the gateway has refused a message because the template differs.
---@param name string
---@param language string
---@return waba.StoredTemplate|nil
---@return waba.Error? err  kind "template" if the template does not exist in this language
function definitions:definition(name, language)
  check_name(name, language, "client.templates:definition")
  local known = find(self, name, language)
  if known then return known end
  local is_stale = self.is_stale or self.stale and self.stale[name]
  if self.folder and is_plain(name) and is_plain(language) and not is_stale then
    local stored, err = definitions.read(path_of(self.folder, name, language))
    if err then return nil, err end
    if stored then
      keep(self, stored)
      return stored
    end
  end
  local found, err = fetch(self, name)
  if not found then return nil, err end
  if self.stale then self.stale[name] = nil end
  known = find(self, name, language)
  if known then return known end
  return nil, absent(name, language, found)
end

--- Creates a template message from the template's definition and values. The values of placeholders are fields with the
--- names of the placeholders, or elements 1, 2, … . The other components have the fields `header`, `buttons` (by
--- position or text), `cards`, `limited_time_offer`, and `code` for the code of an authentication template:
---
---     client.templates:fill("order_ready", "en", { first_name = "Eva", order = "118", buttons = { Track = "118" } })
---@param name string
---@param language string
---@param values? table<string|integer, any>
---@return waba.Message|nil
---@return waba.Error? err  kind "template"; `errors` lists every missing, surplus or invalid value
function definitions:fill(name, language, values)
  check_name(name, language, "client.templates:fill")
  if values ~= nil and type(values) ~= "table" then
    error("client.templates:fill: the values must be a table, not a " .. type(values), 2)
  end
  local defined, err = self:definition(name, language)
  if not defined then return nil, err end
  local message, failure = filling.fill(defined, values or {})
  if not message then return nil, failure end
  local valid
  valid, err = schema.check(message, self.client.hosting.name, true)
  if valid then return message end
  return nil, errors.new {
    kind = "template", path = err.path, message = ("template %s (%s): %s"):format(name, language, err.message),
    errors = { { path = err.path, message = err.message } },
  }
end

--- Forgets the definitions of one template or of all templates. The next call that needs such a definition fetches it
--- again. Call `forget` when a webhook reports a changed template.
---@param name? string  the name of the template; default: all templates
function definitions:forget(name)
  if name == nil then
    self.known, self.is_stale = nil, true
  else
    if self.known then self.known[name] = nil end
    self.stale = self.stale or {}
    self.stale[name] = true
  end
end

--- Selects a folder for definitions. Definitions that are in the folder are not fetched. Definitions that are fetched
--- are written into the folder.
---@param folder string  a folder that `waba templates pull` has written
function definitions:keep(folder)
  if type(folder) ~= "string" or folder == "" then
    error("client.templates:keep: the folder must be a string that is not empty", 2)
  end
  self.folder = folder
end

return definitions
