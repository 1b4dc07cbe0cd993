-- Message templates: /v1/configs/templates on On-Premise hosting, /message_templates on Cloud hosting.
-- What the hostings write and read differently is in waba.hosting.<name>.templates.

local outcome = require "waba.resource.outcome"
local archive = require "waba.resource.templates.archive"
local errors = require "waba.errors"
local find_endpoint = require "waba.hosting.endpoint"
local identifiers = require "waba.resource.templates.identifiers"
local library = require "waba.resource.templates.library"
local options = require "waba.options"
local pages = require "waba.resource.pages"

---@class waba.TemplatesResource
local Templates = {}
Templates.__index = Templates
Templates.__name = "waba.TemplatesResource"

local templates = {}

---@param client waba.Client
function templates.new(client)
  return setmetatable({
    client = client, dialect = require("waba.hosting." .. client.hosting.name .. ".templates"),
  }, Templates)
end

-- Lists -------------------------------------------------------------------------------------------

--- Which templates are wanted. Texts are compared in any case.
---@class waba.TemplateQuery
---@field limit? integer     of one page; the platform's default is 1000 on On-Premise hosting
---@field name? string       all languages of it
---@field status? string     "approved"; where the gateway does not filter, a page may come out shorter
---@field category? string   likewise
---@field language? string   likewise
---@field offset? integer    On-Premise: from 0
---@field sort? string|string[]  On-Premise: names of fields; "-" before one turns its order round
---@field filters? table|string  On-Premise: such as { ["business_templates.name"] = "order_ready_v2" }
---@field after? string      Cloud: the page behind this cursor
---@field before? string     Cloud: the page before this cursor
---@field fields? string|string[]  Cloud: only these fields of each template
---@field content? string    Cloud: in the template's texts
---@field name_or_content? string  Cloud: in either
---@field quality_score? string    Cloud: "GREEN", "YELLOW", "RED", "UNKNOWN"
local KNOWN_EACH = {
  limit = "integer", name = "string", status = "string", category = "string", language = "string",
  sort = "string|table", filters = "table|string", fields = "string|table", content = "string",
  name_or_content = "string", quality_score = "string",
}
local KNOWN_LIST = { offset = "integer", after = "string", before = "string" }
for name, types in pairs(KNOWN_EACH) do KNOWN_LIST[name] = types end

--- One page.
---@class waba.TemplatePage
---@field templates waba.StoredTemplate[]
---@field count integer       templates of this page, before any were filtered here
---@field total integer|nil   On-Premise: templates in all
---@field limit integer|nil   On-Premise: of a page
---@field offset integer|nil  On-Premise: of this page
---@field after string|nil    Cloud: the next page's cursor; nil on the last page
---@field before string|nil   Cloud: the cursor of the page before

-- The error of options that the hosting lacks, if any was given.
local function refusal(self, given)
  for name in pairs(given) do
    local sentence = self.dialect.lacks[name]
    if sentence then return errors.invalid(name, sentence) end
  end
end

-- The query as the hosting asks it; a wrong option raises at the caller of the method.
local function encode_query(self, given, what)
  if given.limit and given.limit < 1 then error(what .. ": option limit must be at least 1", 3) end
  if given.offset and given.offset < 0 then error(what .. ": option offset must not be negative", 3) end
  if given.after and given.before then error(what .. ": options after and before exclude each other", 3) end
  local err = refusal(self, given)
  if err then return nil, err end
  return self.dialect.encode_query(given)
end

-- One page: as the gateway has it, before anything is filtered here.
local function fetch(self, query)
  local client = self.client
  local json, response = client:call(client.hosting.endpoints.list_templates, { query = query })
  if json == nil then return nil, response end
  local page = self.dialect.read_page(json, query)
  if page then return page end
  return nil, outcome.incomplete(response, "the response has no templates")
end

-- "pt-BR" and "pt_br" are one language; "APPROVED" and "approved" one state.
local function comparable(value)
  return type(value) == "string" and value:lower():gsub("-", "_") or nil
end

local COMPARED = { "status", "category", "language" }

-- A template whose fields were not asked for is as the gateway chose it.
local function is_wanted(template, given)
  for _, name in ipairs(COMPARED) do
    if given[name] and comparable(template[name]) ~= comparable(given[name])
      and not (given.fields and template[name] == nil) then
      return false
    end
  end
  return true
end

local function only_wanted(list, given)
  if not (given.status or given.category or given.language) then return list end
  local kept = {}
  for _, template in ipairs(list) do
    if is_wanted(template, given) then kept[#kept + 1] = template end
  end
  return kept
end

--- One page of templates: GET /v1/configs/templates; GET /message_templates. There are more when
--- `offset + count < total` on On-Premise hosting, when there is an `after` on Cloud hosting.
---@param given? waba.TemplateQuery
---@return waba.TemplatePage|nil
---@return waba.Error? err
function Templates:list(given)
  given = options.check(given, KNOWN_LIST, "client.templates:list")
  local query, err = encode_query(self, given, "client.templates:list")
  if not query then return nil, err end
  local page
  page, err = fetch(self, query)
  if not page then return nil, err end
  page.templates = only_wanted(page.templates, given)
  return page
end

--- Goes through all templates, page after page:
---
---     for template, err in client.templates:each() do
---       if not template then … end -- only ever in the last turn: what went wrong
---     end
---
--- When a page can't be had, the last turn brings `false` and the error; a loop that ends without one
--- has seen every template.
---@param given? waba.TemplateQuery  `limit`: how many are fetched at once; no offset and no cursors
---@return fun(): waba.StoredTemplate|false|nil, waba.Error?
function Templates:each(given)
  given = options.check(given, KNOWN_EACH, "client.templates:each")
  local query, fault = encode_query(self, given, "client.templates:each")
  if not query then return pages.each(function() return false, fault end) end
  return pages.each(pages.walk(function()
    local page, err = fetch(self, query)
    if page then page.templates = only_wanted(page.templates, given) end
    return page, err
  end, function(page) return pages.advance(query, page) end, "templates"))
end

--- One template: GET /message_templates/{id} (Cloud hosting only).
---@param id string|integer
---@param given? { fields: string|string[]|nil }
---@return waba.StoredTemplate|nil
---@return waba.Error? err
function Templates:get(id, given)
  given = options.check(given, { fields = "string|table" }, "client.templates:get")
  local endpoint, err = find_endpoint(self.client.hosting, "get_template")
  if not endpoint then return nil, err end
  local digits
  digits, err = identifiers.one(id, "id")
  if not digits then return nil, err end
  local fields = given.fields
  if type(fields) == "table" then fields = table.concat(fields, ",") end
  local json, response = self.client:call(endpoint, { parameters = { id = digits }, query = { fields = fields } })
  if json == nil then return nil, response end
  local template = self.dialect.read(json)
  if template then return template end
  return nil, outcome.incomplete(response, "the response has no template")
end

-- Creating, editing, deleting ---------------------------------------------------------------------

--- A template to create.
---@class waba.NewTemplate
---@field name string       small letters, digits and underscores
---@field language string   "de", "en_US"
---@field category "AUTHENTICATION"|"MARKETING"|"UTILITY"
---@field components? table[]             as the platform writes them; not needed with library_template_name
---@field allow_category_change? boolean  let the platform choose another category instead of rejecting it
---@field parameter_format? string        Cloud: "POSITIONAL", the default, or "NAMED"
---@field sub_category? string            Cloud
---@field display_format? string          Cloud
---@field send_type? string               Cloud
---@field message_send_ttl_seconds? integer  Cloud: how long its messages may be on their way
---@field cta_url_link_tracking_opted_out? boolean  Cloud: taps on its links are not counted
---@field is_primary_device_delivery_only? boolean  Cloud: only on the customer's phone itself
---@field optimization_spec? table        Cloud
---@field library_template_name? string   Cloud: takes it from the library
---@field library_template_body_inputs? table      Cloud: what the library's text leaves open
---@field library_template_button_inputs? table[]  Cloud: likewise of its buttons
local KNOWN_CREATE = {
  name = "string", language = "string", category = "string", components = "table", allow_category_change = "boolean",
  -- Cloud hosting
  parameter_format = "string", sub_category = "string", display_format = "string", send_type = "string",
  message_send_ttl_seconds = "integer", cta_url_link_tracking_opted_out = "boolean",
  is_primary_device_delivery_only = "boolean", optimization_spec = "table", library_template_name = "string",
  library_template_body_inputs = "table", library_template_button_inputs = "table",
}

--- Creates a template in one language and hands it in for review: POST /v1/configs/templates; POST
--- /message_templates. The review takes up to 48 hours (24 on Cloud hosting); what becomes of it shows
--- in `status` of the list. Components are written as the platform does, and checked first. On Cloud
--- hosting there are more fields (`parameter_format`, `message_send_ttl_seconds`, …), and
--- `library_template_name` takes a template from the library, which is approved at once.
---@param given waba.NewTemplate
---@return waba.StoredTemplate|nil  as the gateway has it now, normally with status "created" or "submitted", "PENDING" on Cloud hosting
---@return waba.Error? err  kind "invalid" with a path such as "components[2].buttons[1].text"
function Templates:create(given)
  given = options.check(given, KNOWN_CREATE, "client.templates:create")
  local client, err = self.client, refusal(self, given)
  if err then return nil, err end
  local body = self.dialect.encode(given)
  local valid, fault = self.dialect.check(client, body)
  if not valid then return nil, fault end
  local json, response = client:call(client.hosting.endpoints.create_template, { json = body })
  if json == nil then return nil, response end
  local created = self.dialect.read_created(json, body)
  if created then return created end
  return nil, outcome.incomplete(response, "the response has no template", true)
end

--- What is changed of a template; each field as in `waba.NewTemplate`.
---@class waba.TemplateEdit
---@field category? string
---@field components? table[]  in the place of all that are stored
---@field allow_category_change? boolean
---@field parameter_format? string
---@field sub_category? string
---@field display_format? string
---@field message_send_ttl_seconds? integer
---@field cta_url_link_tracking_opted_out? boolean
---@field optimization_spec? table
local KNOWN_EDIT = {
  category = "string", components = "table", message_send_ttl_seconds = "integer", parameter_format = "string",
  sub_category = "string", display_format = "string", allow_category_change = "boolean",
  cta_url_link_tracking_opted_out = "boolean", optimization_spec = "table",
}

--- Changes a template and hands it in again: POST /message_templates/{id} (Cloud hosting only).
--- Components replace the stored ones as a whole. Only an approved, rejected or paused template can be
--- edited; an approved one once a day and ten times in 30 days, and its category stays.
---@param id string|integer
---@param given waba.TemplateEdit
---@return true|nil
---@return waba.Error? err
function Templates:edit(id, given)
  given = options.check(given, KNOWN_EDIT, "client.templates:edit")
  if next(given) == nil then error("client.templates:edit: at least one field is needed", 2) end
  local endpoint, err = find_endpoint(self.client.hosting, "edit_template")
  if not endpoint then return nil, err end
  local digits
  digits, err = identifiers.one(id, "id")
  if not digits then return nil, err end
  local body = self.dialect.encode(given)
  local valid, fault = self.dialect.check_edit(self.client, body)
  if not valid then return nil, fault end
  return outcome.success(self.client:call(endpoint, { parameters = { id = digits }, json = body }))
end

--- Deletes a template in all its languages, or on Cloud hosting one of them by its id:
--- DELETE /v1/configs/templates/{name}; DELETE /message_templates. The name of an approved template
--- can't be used again for about 30 days.
---@param name string
---@param given? { id: string|integer|nil }  Cloud hosting: the template of one language
---@return true|nil
---@return waba.Error? err
function Templates:delete(name, given)
  if type(name) ~= "string" or name == "" then
    error("client.templates:delete: the template's name is needed, a string", 2)
  end
  given = options.check(given, { id = "string|integer" }, "client.templates:delete")
  local client, err, id = self.client, refusal(self, given), nil
  if err then return nil, err end
  if given.id ~= nil then
    id, err = identifiers.one(given.id, "id")
    if not id then return nil, err end
  end
  return outcome.success(client:call(client.hosting.endpoints.delete_template, self.dialect.encode_delete(name, id)))
end

Templates.delete_ids = archive.delete_ids
Templates.archive = archive.archive
Templates.unarchive = archive.unarchive
Templates.compare = library.compare
Templates.library = library.list
Templates.each_in_library = library.each

--- The namespace of the account's templates, as any of them carries it. Asked once per client.
--- On Cloud hosting there are no namespaces: messages go without.
---@return string|nil namespace
---@return waba.Error? err  kind "not_found" when there is no template yet; "invalid" on Cloud hosting
function Templates:namespace()
  local lacks = self.dialect.lacks.namespace
  if lacks then return nil, errors.new { kind = "invalid", message = lacks } end
  if self.known_namespace then return self.known_namespace end
  local page, err = fetch(self, { limit = "10" })
  if not page then return nil, err end
  for _, template in ipairs(page.templates) do
    if type(template.namespace) == "string" and template.namespace ~= "" then
      self.known_namespace = template.namespace
      return template.namespace
    end
  end
  return nil, errors.new { kind = "not_found", message = "no template carries a namespace" }
end

return templates
