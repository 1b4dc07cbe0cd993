-- Templates on Cloud hosting: checks, requests and responses (cloud.md, section 5).

local runtime = require "waba.runtime"
local validate = require("waba.schema").validate
local values = require "waba.hosting.values"

local templates = {}

-- Writing -----------------------------------------------------------------------------------------

-- Fields whose values the platform writes in upper case. CAPITALS_ON_TOP has the fields of the template itself.
-- CAPITALS has the fields at any depth inside the fields in HOLDERS, for example in the buttons of cards.
local CAPITALS_ON_TOP = { category = true, parameter_format = true }
local CAPITALS = { type = true, format = true, otp_type = true }
local HOLDERS = { components = true, library_template_button_inputs = true }
-- The types in a payment setting stay in lower case.
local AS_WRITTEN = { payment_setting = true }
local DEEPEST = 20 -- levels of nested tables; valid templates have fewer

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

--- Returns the body of POST /message_templates, in which values such as types are in upper case.
function templates.encode(template)
  local body = {}
  for name, value in pairs(template) do
    if HOLDERS[name] then
      value = in_capitals(value, 1)
    elseif CAPITALS_ON_TOP[name] and type(value) == "string" then
      value = value:upper()
    end
    body[name] = value
  end
  return body
end

--- Checks the result of `encode` before a template is created. Returns true; or nil and an error of kind "invalid" with
--- a path such as "components[2].buttons[1].text".
function templates.check(client, template)
  local rules = runtime.require "waba.schema.cloud.template_creation"
  return validate(client.validate, template.library_template_name and rules.from_library or rules.create, template)
end

--- Checks the result of `encode` before a template is changed.
function templates.check_edit(client, changes)
  return validate(client.validate, runtime.require("waba.schema.cloud.template_creation").edit, changes)
end

--- Returns the call of DELETE /message_templates. With `id`, only the translation with this id is deleted.
function templates.encode_delete(name, id) return { query = { name = name, hsm_id = id } } end

-- Reading -----------------------------------------------------------------------------------------

--- Reads a template. The status is in upper case ("APPROVED"). Templates of Cloud hosting have no `namespace`, and have
--- further fields of the platform, such as `parameter_format` and `quality_score`.
function templates.read(json)
  if type(json) ~= "table" then return nil end
  local template = values.without_null(json)
  template.id = values.some_text(template.id)
  if not template.id and type(template.name) ~= "string" then return nil end
  if type(template.components) ~= "table" then template.components = {} end
  return template
end

--- Reads the response to POST /message_templates. `body` is the request, from which missing fields are taken.
function templates.read_created(json, body)
  local created = templates.read(json)
  if not (created and created.id) then return nil end
  for _, name in ipairs { "name", "language", "category", "parameter_format" } do
    if created[name] == nil then created[name] = body[name] end
  end
  if created.components[1] == nil and body.components then created.components = body.components end
  return created
end

-- Lists -------------------------------------------------------------------------------------------

--- The error texts for options that Cloud hosting does not support.
templates.unsupported = {
  offset = "the option offset exists on On-Premise hosting only: use the option after for the next page",
  sort = "the option sort exists on On-Premise hosting only: sort the result",
  filters = "the option filters exists on On-Premise hosting only: use the options name, status, category, language, "
    .. "content and quality_score",
  namespace = "namespaces exist on On-Premise hosting only: on Cloud hosting the name identifies a template",
}

-- The platform writes "pt_BR" for "pt-br".
local function code_of(language)
  local code, region = language:match("^(%a+)[-_](%a+)$")
  return code and code:lower() .. "_" .. region:upper() or language
end

--- Returns the query of GET /message_templates. `options` is a waba.TemplateQuery.
function templates.encode_query(options)
  local fields = options.fields
  local query = {
    limit = options.limit, after = options.after, before = options.before,
    fields = type(fields) == "table" and table.concat(fields, ",") or fields,
  }
  query.language = options.language and code_of(options.language)
  for _, name in ipairs { "name", "content", "name_or_content" } do query[name] = options[name] end
  for _, name in ipairs { "status", "category", "quality_score" } do
    query[name] = options[name] and options[name]:upper()
  end
  return query
end

--- Reads the response to GET /message_templates, one page of the list.
function templates.read_page(json)
  if type(json) ~= "table" or type(json.data) ~= "table" then return nil end
  local page = { templates = values.each(json.data, templates.read), count = #json.data }
  page.after, page.before = values.cursors(json)
  return page
end

return templates
