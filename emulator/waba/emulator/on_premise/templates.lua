-- Templates (on-premise.md, section 9): the list, creating, deleting, review; and the check of a template
-- message against the template it names.

local json = require "waba.emulator.json"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").on_premise
local rules = require "waba.emulator.rules"
local template_check = require "waba.emulator.template_check"
local template_rules = require "waba.emulator.on_premise.template_rules"
local template_store = require "waba.emulator.template_store"

local templates = {}

local new_error, absent = require("waba.emulator.on_premise.rules").checker.new_error, rules.absent

local Templates = template_store.class("waba.emulator.Templates")

--- Sets the fields that every template has.
---@param template table
function Templates:complete(template)
  template.id = template.id or random.hex(16)
  template.namespace = self.gateway.options.namespace
  template.status = template.status or "approved"
  template.rejected_reason = template.rejected_reason or "NONE"
end

---@param gateway table
---@return table
function templates.new(gateway) return template_store.new(Templates, gateway) end

-- List, create, delete, review --------------------------------------------------------------------

local function integer_parameter(query, name, default)
  local text = query[name]
  if text == nil then return default end
  return text:find("^%d+$") and tonumber(text) or nil
end

local function sorted(list, fields)
  local copy = {}
  for i, template in ipairs(list) do copy[i] = { template = template, place = i } end
  table.sort(copy, function(a, b)
    for _, field in ipairs(fields) do
      local name, descending = field:gsub("^%-", "")
      local left, right = tostring(a.template[name]), tostring(b.template[name])
      -- "id" is the order of creation.
      if name == "id" then left, right = a.place, b.place end
      if left ~= right then
        if descending == 1 then return left > right end
        return left < right
      end
    end
    return a.place < b.place
  end)
  for i, entry in ipairs(copy) do copy[i] = entry.template end
  return copy
end

local function matches(template, filters)
  for name, wanted in pairs(filters) do
    local field = name:gsub("^business_templates%.", "")
    if template[field] ~= wanted then return false end
  end
  return true
end

local function read_list_query(query)
  local messages = {}
  local limit = integer_parameter(query, "limit", 1000)
  local offset = integer_parameter(query, "offset", 0)
  if not limit or limit < 1 then messages[#messages + 1] = "limit: must be a positive integer" end
  if not offset then messages[#messages + 1] = "offset: must be an integer" end
  local filters = {}
  if query.filters and query.filters ~= "" then
    filters = json.decode(query.filters)
    if type(filters) ~= "table" then messages[#messages + 1] = "filters: must be a JSON object" end
  end
  local sort = {}
  for field in (query.sort or "id"):gmatch("[^,%s]+") do sort[#sort + 1] = field end
  return { limit = limit, offset = offset, filters = filters, sort = sort }, messages
end

local function list(gateway, request)
  local query, messages = read_list_query(request.query)
  if #messages > 0 then return responses.meta(400, "Validation error", messages) end
  local found = {}
  for _, template in ipairs(gateway.templates.list) do
    if matches(template, query.filters) then found[#found + 1] = template end
  end
  found = sorted(found, query.sort)
  local page = {}
  for i = query.offset + 1, math.min(#found, query.offset + query.limit) do page[#page + 1] = found[i] end
  return responses.json(200, {
    count = #page, total = #found, limit = query.limit, offset = query.offset,
    filters = query.filters, sort = json.array(query.sort), waba_templates = json.array(page),
  })
end

local function creation_errors(self, body)
  local messages = template_rules.errors(body)
  if #messages == 0 then
    local reason = self:name_error(body.name, body.language)
    messages[1] = reason and "name: " .. reason or nil
  end
  return messages
end

local function create(gateway, request)
  local body, refusal = gateway:gateway_body(request)
  if not body then return refusal end
  local messages = creation_errors(gateway.templates, body)
  if #messages > 0 then return responses.meta(400, "Validation error", messages) end
  local template = gateway.templates:add({ name = body.name, language = body.language, category = body.category,
    components = body.components, status = "submitted" })
  gateway.templates:schedule_review(function() return template.status == "submitted" end,
    function() template.status = "approved" end)
  return responses.json(200, template)
end

local function delete(gateway, request)
  local name = request.segments[4]
  if gateway.templates:remove(function(template) return template.name == name end) == 0 then
    return responses.meta(404, "Template not found")
  end
  return responses.json(200, { meta = { success = true, http_code = 200, developer_message = "Template deleted" } })
end

--- Sets the result of a review.
---@param name string
---@param status string           "approved", "rejected", "paused", "disabled", …
---@param language? string        all translations by default
---@param reason? string          for "rejected"; "INVALID_FORMAT" by default
---@return integer  how many templates there are of that name
function Templates:review(name, status, language, reason)
  return self:each_of(name, language, function(template)
    template.status = status
    template.rejected_reason = status == "rejected" and (reason or "INVALID_FORMAT") or "NONE"
  end)
end

-- A template message against its template ---------------------------------------------------------

local NOT_SENDABLE = {
  paused = { "template_paused", "the template is paused" },
  disabled = { "template_disabled", "the template is disabled" },
  rejected = { "template_rejected", "the template was rejected" },
}

-- A template takes PDF documents.
local function check_document(media, document)
  local kept = document.id and media:get(document.id)
  local extension = document.link and document.link:match("^[^?#]+/[^/?#]*%.(%w+)") or nil
  if kept and not kept.type:lower():find("^application/pdf") then
    return new_error("media_unsupported", "header: media of type %s is not supported, a template takes PDF documents",
      kept.type)
  elseif extension and ("doc docx xls xlsx ppt pptx txt jpg jpeg png mp4"):find(extension:lower(), 1, true) then
    return new_error("media_unsupported", "header: a template takes PDF documents only")
  end
end

local CODES = { header = "component_missing", button_unknown = "buttons_unsupported",
  button_missing = "component_missing", url = "url_invalid" }
local SUB_TYPES = { QUICK_REPLY = "quick_reply", URL = "url", OTP = "url copy_code" }

-- Checks the parameters without the template.
local function check_parameter_lengths(given)
  local longest = template_check.longest_body(given)
  for place, limit in pairs({ header = 60, body = longest }) do
    for i, parameter in ipairs(template_store.parameters_of(given[place])) do
      if parameter.type == "text" and rules.characters(parameter.text) > limit then
        return new_error("parameter_too_long", "%s: parameter %d has more than %d characters", place, i, limit)
      end
    end
  end
end

-- Finds the translation that is meant.
local function find(self, name, language, namespace)
  local known = self.names[name]
  if namespace and namespace ~= self.gateway.options.namespace and (known or not self.any) then
    return nil, new_error("parameter_invalid", "Parameter 'template.namespace' is not the namespace of this account")
  elseif not known then
    return nil, not self.any and new_error("template_missing", "template name (%s) does not exist in %s", name,
      language)
      or nil
  end
  local template = self:find_any(name, language)
  if not template then
    return nil, new_error("template_missing", "template name (%s) does not exist in %s", name, language)
  end
  local status = template.status:lower()
  if status ~= "approved" then
    local reason = NOT_SENDABLE[status]
    return nil, reason and new_error(reason[1], "%s", reason[2])
      or new_error("template_missing", "template name (%s) is not approved in %s: it is %s", name, language, status)
  end
  return template
end

--- Checks a template message. Also returns the template if it exists.
---@param content table  the message's `template`
---@return waba.emulator.RuleError|nil
---@return table? template
function Templates:check_template(content)
  local namespace = not absent(content.namespace) and content.namespace or nil
  if not namespace and not self.gateway:version_at_least(2, 41) then
    return new_error("namespace_empty", "Parameter 'template.namespace' is mandatory")
  end
  local given = template_store.by_type(content.components)
  local found = check_parameter_lengths(given)
  if found then return found end
  local template, reason = find(self, content.name, content.language.code, namespace)
  if not template then return reason end
  local known = template_store.by_type(template.components)
  local own = { new_error = new_error, codes = CODES, sub_types = SUB_TYPES, needed = { OTP = true },
    document = function(parameter) return check_document(self.gateway.media, parameter.document) end }
  return template_check.parts(own, template, known, given, template_check.longest_body(known)), template
end

--- Checks a message of the legacy type hsm.
---@param content table  the message's `hsm`
---@return waba.emulator.RuleError|nil
---@return table? template
function Templates:check_hsm(content)
  local template, found = find(self, content.element_name, content.language.code, content.namespace)
  if not template then return found end
  local body = template_store.by_type(template.components).body
  local given, wanted = #content.localizable_params, #template_store.variables(body and body.text)
  if given ~= wanted then
    found = new_error("parameter_count", "localizable_params: has %d elements, the template has %d variables", given,
      wanted)
  end
  return found, template
end

templates.routes = {
  { "GET", "v1/configs/templates", list },
  { "POST", "v1/configs/templates", create },
  { "DELETE", "v1/configs/templates/*", delete },
}

return templates
