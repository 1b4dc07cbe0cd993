-- Methods of client.templates for the platform's library of templates, and for the comparison of two templates
-- (Cloud hosting only).

local core = require "waba.core"
local outcome = require "waba.resource.outcome"
local values = require "waba.hosting.values"
local errors = require "waba.errors"
local identifiers = require "waba.resource.identifiers"
local option = require "waba.option"
local pages = require "waba.resource.pages"

local library = {}

--- The filters of the library.
---@options waba.LibraryFilter
local EACH_OPTIONS = {
  search = "string",   -- selects templates whose name or content contains this text
  topic = "string",    -- "ORDER_MANAGEMENT", "PAYMENTS", …
  usecase = "string",  -- "DELIVERY_UPDATE", …
  industry = "string", -- "E_COMMERCE", "FINANCIAL_SERVICES"
  language = "string",
  name = "string",
  limit = "integer",   -- number of templates in one page
}

--- The filters of the library, and the selection of a page.
---@options waba.LibraryQuery : waba.LibraryFilter
local PAGE_OPTIONS = option.with(EACH_OPTIONS, {
  after = "string",    -- selects the page after this cursor
  before = "string",   -- selects the page before this cursor
})

--- A template of the library. `client.templates:create` with the option `library_template_name` copies it into
--- the account.
---@class waba.LibraryTemplate
---@field name string
---@field language string
---@field category string
---@field topic string?
---@field usecase string?
---@field industry string[]?
---@field header string?
---@field body string?
---@field body_params string[]?
---@field body_param_types string[]?
---@field buttons table[]?
---@field id string?

local function query_of(options, what)
  local query = pages.query(options, what)
  for _, name in ipairs { "search", "topic", "usecase", "industry", "language", "name" } do
    query[name] = options[name]
  end
  return query
end

local fetch = pages.fetcher("template_library", "templates", function(templates, item)
  if type(item) ~= "table" then return end
  local template = values.without_null(item)
  template.id = values.some_text(template.id)
  templates[#templates + 1] = template
end)

--- Returns one page of the library: GET /message_template_library.
---@param options? waba.LibraryQuery
---@return { templates: waba.LibraryTemplate[], after: string?, before: string? }|nil
---@return waba.Error? err
function library:list(options)
  local what = "client.templates:library"
  return fetch(self, query_of(option.check(options, PAGE_OPTIONS, what), what))
end

--- Iterates over all templates of the library. Reports an error as `client.templates:each` does.
---@param options? waba.LibraryFilter
---@return fun(): waba.LibraryTemplate|false|nil, waba.Error?
function library:each(options)
  local what = "client.templates:each_in_library"
  local query = query_of(option.check(options, EACH_OPTIONS, what), what)
  return pages.each(query, "templates", function() return fetch(self, query) end)
end

--- The options of `client.templates:compare`.
---@options waba.CompareOptions
local COMPARE_OPTIONS = {
  days = { "integer", 7 }, -- the period: 7, 30, 60 or 90 days
}

local WINDOWS = { [7] = true, [30] = true, [60] = true, [90] = true }

--- Compares how two templates performed in the period `days`: GET /message_templates/{id}/compare. Both templates must
--- have been sent at least 1000 times.
---@param id string|integer
---@param other string|integer
---@param options? waba.CompareOptions
---@return table[]|nil metrics  the values BLOCK_RATE, MESSAGE_SENDS and TOP_BLOCK_REASON, in the platform's form
---@return waba.Error? err
function library:compare(id, other, options)
  local what = "client.templates:compare"
  options = option.complete(options, COMPARE_OPTIONS, what)
  local days = options.days
  if not WINDOWS[days] then
    return nil, errors.invalid("days", ("days is %.0f: expected 7, 30, 60 or 90"):format(days))
  end
  local first, second, err
  first, err = identifiers.one(id, "id")
  if not first then return nil, err end
  second, err = identifiers.one(other, "other")
  if not second then return nil, err end
  local now = os.time()
  local start = ("%.0f"):format(now - days * 86400)
  return outcome.fetch(self.client, "compare_templates", {
    parameters = { id = first },
    query = { template_ids = core.encode { second }, start = start, ["end"] = ("%.0f"):format(now) },
  }, function(data)
    return type(data) == "table" and values.without_null(data) or nil
  end, 'the response has no metrics: expected a list in its field "data"')
end

return library
