-- Lists, revives and removes the entries or dead letters of a store that match a filter, in pages.

local option = require "waba.option"

local filters = {}

local PAGE = 200 -- the number of rows of one page

--- Raises an error if a filter of the caller has an unknown field, or an empty reason. An empty reason
--- would select all rows, which the caller probably does not intend.
function filters.check(filter, known, what)
  option.check(filter, known, what, 3)
  if filter and filter.reason == "" then error(what .. ": option reason is empty: expected a part of the reason", 3) end
end

local function matches(row, filter)
  return (not filter.id or row.id == filter.id) and (not filter.before or row.at < filter.before)
    and (not filter.reason or (row.reason or ""):find(filter.reason, 1, true) ~= nil)
end

-- Calls `visit` with the matching rows of each page, until `visit` returns nil. `visit` returns true if it has removed
-- the rows; the next page then begins with the first row of the store.
local function each_page(store, dead, filter, visit)
  local after
  repeat
    local page, next_page = store:list(dead, PAGE, after)
    if not page then return nil, next_page end
    local found = {}
    for _, row in ipairs(page) do
      if matches(row, filter) then found[#found + 1] = row end
    end
    local are_gone, err = visit(found)
    if are_gone == nil then return nil, err end
    after = not are_gone and next_page or nil
  until not after and not are_gone
  return true
end

--- Returns at most n rows that match a filter; or nil and an error. The default of n is 100. A filter is a
--- `waba.InboxFilter`. If `dead` or `filter.dead` is true, returns dead letters, otherwise entries.
function filters.list(store, filter, n, dead)
  local list = {}
  filter, n = filter or {}, n or 100
  local _, err = each_page(store, dead or filter.dead or false, filter, function(page)
    for _, row in ipairs(page) do
      if #list >= n then return nil end
      list[#list + 1] = row
    end
    return false
  end)
  return not err and list or nil, err
end

--- Calls the method `revive` or `drop` of a store with all rows that match a filter. Before each call of the method,
--- calls `prepare` with the rows of this call. Returns the number of changed rows; or nil and an error.
function filters.apply(store, method, dead, filter, prepare)
  local total = 0
  local ok, err = each_page(store, dead, filter or {}, function(page)
    if #page == 0 then return false end
    local changed, failure = true, nil
    if prepare then changed, failure = prepare(page) end
    if changed then changed, failure = store[method](store, page) end
    if not changed then return nil, failure end
    total = total + changed
    return changed > 0
  end)
  return ok and total, err
end

return filters
