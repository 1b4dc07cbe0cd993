-- Requests about templates (cloud.md, section 5): listing, creating, editing, archiving and deleting them.

local core = require "waba.core"
local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local responses = require("waba.emulator.responses").cloud
local template_parts = require "waba.emulator.cloud.template_parts"
local template_rules = require "waba.emulator.cloud.template_rules"
local template_statuses = require "waba.emulator.cloud.template_statuses"

local templates = {}

local DAY, HOUR = 86400, 3600
-- cloud.md, section 5.6
local MOST_PER_HOUR, MOST_EDITS, EDITS_WITHIN, MOST_IDS = 100, 10, 30 * DAY, 100
local ARCHIVE_LIFE = 28 * DAY

templates.new = template_statuses.new

-- Reading -----------------------------------------------------------------------------------------

local USUAL = "id name language status category sub_category parameter_format components message_send_ttl_seconds"
local FIELDS = message_rules.set(USUAL .. " previous_category quality_score rejected_reason library_template_name "
  .. "cta_url_link_tracking_opted_out display_format")

-- Returns the requested fields of a template; or nil and the name of a requested field that does not exist.
local function view(template, request)
  local shown = { id = template.id }
  for name in responses.fields(request, USUAL) do
    if not FIELDS[name] then return nil, name end
    shown[name] = template[name]
  end
  return shown
end

-- Returns whether a text contains another text, ignoring the case of letters.
local function contains(content, wanted) return content:lower():find(wanted:lower(), 1, true) ~= nil end

local function fits(template, query)
  for _, name in ipairs({ "status", "category", "language" }) do
    if query[name] and query[name]:upper() ~= template[name]:upper() then return false end
  end
  local content, either = core.encode(template.components), query.name_or_content
  return (not query.name or template.name:find(query.name, 1, true) ~= nil)
    and (not query.quality_score or template.quality_score.score == query.quality_score)
    and (not query.content or contains(content, query.content))
    and (not either or template.name:find(either, 1, true) ~= nil or contains(content, either))
end

local function list_templates(gateway, request)
  local found = {}
  for _, template in ipairs(gateway.templates.list) do
    if fits(template, request.query) then
      local shown, unknown = view(template, request)
      if not shown then return responses.no_such_field(unknown) end
      found[#found + 1] = shown
    end
  end
  return responses.page(gateway, request, found, 1000)
end

local function no_such_template(id)
  return responses.error("invalid_parameter", ("Object with ID '%s' does not exist"):format(id), { error_subcode = 33,
    type = "GraphMethodException" })
end

local function get_template(gateway, request)
  local template = gateway.templates.by_id[request.segments[2]]
  if not template then return no_such_template(request.segments[2]) end
  local shown, unknown = view(template, request)
  return shown and responses.json(200, shown) or responses.no_such_field(unknown)
end

local function get_library(gateway, request)
  return responses.page(gateway, request, template_parts.list_library(request.query), 100)
end

-- Creating and editing ----------------------------------------------------------------------------

local function refuse(found)
  return responses.error(found.code, nil, { message = "Invalid parameter", error_data = found.details,
    error_subcode = found.subcode, error_user_title = found.title, error_user_msg = found.details,
    is_transient = false })
end

-- Removes the times that are more than `seconds` ago, and returns the number of the remaining times.
local function recent(times, now, seconds)
  for i = #times, 1, -1 do
    if now - times[i] >= seconds then table.remove(times, i) end
  end
  return #times
end

local function invalid(details, subcode, title)
  return { code = "invalid_parameter", details = details, subcode = subcode, title = title }
end

-- Returns an error if the example of a header is not the handle of an uploaded file.
local function handle_error(self, components)
  for _, component in ipairs(components) do
    local example = component.example or {}
    local handles = component.type == "HEADER" and component.format ~= "TEXT" and example.header_handle
    for _, handle in ipairs(type(handles) == "table" and handles or {}) do
      if not self.gateway.handles[handle] then
        return invalid(("header_handle: %s is not the handle of an uploaded file"):format(tostring(handle)))
      end
    end
  end
end

local function create_error(self, body)
  local found = template_rules.create_error(body)
  if found then return found end
  local reason = self:name_error(body.name, body.language)
  if reason then
    return invalid("name: " .. reason, 2388024, "Content in this language exists")
  elseif recent(self.created, self.gateway.clock:now(), HOUR) >= MOST_PER_HOUR then
    return { code = "account_rate_limit", details = "too many templates were created within an hour" }
  end
  return handle_error(self, body.components or {})
end

local KEPT = { "name", "language", "category", "components", "parameter_format", "sub_category", "display_format",
  "message_send_ttl_seconds", "cta_url_link_tracking_opted_out", "library_template_name" }

local function create(gateway, _, body)
  local self = gateway.templates
  local found = create_error(self, body)
  local template = { status = "PENDING" }
  if not found and body.library_template_name ~= nil then
    template.status = "APPROVED"
    body.components, found = template_parts.library_components(body)
  end
  if found then return refuse(found) end
  for _, name in ipairs(KEPT) do template[name] = body[name] end
  self:add(template)
  table.insert(self.created, gateway.clock:now())
  self:schedule_review(template)
  return responses.json(200, { id = template.id, status = template.status, category = template.category })
end

local EDITABLE = { APPROVED = true, REJECTED = true, PAUSED = true }

local function edit_error(self, template, body)
  local now = self.gateway.clock:now()
  local times = self.edits[template.id] or {}
  self.edits[template.id] = times
  if not EDITABLE[template.status] then
    return invalid(("the status of the template is %s: expected APPROVED, REJECTED or PAUSED"):format(template.status),
      2388025, "Template cannot be edited")
  elseif template.status ~= "APPROVED" then
    return nil
  elseif body.category and body.category ~= template.category then
    return invalid("category: the category of an approved template cannot be changed")
  elseif times[#times] and now - times[#times] < DAY or recent(times, now, EDITS_WITHIN) >= MOST_EDITS then
    return invalid("an approved template can be edited once a day and 10 times in 30 days")
  end
end

local function edit(gateway, request, body)
  local self, id = gateway.templates, request.segments[2]
  local template = self.by_id[id]
  if not template then return no_such_template(id) end
  local found = template_rules.edit_error(body, template) or edit_error(self, template, body)
    or handle_error(self, body.components or {})
  if found then return refuse(found) end
  for _, name in ipairs(KEPT) do
    if body[name] ~= nil then template[name] = body[name] end
  end
  table.insert(self.edits[id], gateway.clock:now())
  template.status = "PENDING"
  self:schedule_review(template)
  return responses.success()
end

-- Deleting and archiving --------------------------------------------------------------------------

local function delete_wanted(self, wanted)
  for _, template in ipairs(self.list) do
    if wanted(template) and template.status == "DISABLED" then
      return responses.error("invalid_parameter", "name: a disabled template cannot be deleted")
    end
  end
  if self:remove(wanted) > 0 then return responses.success() end
  return responses.error("invalid_parameter", "name or hsm_id: expected the name or id of a template of the account", {
    error_subcode = 2593002, error_user_title = "Message template not found" })
end

local function delete(gateway, request)
  local query = request.query
  if query.hsm_ids then
    local list_of_ids, ids = json.decode(query.hsm_ids), {}
    if type(list_of_ids) ~= "table" or #list_of_ids < 1 or #list_of_ids > MOST_IDS then
      return responses.error("invalid_parameter", "hsm_ids must be a list of 1 to 100 ids")
    end
    for _, id in ipairs(list_of_ids) do ids[tostring(id)] = true end
    return delete_wanted(gateway.templates, function(template) return ids[template.id] ~= nil end)
  elseif not query.hsm_id and not query.name then
    return responses.error("invalid_parameter", "name or hsm_id is required")
  end
  return delete_wanted(gateway.templates, function(template)
    return (not query.hsm_id or query.hsm_id == template.id) and (not query.name or query.name == template.name)
  end)
end

local required, _, object, list = message_rules.constructors()
local IDS = object({ hsm_ids = required(list({ is = "string|integer" }, 1, MOST_IDS)) })

-- Returns a handler that applies a function to each template in the body of a request if the template's status is in
-- `allowed`. The response has the ids of the changed templates, and the ids of the other templates.
local function changer(allowed, apply)
  return function(gateway, _, body)
    local succeeded, failed = {}, {}
    for _, id in ipairs(body.hsm_ids) do
      local template = gateway.templates.by_id[tostring(id)]
      local is_allowed = template and allowed[template.status]
      if is_allowed then apply(gateway.templates, template) end
      table.insert(is_allowed and succeeded or failed, tostring(id))
    end
    return responses.json(200, { succeeded = json.array(succeeded), failed = json.array(failed) })
  end
end

local function archive(self, template)
  local clock = self.gateway.clock
  local until_then = clock:now() + ARCHIVE_LIFE
  template.before_archive, template.archived_until = template.status, until_then
  self:set_status(template, "ARCHIVED")
  clock:after(ARCHIVE_LIFE, function()
    if template.status == "ARCHIVED" and template.archived_until == until_then then
      self:remove(function(other) return other == template end)
    end
  end)
end

local function unarchive(self, template)
  template.status = template.before_archive
  self:post_event(template, "UNARCHIVED")
end

templates.routes = {
  { "GET", "message_templates", list_templates },
  { "GET", "message_templates/*", get_template },
  { "GET", "message_template_library", get_library },
  { "POST", "message_templates", create, message_rules.BODY },
  { "DELETE", "message_templates", delete },
  { "POST", "message_templates/archive", changer({ APPROVED = true, REJECTED = true }, archive), IDS },
  { "POST", "message_templates/unarchive", changer({ ARCHIVED = true }, unarchive), IDS },
  { "POST", "message_templates/*", edit, message_rules.BODY },
}

return templates
