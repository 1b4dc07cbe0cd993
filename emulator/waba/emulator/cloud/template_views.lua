-- Reading templates (cloud.md, sections 5.1 and 5.5): pages of them with filters and fields, one of them,
-- the library.

local core = require "waba.core"

local answers = require "waba.emulator.cloud.answers"
local pages = require "waba.emulator.cloud.pages"
local template_library = require "waba.emulator.cloud.template_library"

local template_views = {}

local FIELDS = { "id", "name", "language", "status", "category", "sub_category", "previous_category",
  "parameter_format", "components", "quality_score", "rejected_reason", "message_send_ttl_seconds",
  "library_template_name", "cta_url_link_tracking_opted_out", "display_format" }
local USUAL = { "id", "name", "language", "status", "category", "sub_category", "parameter_format", "components",
  "message_send_ttl_seconds" }

-- A template with the fields that are asked for; or the name of one that does not exist.
local function view(template, query)
  local shown, names = { id = template.id }, USUAL
  if query.fields then
    names = {}
    for name in query.fields:gmatch("[^,%s]+") do names[#names + 1] = name end
  end
  for _, name in ipairs(names) do
    local known = false
    for _, field in ipairs(FIELDS) do known = known or field == name end
    if not known then return nil, name end
    shown[name] = template[name]
  end
  return shown
end

local function no_such_field(name)
  return answers.error(100, ("Tried accessing nonexisting field (%s)"):format(name))
end

local function has_text(template, text)
  return core.encode(template.components):lower():find(text:lower(), 1, true) ~= nil
end

local function fits(template, query)
  for _, name in ipairs({ "status", "category", "language" }) do
    if query[name] and query[name]:upper() ~= template[name]:upper() then return false end
  end
  return (not query.name or template.name:find(query.name, 1, true) ~= nil)
    and (not query.quality_score or template.quality_score.score == query.quality_score)
    and (not query.content or has_text(template, query.content))
    and (not query.name_or_content or template.name:find(query.name_or_content, 1, true) ~= nil
      or has_text(template, query.name_or_content))
end

local function list(gateway, request)
  local found = {}
  for _, template in ipairs(gateway.templates.list) do
    if fits(template, request.query) then
      local shown, unknown = view(template, request.query)
      if not shown then return no_such_field(unknown) end
      found[#found + 1] = shown
    end
  end
  return pages.answer(gateway, request, found, { most = 1000 })
end

--- The answer for an id that no template has.
---@param id string
---@return waba.emulator.Answer
function template_views.no_such_template(id)
  return answers.error(100, ("Object with ID '%s' does not exist"):format(id), { error_subcode = 33,
    type = "GraphMethodException" })
end

local function get(gateway, request)
  local template = gateway.templates.by_id[request.segments[2]]
  if not template then return template_views.no_such_template(request.segments[2]) end
  local shown, unknown = view(template, request.query)
  return shown and answers.json(200, shown) or no_such_field(unknown)
end

local function library(gateway, request)
  return pages.answer(gateway, request, template_library.list(request.query), { most = 100 })
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function template_views.routes(route)
  route("GET", "message_templates", list)
  route("GET", "message_templates/*", get)
  route("GET", "message_template_library", library)
end

return template_views
