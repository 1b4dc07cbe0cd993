-- Message templates: /v1/configs/templates on On-Premise hosting, /message_templates on Cloud hosting. The modules
-- waba.hosting.<name>.templates convert requests and responses for each hosting.

local outcome = require "waba.resource.outcome"
local archive = require "waba.resource.templates.archive"
local definitions = require "waba.resource.templates.definitions"
local errors = require "waba.errors"
local hosting = require "waba.hosting"
local identifiers = require "waba.resource.identifiers"
local library = require "waba.resource.templates.library"
local option = require "waba.option"
local pages = require "waba.resource.pages"

---@class waba.TemplatesResource
local Templates = {}

function Templates:__init()
  self.forms = hosting.part(self.client.hosting, "templates")
end

--- Filters of templates. The filters do not distinguish upper and lower case.
---@options waba.TemplateFilter
local EACH_OPTIONS = {
  limit = "integer",            -- number of templates in one page; default on On-Premise hosting: 1000
  name = "string",              -- selects templates with this name, in all languages
  status = "string",            -- the status, such as "approved". If the gateway does not filter, the client removes
                                -- other templates, so a page has fewer templates
  category = "string",          -- the category, such as "MARKETING"; selects templates in the same way as `status`
  language = "string",          -- the language, such as "en_US"; selects templates in the same way as `status`
  sort = "string|string[]",     -- On-Premise: names of fields to sort by; "-" before a name: descending
  filters = "table|string",     -- On-Premise: further filters: { ["business_templates.name"] = "order_ready_v2" }
  fields = "string|string[]",   -- Cloud: the names of the fields that are returned for each template
  content = "string",           -- Cloud: selects templates whose text contains this text
  name_or_content = "string",   -- Cloud: selects templates whose name or text contains this text
  quality_score = "string",     -- Cloud: the quality: "GREEN", "YELLOW", "RED", "UNKNOWN"
}

--- Filters of templates, and the selection of a page.
---@options waba.TemplateQuery : waba.TemplateFilter
local PAGE_OPTIONS = option.with(EACH_OPTIONS, {
  offset = "integer",           -- On-Premise: the position of the first template; the first position is 0
  after = "string",             -- Cloud: selects the page after this cursor
  before = "string",            -- Cloud: selects the page before this cursor
})

--- The options of `client.templates:get`.
---@options waba.TemplateFieldsOptions
local GET_OPTIONS = {
  fields = "string|string[]",   -- the names of the fields that are returned
}

--- One page of templates.
---@class waba.TemplatePage
---@field templates waba.StoredTemplate[]
---@field count integer       the number of templates in the response of the gateway; the client may filter them
---@field total integer|nil   On-Premise: number of all templates
---@field limit integer|nil   On-Premise: the largest number of templates in a page
---@field offset integer|nil  On-Premise: the number of templates before this page
---@field after string|nil    Cloud: the cursor of the next page; nil on the last page
---@field before string|nil   Cloud: the cursor of the previous page

local function unsupported_option(self, options)
  for name in pairs(options) do
    local message = self.forms.unsupported[name]
    if message then return errors.invalid(name, message) end
  end
end

-- Returns the query in the form of the hosting. Raises an error for an invalid option at the caller of the method
-- `what`.
local function encode_query(self, options, what)
  if options.offset and options.offset < 0 then
    error(what .. ": option offset must be at least 0, not " .. options.offset, 3)
  end
  pages.query(options, what)
  local err = unsupported_option(self, options)
  if err then return nil, err end
  return self.forms.encode_query(options)
end

local function fetch(self, query)
  return outcome.fetch(self.client, "list_templates", { query = query }, function(json)
    return self.forms.read_page(json, query)
  end, "the response has no templates: expected a list of them")
end

local comparable = definitions.comparable

-- A field that the option `fields` does not request is not compared with its filter.
local function is_wanted(template, options)
  for _, name in ipairs { "status", "category", "language" } do
    if options[name] and comparable(template[name]) ~= comparable(options[name])
      and not (options.fields and template[name] == nil) then
      return false
    end
  end
  return true
end

local function fetch_wanted(self, query, options)
  local page, err = fetch(self, query)
  if not page then return nil, err end
  local kept = {}
  for _, template in ipairs(page.templates) do
    if is_wanted(template, options) then kept[#kept + 1] = template end
  end
  page.templates = kept
  return page
end

--- Returns one page of templates: GET /v1/configs/templates; GET /message_templates. Another page follows if `offset +
--- count < total` (On-Premise hosting), or if the page has the field `after` (Cloud hosting).
---@param options? waba.TemplateQuery
---@return waba.TemplatePage|nil
---@return waba.Error? err
function Templates:list(options)
  options = option.check(options, PAGE_OPTIONS, "client.templates:list")
  local query, err = encode_query(self, options, "client.templates:list")
  if not query then return nil, err end
  return fetch_wanted(self, query, options)
end

--- Iterates over all templates, page after page:
---
---     for template, err in client.templates:each() do
---       if not template then print(err) end
---     end
---
--- If a page can't be fetched, the last iteration has the values `false` and the error. Without an error, the loop
--- returns all templates.
---@param options? waba.TemplateFilter
---@return fun(): waba.StoredTemplate|false|nil, waba.Error?
function Templates:each(options)
  options = option.check(options, EACH_OPTIONS, "client.templates:each")
  local query, query_err = encode_query(self, options, "client.templates:each")
  return pages.each(query or {}, "templates", function()
    if not query then return nil, query_err end
    return fetch_wanted(self, query, options)
  end)
end

local NO_TEMPLATE = "the response has no template: expected its id or name"

--- Returns one template: GET /message_templates/{id} (Cloud hosting only).
---@param id string|integer
---@param options? waba.TemplateFieldsOptions
---@return waba.StoredTemplate|nil
---@return waba.Error? err
function Templates:get(id, options)
  options = option.check(options, GET_OPTIONS, "client.templates:get")
  local digits, err = identifiers.one(id, "id")
  if not digits then return nil, err end
  local fields = options.fields
  if type(fields) == "table" then fields = table.concat(fields, ",") end
  local call = { parameters = { id = digits }, query = { fields = fields } }
  return outcome.fetch(self.client, "get_template", call, self.forms.read, NO_TEMPLATE)
end

--- The changes of a template.
---@options waba.TemplateEdit
local EDIT_OPTIONS = {
  category = '"AUTHENTICATION"|"MARKETING"|"UTILITY"',
  components = "table[]",                          -- in the platform's form; they replace all stored components
  allow_category_change = "boolean",               -- true: the platform may change a wrong category instead of
                                                   -- rejecting the template
  parameter_format = "string",                     -- Cloud: "POSITIONAL", the default of the platform, or "NAMED"
  sub_category = "string",                         -- Cloud hosting only
  display_format = "string",                       -- Cloud hosting only
  message_send_ttl_seconds = "integer",            -- Cloud: seconds for which WhatsApp tries to deliver a message
  cta_url_link_tracking_opted_out = "boolean",     -- Cloud: true: WhatsApp does not count taps on the template's links
  optimization_spec = "table",                     -- Cloud hosting only
}

--- A template to create. Either `components` or `library_template_name` is required.
---@options waba.NewTemplate : waba.TemplateEdit
local CREATE_OPTIONS = option.with(EDIT_OPTIONS, {
  name = "string",                                 -- required: lower-case letters, digits and underscores
  language = "string",                             -- required: "de", "en_US"
  category = '"AUTHENTICATION"|"MARKETING"|"UTILITY"', -- required
  send_type = "string",                            -- Cloud hosting only
  is_primary_device_delivery_only = "boolean",     -- Cloud: true: only the customer's phone gets messages, not linked
                                                   -- devices
  library_template_name = "string",                -- Cloud: the library template whose content the new template has
  library_template_body_inputs = "table",          -- Cloud: values for placeholders in the library template's body
  library_template_button_inputs = "table[]",      -- Cloud: values for placeholders in the library template's buttons
})

--- The templates to delete.
---@options waba.TemplateDeleteOptions
local DELETE_OPTIONS = {
  id = "string|integer",        -- Cloud: the id of the template in one language, to delete only this language;
                                -- default: deletes the template in all languages
}

--- Creates a template in one language and submits it for review: POST /v1/configs/templates; POST /message_templates.
--- The review takes up to 48 hours (24 on Cloud hosting). The field `status` of the template has the result.
--- The components are checked before the request. A template with `library_template_name` is approved at once.
---@param options waba.NewTemplate
---@return waba.StoredTemplate|nil  the status is "created" or "submitted", on Cloud hosting "PENDING"
---@return waba.Error? err  kind "invalid" with a path such as "components[2].buttons[1].text"
function Templates:create(options)
  options = option.check(options, CREATE_OPTIONS, "client.templates:create")
  local client, err = self.client, unsupported_option(self, options)
  if err then return nil, err end
  local body = self.forms.encode(options)
  local valid, failure = self.forms.check(client, body)
  if not valid then return nil, failure end
  return outcome.fetch(client, "create_template", { json = body }, function(json)
    return self.forms.read_created(json, body)
  end, NO_TEMPLATE)
end

--- Changes a template and submits it again: POST /message_templates/{id} (Cloud hosting only). Only an approved,
--- rejected or paused template can be edited. An approved template can be edited once a day and ten times in 30 days.
--- The category of an approved template can't be changed.
---@param id string|integer
---@param options waba.TemplateEdit
---@return true|nil
---@return waba.Error? err
function Templates:edit(id, options)
  options = option.check(options, EDIT_OPTIONS, "client.templates:edit")
  if next(options) == nil then error("client.templates:edit: at least one field is needed, such as components", 2) end
  local endpoint, err = hosting.endpoint(self.client.hosting, "edit_template")
  if not endpoint then return nil, err end
  local digits, id_err = identifiers.one(id, "id")
  if not digits then return nil, id_err end
  local body = self.forms.encode(options)
  local valid, failure = self.forms.check_edit(self.client, body)
  if not valid then return nil, failure end
  return outcome.success(self.client:call("edit_template", { parameters = { id = digits }, json = body }))
end

--- Deletes a template in all languages: DELETE /v1/configs/templates/{name}; DELETE /message_templates. The option `id`
--- selects one language. The name of an approved template can't be used again for about 30 days.
---@param name string
---@param options? waba.TemplateDeleteOptions
---@return true|nil
---@return waba.Error? err
function Templates:delete(name, options)
  if type(name) ~= "string" or name == "" then
    error("client.templates:delete: the name must be a string that is not empty", 2)
  end
  options = option.check(options, DELETE_OPTIONS, "client.templates:delete")
  local client, err, id = self.client, unsupported_option(self, options), nil
  if err then return nil, err end
  if options.id ~= nil then
    id, err = identifiers.one(options.id, "id")
    if not id then return nil, err end
  end
  return outcome.success(client:call("delete_template", self.forms.encode_delete(name, id)))
end

for _, name in ipairs { "definition", "fill", "forget", "keep" } do Templates[name] = definitions[name] end
for name, method in pairs(archive) do Templates[name] = method end
Templates.compare, Templates.library, Templates.each_in_library = library.compare, library.list, library.each

--- Returns the namespace of the account's templates. A client requests the namespace once. Cloud hosting has no
--- namespaces.
---@return string|nil namespace
---@return waba.Error? err  kind "not_found" if the account has no template; kind "invalid" on Cloud hosting
function Templates:namespace()
  local unsupported = self.forms.unsupported.namespace
  if unsupported then return nil, errors.new { kind = "invalid", message = unsupported } end
  if self.known_namespace then return self.known_namespace end
  local page, err = fetch(self, { limit = 10 })
  if not page then return nil, err end
  for _, template in ipairs(page.templates) do
    if type(template.namespace) == "string" and template.namespace ~= "" then
      self.known_namespace = template.namespace
      return template.namespace
    end
  end
  return nil, errors.new {
    kind = "not_found", message = "no template has a namespace: expected at least one template in the account",
  }
end

return Templates
