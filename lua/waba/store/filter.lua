-- Lists, revives and removes the entries or dead letters of a store that match a filter, in pages.

local option = require "waba.option"

local filters = {}

local unpack = table.unpack or unpack

-- The number of rows of one page. A store in memory lists all rows in one page, because it sorts them for each page.
local PAGE = 200
-- The number of rows that are selected before they are changed. A change removes rows from the list, so the list is read
-- from its start after a change. With a smaller number, the start of a long list would be read many times.
local MOST = 10000

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

-- Returns the matching rows of a store, in their order, and whether the store may have others. After `most` matching
-- rows, reads no further page. If `without_bodies` is true, the rows have no field `body`.
local function matching_rows(store, dead, filter, most, without_bodies)
  local found, after = {}, nil
  repeat
    local page, next_page = store:list(dead, store.durable and PAGE or math.huge, after)
    if not page then return nil, next_page end
    for _, row in ipairs(page) do
      if without_bodies then row.body = nil end
      if matches(row, filter) then found[#found + 1] = row end
    end
    after = next_page
  until not after or #found >= most
  return found, after ~= nil
end

--- Returns at most n rows that match a filter; or nil and an error. The default of n is 100. A filter is a
--- `waba.InboxFilter`. If `dead` or `filter.dead` is true, returns dead letters, otherwise entries.
function filters.list(store, filter, n, dead)
  filter, n = filter or {}, n or 100
  if n < 1 then return {} end
  local list, err = matching_rows(store, dead or filter.dead or false, filter, n)
  for position = #(list or {}), n + 1, -1 do list[position] = nil end
  return list, not list and err or nil
end

-- Calls the method `method` of a store with pages of a list of rows. Returns the number of changed rows.
local function change_all(store, method, list, prepare)
  local total = 0
  for first = 1, #list, PAGE do
    local page, changed, failure = { unpack(list, first, math.min(first + PAGE - 1, #list)) }, true, nil
    if prepare then changed, failure = prepare(page) end
    if changed then changed, failure = store[method](store, page) end
    if not changed then return nil, failure end
    total = total + changed
  end
  return total
end

--- Calls the method `revive` or `drop` of a store with all rows that match a filter. Before each call of the method,
--- calls `prepare` with the rows of this call. Returns the number of changed rows; or nil and an error.
function filters.apply(store, method, dead, filter, prepare)
  local total = 0
  filter = filter or {}
  repeat
    local list, has_more = matching_rows(store, dead, filter, filter.id and 1 or MOST, not prepare)
    if not list then return nil, has_more end
    local changed, err = change_all(store, method, list, prepare)
    if not changed then return nil, err end
    total = total + changed
    -- fewer rows are changed than listed if another process has moved or taken some of them
  until changed == 0 or filter.id or changed == #list and not has_more
  return total
end

return filters
