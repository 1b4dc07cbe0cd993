-- Templates on the Cloud gateway (cloud.md, section 5): what may be created and edited, what the
-- gateway answers, and how its lists are asked for.

local runtime = require "waba.runtime"
local validate = require("waba.schema").validate
local values = require "waba.hosting.values"

local templates = {}

-- Writing -----------------------------------------------------------------------------------------

-- The platform takes these words in any case, and shows them in capitals.
local CAPITALS = { type = true, format = true, otp_type = true }
local CAPITALS_ON_TOP = { category = true, parameter_format = true }
-- What holds such words, cards and their buttons included; no template is as deep as this.
local HOLDERS = { components = true, library_template_button_inputs = true }
-- A payment setting is the same object as in a message, whose types are in lower case.
local AS_WRITTEN = { payment_setting = true }
local DEEPEST = 20

local function in_capitals(value, depth)
  if type(value) ~= "table" or depth > DEEPEST then return value end
  local copy = {}
  for name, inner in pairs(value) do
    if CAPITALS[name] and type(inner) == "string" then
      inner = inner:upper()
    elseif not AS_WRITTEN[name] then
      inner = in_capitals(inner, depth + 1)
    end
    copy[name] = inner
  end
  return copy
end

--- The body of POST /message_templates, with the platform's words in capitals.
---@param given table
---@return table
function templates.encode(given)
  local body = {}
  for name, value in pairs(given) do
    if HOLDERS[name] then
      value = in_capitals(value, 1)
    elseif CAPITALS_ON_TOP[name] and type(value) == "string" then
      value = value:upper()
    end
    body[name] = value
  end
  return body
end

--- Checks a template before it is created.
---@param client waba.Client  its `validate` says which rules hold
---@param template table      from `encode`
---@return true|nil
---@return waba.Error? err  of kind "invalid", with a path such as "components[2].buttons[1].text"
function templates.check(client, template)
  local rules = runtime.require "waba.schema.cloud.template_creation"
  return validate(client.validate, template.library_template_name and rules.from_library or rules.create, template)
end

--- Checks what is to change of a template.
---@param client waba.Client
---@param changes table  from `encode`
---@return true|nil
---@return waba.Error? err
function templates.check_edit(client, changes)
  return validate(client.validate, runtime.require("waba.schema.cloud.template_creation").edit, changes)
end

--- What DELETE /message_templates is called with.
---@param name string
---@param id string|nil  of one language
---@return waba.Call
function templates.encode_delete(name, id)
  return { query = { name = name, hsm_id = id } }
end

-- Reading -----------------------------------------------------------------------------------------

--- Reads one template. `status` is in capitals here ("APPROVED"); there are `parameter_format`,
--- `quality_score` and others beside, as the platform has them, and no `namespace`.
---@param json any
---@return waba.StoredTemplate|nil
function templates.read(json)
  if type(json) ~= "table" then return nil end
  local template = values.without_null(json)
  template.id = values.some_text(template.id)
  if not template.id and type(template.name) ~= "string" then return nil end
  if type(template.components) ~= "table" then template.components = {} end
  return template
end

--- What POST /message_templates answers, with what was handed in.
---@param json any
---@param given table
---@return waba.StoredTemplate|nil
function templates.read_created(json, given)
  local created = templates.read(json)
  if not (created and created.id) then return nil end
  for _, name in ipairs { "name", "language", "category", "parameter_format" } do
    if created[name] == nil then created[name] = given[name] end
  end
  if created.components[1] == nil and given.components then created.components = given.components end
  return created
end

-- Lists -------------------------------------------------------------------------------------------

--- Options that this hosting lacks: the sentence of the refusal.
---@type table<string, string>
templates.unsupported = {
  offset = "offset exists on On-Premise hosting only: pages go on with after here",
  sort = "sort exists on On-Premise hosting only: sort what comes",
  filters = "filters exist on On-Premise hosting only: here name, status, category, language, content and "
    .. "quality_score are options",
  namespace = "namespaces exist on On-Premise hosting only: a template's name is enough here",
}

local FILTERS = { "name", "content", "name_or_content" }
local CAPITAL_FILTERS = { "status", "category", "quality_score" }

-- "pt-br" as the platform writes it: "pt_BR".
local function code_of(language)
  local code, region = language:match("^(%a+)[-_](%a+)$")
  return code and code:lower() .. "_" .. region:upper() or language
end

--- The query of GET /message_templates.
---@param given waba.TemplateQuery
---@return table query
function templates.encode_query(given)
  local fields = given.fields
  local query = {
    limit = given.limit and ("%.0f"):format(given.limit) or nil, after = given.after, before = given.before,
    fields = type(fields) == "table" and table.concat(fields, ",") or fields,
  }
  query.language = given.language and code_of(given.language)
  for _, name in ipairs(FILTERS) do query[name] = given[name] end
  for _, name in ipairs(CAPITAL_FILTERS) do query[name] = given[name] and given[name]:upper() end
  return query
end

--- Reads one page of the list.
---@param json any
---@return waba.TemplatePage|nil
function templates.read_page(json)
  if type(json) ~= "table" or type(json.data) ~= "table" then return nil end
  local page = { templates = {}, count = #json.data }
  for _, item in ipairs(json.data) do page.templates[#page.templates + 1] = templates.read(item) end
  page.after, page.before = values.cursors(json)
  return page
end

return templates
