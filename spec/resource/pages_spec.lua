-- Lists that the gateway returns in pages: the query for a page, and the iteration over all pages with cursors and with
-- offsets.

local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local pages = require "waba.resource.pages"

-- Returns a function that returns these pages one after the other, and the list of its queries.
local function fetcher(list)
  local queries = {}
  return function(query)
    queries[#queries + 1] = { after = query.after, before = query.before, offset = query.offset }
    local page = list[#queries]
    if errors.is_error(page) then return nil, page end
    return page
  end, queries
end

-- Returns the items that an iterator returns, and its error.
local function collect(iterator)
  local items, failure = {}, nil
  for item, err in iterator do
    if not item then
      failure = err
      break
    end
    items[#items + 1] = item
  end
  return items, failure, iterator
end

local FAILURE = errors.new { kind = "network", message = "m" }

local CASES = {
  ["one page"] = { { { items = { 1, 2 } } }, { 1, 2 }, { {} } },
  ["no items"] = { { { items = {} } }, {}, { {} } },
  ["cursors, and an empty page between"] = {
    { { items = { 1 }, after = "a" }, { items = {}, after = "b" }, { items = { 2, 3 } } }, { 1, 2, 3 },
    { {}, { after = "a" }, { after = "b" } },
  },
  ["offsets"] = {
    { { items = { 1, 2 }, count = 2, total = 5 }, { items = { 3, 4 }, count = 2, total = 5 }, { items = { 5 }, count = 1, total = 5 } },
    { 1, 2, 3, 4, 5 }, { {}, { offset = 2 }, { offset = 4 } },
  },
  ["offsets, and a total that is too large"] = {
    { { items = { 1 }, count = 1, total = 9 }, { items = {}, count = 0, total = 9 } }, { 1 }, { {}, { offset = 1 } },
  },
  ["offsets, and items that the client does not want"] = {
    { { items = {}, count = 2, total = 3 }, { items = { 3 }, count = 1, total = 3 } }, { 3 }, { {}, { offset = 2 } },
  },
  ["a cursor twice"] = {
    { { items = { 1 }, after = "a" }, { items = { 2 }, after = "a" } }, { 1, 2 }, { {}, { after = "a" } }, kind = "protocol",
  },
  ["an error at once"] = { { FAILURE }, {}, { {} }, kind = "network" },
  ["an error later"] = { { { items = { 1 }, after = "a" }, FAILURE }, { 1 }, { {}, { after = "a" } }, kind = "network" },
}

for _, can_yield in ipairs { true, false } do
  describe(can_yield and "an iterator over pages" or "an iterator over pages where it can't wait", function()
    local real = coroutines.can_yield_in_pcall
    before_each(function() coroutines.can_yield_in_pcall = function() return can_yield end end)
    after_each(function() coroutines.can_yield_in_pcall = real end)

    for name, case in pairs(CASES) do
      it("returns all items: " .. name, function()
        local fetch, queries = fetcher(case[1])
        local items, err, iterator = collect(pages.each({}, "items", fetch))
        assert.same(case[2], items)
        assert.equal(case.kind, err and err.kind)
        assert.same(case[3], queries)
        assert.is_nil((iterator()))
        assert.same(case[3], queries)
      end)
    end

    it("starts at the page of the query, and goes forward", function()
      local fetch, queries = fetcher { { items = { 1 }, after = "c" }, { items = { 2 } } }
      assert.same({ 1, 2 }, (collect(pages.each({ before = "b" }, "items", fetch))))
      assert.same({ { before = "b" }, { after = "c" } }, queries)
      fetch, queries = fetcher { { items = { 1 }, count = 1, total = 9 }, { items = { 2 }, count = 1, total = 9 } }
      assert.same({ 1, 2 }, (collect(pages.each({ offset = 7 }, "items", fetch))))
      assert.same({ { offset = 7 }, { offset = 8 } }, queries)
    end)
  end)
end

describe("the query of a page", function()
  it("has the fields of the options, and refuses a limit below 1 and two cursors", function()
    assert.same({ limit = 1, after = "a" }, pages.query({ limit = 1, after = "a" }, "x:list"))
    assert.same({ before = "b" }, pages.query({ before = "b" }, "x:list"))
    for _, limit in ipairs { 0, -1 } do
      assert.error_matches(function() pages.query({ limit = limit }, "x:list") end, "x:list: option limit must be at least 1")
    end
    assert.error_matches(function() pages.query({ after = "a", before = "b" }, "x:list") end,
      "x:list: options after and before can't be combined")
  end)
end)
