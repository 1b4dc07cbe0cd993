-- Message templates: GET, POST and DELETE /v1/configs/templates.

local core = require "waba.core"
local errors = require "waba.errors"
local options = require "waba.options"

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

--- Which templates are wanted.
---@class waba.TemplateQuery
---@field limit? integer         of one page; the platform's default is 1000
---@field offset? integer        from 0
---@field sort? string|string[]  names of fields; "-" before one turns its order round
---@field filters? table|string  such as { ["business_templates.name"] = "order_ready_v2" }
---@field status? string         only those in this state, in any case: "approved"; the gateway does not
---                              know this one, so a page may come out shorter
local KNOWN_LIST = {
  limit = "integer", offset = "integer", sort = "string|table", filters = "table|string", status = "string",
}
local KNOWN_EACH = { limit = "integer", sort = "string|table", filters = "table|string", status = "string" }

--- One page.
---@class waba.TemplatePage
---@field templates waba.StoredTemplate[]
---@field count integer       templates of this page, as the gateway counts them
---@field total integer       templates in all
---@field limit integer|nil   of a page
---@field offset integer      of this page

local function encode_query(given, what)
  if given.limit and given.limit < 1 then error(what .. ": option limit must be at least 1", 3) end
  if given.offset and given.offset < 0 then error(what .. ": option offset must not be negative", 3) end
  local query = { limit = given.limit, offset = given.offset, sort = given.sort, filters = given.filters }
  for name, number in pairs(query) do
    if type(number) == "number" then query[name] = ("%.0f"):format(number) end
  end
  if type(query.sort) == "table" then query.sort = table.concat(query.sort, ",") end
  if type(query.filters) == "table" then
    local message
    query.filters, message = core.encode(query.filters)
    if not query.filters then return nil, errors.invalid("filters", "filters: " .. message) end
  end
  return query
end

local function has_status(template, status)
  return type(template.status) == "string" and template.status:lower() == status:lower()
end

-- One page: as the gateway has it, before anything is filtered here.
local function fetch(self, query)
  local client = self.client
  local json, response = client:call(client.hosting.endpoints.list_templates, { query = query })
  if json == nil then return nil, response end
  local page = self.dialect.read_page(json, tonumber(query.offset) or 0)
  if page then return page end
  return nil, errors.new { kind = "protocol", status = response.status, message = "the answer has no templates" }
end

local function only_status(list, status)
  if not status then return list end
  local kept = {}
  for _, template in ipairs(list) do
    if has_status(template, status) then kept[#kept + 1] = template end
  end
  return kept
end

--- One page of templates: GET /v1/configs/templates. There are more when `offset + count < total`.
---@param given? waba.TemplateQuery
---@return waba.TemplatePage|nil
---@return waba.Error? err
function Templates:list(given)
  given = options.check(given, KNOWN_LIST, "client.templates:list")
  local query, err = encode_query(given, "client.templates:list")
  if not query then return nil, err end
  local page
  page, err = fetch(self, query)
  if not page then return nil, err end
  page.templates = only_status(page.templates, given.status)
  return page
end

-- Lua 5.1 can't let other coroutines run while a `for` asks for its next value; LuaJIT and newer can.
local CAN_YIELD_IN_FOR = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- All pages, one after the other: gives the next page, false with an error, or nil at the end.
local function pages(self, query)
  local offset, finished = 0, false
  return function()
    if finished then return nil end
    query.offset = ("%.0f"):format(offset)
    local page, err = fetch(self, query)
    if not page then
      finished = true
      return false, err
    end
    offset = offset + page.count
    finished = page.count <= 0 or offset >= page.total
    return page
  end
end

-- The pages of `next_page`, asked for now.
local function all_now(next_page)
  local collected = {}
  local page, err = next_page()
  while page do
    collected[#collected + 1] = page
    page, err = next_page()
  end
  local position = 0
  return function()
    position = position + 1
    if collected[position] then return collected[position] end
    if err then return false, err end
  end
end

--- Goes through all templates, page after page:
---
---     for template, err in client.templates:each() do
---       if not template then … end -- only ever in the last turn: what went wrong
---     end
---
--- When a page can't be had, the last turn brings `false` and the error; a loop that ends without one
--- has seen every template.
---@param given? waba.TemplateQuery  `limit`: how many are fetched at once; no `offset`
---@return fun(): waba.StoredTemplate|false|nil, waba.Error?
function Templates:each(given)
  given = options.check(given, KNOWN_EACH, "client.templates:each")
  local query, fault = encode_query(given, "client.templates:each")
  local next_page = query and pages(self, query) or function() return false, fault end
  if not CAN_YIELD_IN_FOR and coroutine.running() then next_page = all_now(next_page) end
  local list, position, ended = {}, 0, false
  return function()
    while not ended do
      position = position + 1
      if list[position] then return list[position] end
      local page, err = next_page()
      if not page then
        ended = true
        if page == false then return false, err end
        return nil
      end
      list, position = only_status(page.templates, given.status), 0
    end
  end
end

local KNOWN_CREATE = {
  name = "string", language = "string", category = "string", components = "table", allow_category_change = "boolean",
}

--- Creates a template in one language and hands it in for review: POST /v1/configs/templates. The
--- review takes up to 48 hours; what becomes of it shows in `status` of the list. Components are
--- written as the platform does, with types in capitals, and checked first.
---@param given { name: string, language: string, category: "AUTHENTICATION"|"MARKETING"|"UTILITY", components: table[], allow_category_change: boolean? }
---@return waba.StoredTemplate|nil  as the gateway has it now, normally with status "created" or "submitted"
---@return waba.Error? err  kind "invalid" with a path such as "components[2].buttons[1].text"
function Templates:create(given)
  given = options.check(given, KNOWN_CREATE, "client.templates:create")
  local client = self.client
  local valid, err = self.dialect.check(client, given)
  if not valid then return nil, err end
  local json, response = client:call(client.hosting.endpoints.create_template, { json = given })
  if json == nil then return nil, response end
  local created = self.dialect.read(json)
  if created then return created end
  return nil, errors.new {
    kind = "protocol", status = response.status, maybe_sent = true, message = "the answer has no template",
  }
end

--- Deletes a template in all its languages: DELETE /v1/configs/templates/{name}. Its name can't be
--- used again for about 30 days.
---@param name string
---@return true|nil
---@return waba.Error? err
function Templates:delete(name)
  if type(name) ~= "string" or name == "" then
    error("client.templates:delete: the template's name is needed, a string", 2)
  end
  local client = self.client
  local json, err = client:call(client.hosting.endpoints.delete_template, { parameters = { name = name } })
  if json == nil then return nil, err end
  return true
end

--- The namespace of the account's templates, as any of them carries it. Asked once per client.
---@return string|nil namespace
---@return waba.Error? err  kind "not_found" when there is no template yet
function Templates:namespace()
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
