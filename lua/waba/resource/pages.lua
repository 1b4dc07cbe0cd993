-- Lists in pages: the options of a page, and the iterator over all pages.

local errors = require "waba.errors"
local option = require "waba.option"
local outcome = require "waba.resource.outcome"
local runtime = require "waba.runtime"
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

--- Returns the query that selects a page. Raises an error for invalid options at the caller of the method.
---@param options waba.PageOptions
---@param what string  the name of the method, for the error text
---@return table query
function pages.query(options, what)
  if options.limit and options.limit < 1 then error(what .. ": option limit must be at least 1", 4) end
  if options.after and options.before then error(what .. ": options after and before can't be combined", 4) end
  return { limit = options.limit, after = options.after, before = options.before }
end

-- Fetches all pages before the loop begins, because in PUC Lua 5.1 an iterator of a `for` loop cannot wait.
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

--- Returns an iterator over the items of all pages.
---@param next_page fun(): table|false|nil, waba.Error?  returns the items of the next page; false with an error; nil
---        at the end
---@return fun(): any, waba.Error?  returns `false` and the error as its last results if a page could not be fetched
function pages.each(next_page)
  if not runtime.can_yield_in_pcall() then next_page = all_now(next_page) end
  local list, position, ended = {}, 0, false
  return function()
    while not ended do
      position = position + 1
      if list[position] then return list[position] end
      local items, err = next_page()
      if not items then
        ended = true
        if items == false then return false, err end
        return nil
      end
      list, position = items, 0
    end
  end
end

--- Returns a function that fetches the next page at each call.
---@param fetch fun(): table|nil, waba.Error?       fetches the current page
---@param advance fun(page: table): boolean|nil, waba.Error?  changes the query so that it selects the next page; false: there is no next page
---@param items string                              the name of a page's field with the items
---@return fun(): table|false|nil, waba.Error?  for `pages.each`
function pages.walk(fetch, advance, items)
  local finished, failure = false, nil
  return function()
    if failure then
      local err = failure
      failure = nil
      return false, err
    elseif finished then
      return nil
    end
    local page, err = fetch()
    if not page then return false, err end
    local goes_on, advance_err = advance(page)
    finished, failure = not goes_on, advance_err
    return page[items]
  end
end

--- Changes a query so that it selects the next page, by the cursor or by the offset.
---@param query table  changed
---@param page { after: string?, total: integer?, count: integer? }  `total` is present in a list with offsets
---@return boolean|nil goes_on
---@return waba.Error? err  an error if the cursor has not changed
function pages.advance(query, page)
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

--- Returns a function that fetches a page of a list with cursors. The response has the items in its field "data".
---@param endpoint string
---@param items string                           the name of a page's field with the items
---@param add fun(list: any[], item: any)        appends the items of a response item to a list
---@return fun(self: table, query: table): table|nil, waba.Error?
function pages.fetcher(endpoint, items, add)
  return function(self, query)
    local json, response = self.client:call(endpoint, { query = query })
    if json == nil then return nil, response end
    local data = values.dig(json, "data")
    if type(data) ~= "table" then return nil, outcome.incomplete(response, items, 'a list in its field "data"') end
    local page = { [items] = {} }
    for _, item in ipairs(data) do add(page[items], item) end
    page.after, page.before = values.cursors(json)
    return page
  end
end

--- Adds the methods `list` and `each` to a resource whose lists have cursors.
---@param methods table                   the class
---@param what string                     "client.block_list"
---@param items string                    the name of a page's field with the items
---@param fetch fun(self: table, query: table): table|nil, waba.Error?
function pages.add_methods(methods, what, items, fetch)
  function methods:list(options)
    local name = what .. ":list"
    return fetch(self, pages.query(option.check(options, PAGE_OPTIONS, name), name))
  end

  function methods:each(options)
    local name = what .. ":each"
    local query = pages.query(option.check(options, EACH_OPTIONS, name), name)
    return pages.each(pages.walk(function() return fetch(self, query) end,
      function(page) return pages.advance(query, page) end, items))
  end
end

return pages
