-- Lists in pages: the options of a page, and the iterator over all pages.

local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local option = require "waba.option"
local outcome = require "waba.resource.outcome"
local values = require "waba.hosting.values"

local pages = {}

--- The options of an iterator over all pages.
---@options waba.EachOptions
local EACH_OPTIONS = {
  limit = "integer",  -- the number of items in one page, 1 or more
}

--- One page of a list with cursors.
---@options waba.PageOptions : waba.EachOptions
local PAGE_OPTIONS = option.with(EACH_OPTIONS, {
  after = "string",   -- selects the page after this cursor; the cursor is the field `after` of the previous page
  before = "string",  -- selects the page before this cursor
})

-- Returns the query that selects a page. Raises an error for invalid options at the caller of the method `what`.
function pages.query(options, what)
  if options.limit and options.limit < 1 then
    error(what .. ": option limit must be at least 1, not " .. options.limit, 4)
  end
  if options.after and options.before then error(what .. ": options after and before can't be combined", 4) end
  return { limit = options.limit, after = options.after, before = options.before }
end

-- Changes a query so that it selects the next page, by an offset if a page has a field `total`, else by a cursor.
-- Returns false after the last page.
local function advance(query, page)
  if page.total then
    query.offset = (query.offset or 0) + page.count
    return page.count > 0 and query.offset < page.total
  end
  if page.after == nil then return false end
  if page.after == query.after then
    return nil, errors.new {
      kind = "protocol", message = "the gateway returned the same cursor twice, so the list is incomplete",
    }
  end
  query.after, query.before = page.after, nil
  return true
end

--- Returns an iterator over the items of all pages. If a page can't be fetched, the last results of the iterator are
--- `false` and the error.
---@param query table  the query of the first page; the iterator changes this table
---@param items string  the name of the field of a page that contains the items
---@param fetch fun(query: table): table|nil, waba.Error?
function pages.each(query, items, fetch)
  local list, position, goes_on, failure = {}, 0, true, nil
  local function next_item()
    position = position + 1
    while list[position] == nil and goes_on do
      local page
      page, failure = fetch(query)
      list, position, goes_on = page and page[items] or {}, 1, false
      if page then goes_on, failure = advance(query, page) end
    end
    if list[position] ~= nil then return list[position] end
    local err = failure
    failure = nil
    if err then return false, err end
  end
  if coroutines.can_yield_in_pcall() then return next_item end
  -- in PUC Lua 5.1 an iterator of a `for` loop can't yield, so all items are fetched before the loop begins
  local all, read = {}, 0
  repeat
    local item, err = next_item()
    all[#all + 1] = { item, err }
  until not item
  return function()
    read = read + 1
    local one = all[read] or {}
    return one[1], one[2]
  end
end

--- Returns a function that fetches a page of a list with cursors.
---@param endpoint string
---@param items string                      the name of the field of a page that contains the items
---@param add fun(list: any[], item: any)   converts an element of the response's field "data" and adds it to the list
function pages.fetcher(endpoint, items, add)
  local function read_page(json)
    local data = values.dig(json, "data")
    if type(data) ~= "table" then return nil end
    local page = { [items] = {} }
    for _, item in ipairs(data) do add(page[items], item) end
    page.after, page.before = values.cursors(json)
    return page
  end
  return function(self, query)
    return outcome.fetch(self.client, endpoint, { query = query }, read_page,
      ('the response has no %s: expected a list in its field "data"'):format(items))
  end
end

--- Adds the methods `list` and `each` to a resource whose lists have cursors.
---@param methods table  the class of the resource
---@param what string    the name of the resource in errors: "client.block_list"
---@param items string   the name of the field of a page that contains the items
---@param fetch fun(self: table, query: table): table|nil, waba.Error?
function pages.add_methods(methods, what, items, fetch)
  function methods:list(options)
    local name = what .. ":list"
    return fetch(self, pages.query(option.check(options, PAGE_OPTIONS, name), name))
  end

  function methods:each(options)
    local name = what .. ":each"
    local query = pages.query(option.check(options, EACH_OPTIONS, name), name)
    return pages.each(query, items, function() return fetch(self, query) end)
  end
end

return pages
