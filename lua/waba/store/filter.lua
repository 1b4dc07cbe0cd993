-- Selects entries and dead letters of a store by a filter, page by page: for the functions that list, retry and remove
-- them.

local option = require "waba.option"

local filters = {}

-- The number of rows of one page.
local PAGE = 200

--- A filter for rows. A filter without fields selects all rows.
---@class waba.StoreFilter
---@field dead? boolean     true: dead letters instead of waiting entries
---@field id? string        the id of the row
---@field reason? string    a part of the reason of the last failure
---@field before? number    Unix seconds: only older rows

--- Checks a filter of the caller. Raises an error for an unknown field, and for an empty reason: every row would match,
--- which a program with an empty variable does not mean.
---@param filter table|nil
---@param known table  the fields
---@param what string  the name of the function that takes the filter
function filters.check(filter, known, what)
  option.check(filter, known, what, 3)
  if filter and filter.reason == "" then error(what .. ": option reason is empty: expected a part of the reason", 3) end
end

local function matches(row, filter)
  return (not filter.id or row.id == filter.id) and (not filter.before or row.at < filter.before)
    and (not filter.reason or (row.reason or ""):find(filter.reason, 1, true) ~= nil)
end

-- Calls `visit` with the matching rows of each page, until `visit` returns nil. The result true means that `visit` has
-- removed the rows, so the next page begins at the first row again.
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
    after = next_page
    if are_gone then after = nil end
  until not after and not are_gone
  return true
end

--- Lists the rows that match.
---@param store waba.Store
---@param filter? waba.StoreFilter
---@param n? integer  the maximum number; default: 100
---@return waba.StoreRow[]|nil
---@return waba.Error? err
function filters.list(store, filter, n)
  local list = {}
  filter, n = filter or {}, n or 100
  local ok, err = each_page(store, filter.dead or false, filter, function(page)
    for _, row in ipairs(page) do
      if #list >= n then return nil end
      list[#list + 1] = row
    end
    return false
  end)
  if not ok and err then return nil, err end
  return list
end

--- Calls a function of the store for all rows that match. Returns their number.
---@param store waba.Store
---@param method "revive"|"drop"
---@param dead boolean
---@param filter? waba.StoreFilter
---@param prepare? fun(page: waba.StoreRow[]): true|nil, waba.Error?  called before the function, with the rows of each
---        page
---@return integer|nil
---@return waba.Error? err
function filters.apply(store, method, dead, filter, prepare)
  local total = 0
  local ok, err = each_page(store, dead, filter or {}, function(page)
    if #page == 0 then return false end
    local ready, failure = true, nil
    if prepare then ready, failure = prepare(page) end
    local changed = ready
    if ready then changed, failure = store[method](store, page) end
    if not changed then return nil, failure end
    total = total + changed
    return changed > 0
  end)
  if not ok then return nil, err end
  return total
end

return filters
