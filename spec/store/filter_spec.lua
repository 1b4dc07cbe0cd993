-- Reading the rows of a store that match a filter, over several pages: a list of at most n rows, and a change of all
-- rows.

local errors = require "waba.errors"
local filters = require "waba.store.filter"

-- Returns a store with `count` rows, numbered from 1. `store.calls` lists the calls of the store.
local function new(count)
  local store = { rows = {}, calls = {}, durable = true }
  for number = 1, count do
    store.rows[number] = { id = tostring(number), at = number, reason = number % 2 == 0 and "even (" .. number .. ")" or nil }
  end
  function store:list(dead, n, after)
    self.calls[#self.calls + 1] = { "list", dead, n, after }
    if self.failure then return nil, self.failure end
    local page, position = {}, tonumber(after) or 0
    while #page < n and self.rows[position + 1] do
      position = position + 1
      page[#page + 1] = self.rows[position]
    end
    return page, self.rows[position + 1] and tostring(position) or nil
  end
  function store:drop(page)
    self.calls[#self.calls + 1] = { "drop", #page }
    if self.refuses then return nil, self.refuses end
    local gone, count_gone = {}, 0
    for _, row in ipairs(page) do gone[row] = row.id ~= self.kept end
    for position = #self.rows, 1, -1 do
      if gone[self.rows[position]] then
        table.remove(self.rows, position)
        count_gone = count_gone + 1
      end
    end
    return count_gone
  end
  return store
end

local function ids(list)
  local texts = {}
  for index, row in ipairs(list) do texts[index] = row.id end
  return table.concat(texts, " ")
end

describe("a filter", function()
  it("selects rows by their id, their age and a part of their reason", function()
    local store = new(6)
    for text, filter in pairs {
      ["1 2 3 4 5 6"] = {}, ["3"] = { id = "3" }, [""] = { id = "7" }, ["1 2"] = { before = 3 }, ["2 4 6"] = { reason = "even" },
      ["4"] = { reason = "(4)" }, ["2 4"] = { reason = "even", before = 6 },
    } do
      assert.equal(text, ids(filters.list(store, filter)))
    end
    assert.equal("", ids(filters.list(store, { id = "2", before = 2 })))
    assert.equal("", ids(filters.list(store, { id = "1", reason = "even" })))
    assert.equal(6, #filters.list(store))
    store.calls = {}
    filters.list(store, { dead = true })
    filters.list(store)
    assert.same({ { "list", true, 200 }, { "list", false, 200 } }, store.calls)
  end)

  it("lists at most as many rows as wanted, and reads no further page", function()
    local store = new(450)
    for n, pages in pairs { [1] = 1, [199] = 1, [201] = 2, [400] = 2, [450] = 3, [900] = 3 } do
      store.calls = {}
      local list = filters.list(store, nil, n)
      assert.equal(math.min(n, 450), #list)
      assert.equal(tostring(#list), list[#list].id)
      assert.equal(pages, #store.calls, n)
    end
    assert.equal(100, #filters.list(store))
    assert.equal(0, #filters.list(store, nil, 0))
  end)

  it("changes all rows that match, and no other", function()
    local store = new(450)
    assert.equal(225, filters.apply(store, "drop", true, { reason = "even" }))
    assert.equal(225, #store.rows)
    assert.same({ "list", true, 200 }, store.calls[1])
    assert.equal(0, filters.apply(store, "drop", true, { reason = "even" }))
    assert.equal(225, filters.apply(store, "drop", false))
    assert.equal(0, #store.rows)
    assert.equal(0, filters.apply(store, "drop", false))
  end)

  it("reads a long list few times to change some of its rows", function()
    local store = new(20000)
    for _, row in ipairs(store.rows) do row.reason = row.at % 200 == 0 and "timeout" or nil end
    assert.equal(100, filters.apply(store, "drop", true, { reason = "timeout" }))
    local pages = 0
    for _, call in ipairs(store.calls) do pages = pages + (call[1] == "list" and 1 or 0) end
    assert.equal(100, pages)
    store.calls = {}
    assert.equal(1, filters.apply(store, "drop", true, { id = "1" }))
    assert.same({ { "list", true, 200 }, { "drop", 1 } }, store.calls)
  end)

  it("lists a store in memory in one page, which sorts all its entries for each page", function()
    local store = new(450)
    store.durable = false
    assert.equal(450, filters.apply(store, "drop", false))
    assert.same({ "list", false, math.huge }, store.calls[1])
    assert.same({ "drop", 200 }, store.calls[2])
  end)

  it("does not return dead letters again that were returned and have failed again", function()
    local store = new(3)
    function store:revive(page)
      for position, row in ipairs(page) do self.rows[position] = { id = row.id .. "'", at = row.at } end
      return #page
    end
    assert.equal(3, filters.apply(store, "revive", true))
  end)

  it("ends although a row can't be changed", function()
    local store = new(3)
    store.kept = "2"
    assert.equal(2, filters.apply(store, "drop", true))
    store = new(250)
    store.kept = "1"
    assert.equal(249, filters.apply(store, "drop", true))
  end)

  it("prepares each page before its change", function()
    local store = new(3)
    local prepared = {}
    assert.equal(3, filters.apply(store, "drop", true, nil, function(page)
      prepared[#prepared + 1] = ids(page)
      return true
    end))
    assert.same({ "1 2 3" }, prepared)
  end)

  it("returns the errors of the store", function()
    local failure = errors.new { kind = "unavailable", message = "m" }
    local function check(result, err)
      assert.is_nil(result)
      assert.equal(failure, err)
    end
    local store = new(3)
    store.failure = failure
    check(filters.list(store))
    check(filters.apply(store, "drop", true))
    store = new(3)
    store.refuses = failure
    check(filters.apply(store, "drop", true))
    store = new(3)
    check(filters.apply(store, "drop", true, nil, function() return nil, failure end))
    assert.equal(3, #store.rows)
  end)
end)
