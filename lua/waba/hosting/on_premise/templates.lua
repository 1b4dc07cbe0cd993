-- Templates on On-Premise hosting: the check, requests and responses (on-premise.md, section 9).

local core = require "waba.core"
local errors = require "waba.errors"
local runtime = require "waba.runtime"
local validate = require("waba.schema").validate
local values = require "waba.hosting.values"

local templates = {}

--- The error texts for options that On-Premise hosting does not support.
templates.unsupported = {
  after = "the option after exists on Cloud hosting only: use the option offset for the next page",
  before = "the option before exists on Cloud hosting only: use the option offset for the previous page",
  fields = "the option fields exists on Cloud hosting only: on On-Premise hosting templates always have all fields",
  id = "a single language can be deleted on Cloud hosting only: leave id out to delete all languages of the name",
}
for _, name in ipairs {
  "content", "name_or_content", "quality_score", "parameter_format", "sub_category", "display_format", "send_type",
  "message_send_ttl_seconds", "cta_url_link_tracking_opted_out", "is_primary_device_delivery_only",
  "optimization_spec", "library_template_name", "library_template_body_inputs", "library_template_button_inputs",
} do
  templates.unsupported[name] = "the option " .. name .. " exists on Cloud hosting only"
end

--- Checks the body of POST /v1/configs/templates. Returns true; or nil and an error of kind "invalid" with a path such
--- as "components[2].buttons[1].text".
function templates.check(client, template)
  return validate(client.validate, runtime.require "waba.schema.on_premise.template_creation", template)
end

--- Returns the body of POST /v1/configs/templates.
function templates.encode(template) return template end

-- Reading -----------------------------------------------------------------------------------------

--- A template as the gateway returns it, with further fields of the platform.
---@class waba.StoredTemplate
---@field name string
---@field language string
---@field category string         in upper case
---@field status string           in the platform's form: "approved", "rejected", "submitted", …
---@field components table[]      with types in upper case
---@field namespace string?       the namespace of the account, which template messages need on On-Premise hosting
---@field rejected_reason string? "NONE" for a template that was not rejected
---@field id string?

function templates.read(json)
  if type(json) ~= "table" or type(json.name) ~= "string" then return nil end
  local template = values.without_null(json)
  template.id = values.some_text(template.id)
  if type(template.components) ~= "table" then template.components = {} end
  return template
end

--- Returns the call of DELETE /v1/configs/templates/{name}.
function templates.encode_delete(name) return { parameters = { name = name } } end

--- Reads the response to POST /v1/configs/templates.
templates.read_created = templates.read

-- Lists -------------------------------------------------------------------------------------------

-- Returns the filters, including the option `name`, as JSON.
local function encode_filters(options)
  local filters = options.filters
  if options.name then
    if type(filters) == "string" then
      return nil, errors.invalid("name", "name can't be combined with filters as a text: expected a table of filters")
    end
    local whole = { ["business_templates.name"] = options.name }
    for field, value in pairs(filters or {}) do whole[field] = value end
    filters = whole
  end
  if type(filters) ~= "table" then return filters end
  local json, message = core.encode(filters)
  if not json then return nil, errors.invalid("filters", "filters: " .. message) end
  return json
end

--- Returns the query of GET /v1/configs/templates. `options` is a waba.TemplateQuery.
function templates.encode_query(options)
  local filters, err = encode_filters(options)
  if err then return nil, err end
  local sort = options.sort
  return {
    limit = options.limit, offset = options.offset, filters = filters,
    sort = type(sort) == "table" and table.concat(sort, ",") or sort,
  }
end

--- Reads the response to GET /v1/configs/templates, one page of the list. `query` is the query of the request.
function templates.read_page(json, query)
  if type(json) ~= "table" or type(json.waba_templates) ~= "table" then return nil end
  local page = {
    templates = values.each(json.waba_templates, templates.read), limit = tonumber(json.limit),
    offset = tonumber(json.offset) or query.offset or 0,
  }
  page.count = tonumber(json.count) or #json.waba_templates
  page.total = tonumber(json.total) or page.offset + page.count
  return page
end

return templates
