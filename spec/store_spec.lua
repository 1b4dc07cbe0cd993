-- Tests the contract of stores (lua/waba/store/contract.lua) with every backend. spec/inbox_spec.lua tests the other
-- parts of the contract.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local sqlite = require "spec.support.sqlite"

-- For each backend, three functions: the first one opens a store by name, the second one closes all stores, the third
-- one returns the store's options as Lua code for another process.
local backends = {
  memory = function()
    return function(_, settings)
      settings.max = 1000
      return require("waba.store.memory").new(settings)
    end, function() end
  end,
  sqlite = function()
    local folder = process.folder()
    return function(name, settings)
      settings.file, settings.busy_timeout, settings.sync = folder:file(name .. ".db"), 5, false
      return require("waba.store.sqlite").new(settings)
    end, function() folder:remove() end, function(name)
      return ("file = %q, busy_timeout = 5, sync = false, attempts = 3, remember = 100, lanes = { '' }, title = 'the store'"):format(
        folder:file(name .. ".db"))
    end
  end,
  redis = function()
    local server = redis.start()
    return function(name, settings)
      settings.prefix, settings.host, settings.port, settings.timeout = "{" .. name .. "}", "127.0.0.1", server.port, 5
      return require("waba.store.redis").new(settings)
    end, function() server:stop() end, function(name)
      return ("prefix = '{%s}', host = '127.0.0.1', port = %d, timeout = 5, attempts = 3, remember = 100, "
        .. "lanes = { '' }, title = 'the store'"):format(name, server.port)
    end
  end,
}

-- Starts a process that takes two entries and does not acknowledge them.
local function start_taker(store)
  local code = ("local store = %s assert(#store:take(9, 3600) == 2) require('socket').sleep(60)"):format(store)
  return process.start(("%s -e %s"):format(process.interpreter(), process.quote(code)), "/dev/null")
end

local function entry(body, name, more)
  local made = { body = body, names = name and { name } }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

local function bodies(list)
  local found = {}
  for index, one in ipairs(list) do found[index] = one.body end
  return found
end

for _, backend in ipairs { "memory", "sqlite", "redis" } do
  describe("the store in " .. backend, function()
    local open, close, place
    local count, opened = 0, {}

    setup(function() open, close, place = backends[backend]() end)
    teardown(function() close() end)
    after_each(function()
      for _, store in ipairs(opened) do store:close() end
      opened = {}
    end)

    local function new(settings, name)
      count = count + 1
      local all = { attempts = 3, remember = 100, lanes = { "", "bulk:" }, title = "the store", name = "a store" }
      for key, value in pairs(settings or {}) do all[key] = value end
      opened[#opened + 1] = open(name or "store" .. count, all)
      return opened[#opened]
    end

    it("returns the value that was recorded with a known key", function()
      local store = new()
      assert.equal(1, store:put { entry("a", "1", { key = "k", value = "first" }) })
      local again = { entry("b", "1", { key = "k", value = "second" }), entry("c", "1", { key = "l", value = "third" }) }
      assert.equal(1, store:put(again))
      assert.equal("first", again[1].known)
      assert.is_nil(again[2].known)
      assert.same({ "a" }, bodies(store:take(9, 60)))
    end)

    it("changes and takes nothing in a put that it refuses", function()
      local store = new()
      store:put { entry("a", "1", { key = "k", value = "first" }), entry("b", "2") }
      local lease = store:take(1, 60)[1]
      local list = { { lease = lease, done = "held" } }
      local other = entry("c", "3", { key = "k", value = "second", same = 5 })
      local stored, index = store:put({ other }, nil, { n = 9, seconds = 60, changes = list })
      assert.same({ false, 1, 2 }, { stored, index, store:depth() })
      assert.same({ "b" }, bodies(store:take(9, 60)))
    end)

    it("takes an entry when it is due, and takes the other entries meanwhile", function()
      local store = new()
      assert.equal(2, store:put { entry("later", "1", { at = os.time() + 1.5 }), entry("now", "1") })
      local first = store:take(9, 60)
      assert.same({ "now" }, bodies(first))
      assert.equal(2, store:depth())
      process.sleep(1.7)
      assert.same({}, store:take(9, 60)) -- "later" is in the conversation of the taken entry, so it waits
      assert.equal(1, store:settle { { lease = first[1], done = "held" } })
      assert.same({ "later" }, bodies(store:take(9, 60)))
    end)

    if backend == "redis" then
      it("returns the entries of a call again if the reply of the call was lost", function()
        local store = new()
        store:put { entry("a", "1") }
        for _, is_marked in ipairs { false, true } do
          local lost = store:take(9, 60, nil, is_marked)
          store.lost_tokens = { (lost[1].token:gsub("!$", "")) }
          local taken = store:take(9, 60)
          assert.same({ 1, 1 }, { #taken, taken[1].attempts })
          assert.is_nil(taken[1].was_marked)
          assert.equal(1, store:settle { { lease = taken[1], release = true } })
        end
      end)

      it("does not keep the tokens of calls that were not sent because Redis can't be reached", function()
        local settings = { attempts = 3, remember = 100, lanes = { "" }, title = "the store", name = "a store" }
        settings.prefix, settings.host, settings.port, settings.timeout = "{w}", "127.0.0.1", process.free_port(), 5
        local store = require("waba.store.redis").new(settings)
        store.lost_tokens = { "lost" }
        for _ = 1, 5 do assert.is_nil((store:take(1, 60))) end
        assert.same({ "lost" }, store.lost_tokens)
        store:close()
      end)
    end

    it("keeps the mark of a lease that has expired, and no other mark", function()
      local store = new { attempts = 1 }
      local list = {}
      for number = 1, 5 do list[number] = entry(tostring(number), tostring(number), { id = "id" .. number }) end
      store:put(list)
      local taken = store:take(9, 0.1, nil, true)
      assert.same({ 5, true, "taken" }, { #taken, store:find("id1").is_marked, store:find("id1").state })
      assert.equal(4, store:settle {
        { lease = taken[2], release = true }, { lease = taken[3], extend = 0.1, mark = false },
        { lease = taken[4], later = 0, body = "later" }, { lease = taken[5], done = "held" },
      })
      process.sleep(1.2)
      local again, marks = store:take(9, 0.1), {}
      for _, lease in ipairs(again) do marks[lease.body] = lease.was_marked or false end
      assert.same({ ["1"] = true, ["2"] = false, later = false }, marks) -- the entry id3 is a dead letter after one attempt
      assert.equal("dead", store:find("id3").state)
      local first
      for _, lease in ipairs(again) do first = lease.was_marked and lease or first end
      assert.equal(1, store:settle { { lease = first, delay = 0, reason = "not now" } })
      assert.is_true(store:find("id1").is_marked)
      assert.is_true(store:take(1, 60)[1].was_marked)
    end)

    it("takes bulk entries after the others", function()
      local store = new()
      store:put { entry("b1", "1", { bulk = true, lane = "bulk:" }), entry("b2", "2", { bulk = true, lane = "bulk:" }) }
      store:put { entry("a1", "1"), entry("a2", "3") }
      assert.same({ "a1" }, bodies(store:take(1, 60)))
      assert.same({ "a2", "b1" }, bodies(store:take(2, 60)))
      assert.same({ "b2" }, bodies(store:take(2, 60)))
    end)

    it("settles several leases and writes records with them", function()
      local store = new()
      store:put({ entry("a", "1"), entry("b", "2"), entry("c", "3"), entry("d", "4"), entry("e", "5") },
        { { name = "put", value = "with entries" } })
      assert.equal("with entries", store:get "put")
      local taken = store:take(9, 60)
      local changes = {
        { lease = taken[1], done = "held" }, { lease = taken[2], delay = 60, reason = "later" },
        { lease = taken[3], dead = true, reason = "no use" }, { lease = taken[4], release = true },
        { lease = taken[5], extend = 120 },
      }
      assert.equal(5, store:settle(changes, {
        { name = "kept", value = "for\0ever\1" }, { name = "short", value = "x", seconds = 0.01 }, { name = "put" },
      }))
      assert.equal("for\0ever\1", store:get "kept")
      assert.is_nil((store:get "put"))
      process.sleep(0.05)
      assert.is_nil((store:get "short"))
      assert.equal(3, store:depth())
      local again = store:take(9, 60)
      assert.same({ "d" }, bodies(again))
      assert.equal(1, again[1].attempts)
      assert.equal(0, store:settle { changes[1], changes[2] })
      assert.is_true(changes[1].lost)
    end)

    it("removes the entries of a call, except an entry whose lease was lost", function()
      local store, list = new(), {}
      for number = 1, 6 do list[number] = entry(tostring(number), tostring(number)) end
      store:put(list)
      store:put { entry("behind 2", "2") }
      local taken, changes = store:take(9, 60), {}
      assert.equal(1, store:settle { { lease = taken[3], release = true } })
      for index, lease in ipairs(taken) do
        changes[index] = {
          lease = lease, done = "held", records = { { name = "r" .. index, value = "x" }, { name = "n", add = 1 } },
        }
      end
      assert.equal(5, store:settle(changes))
      for index, change in ipairs(changes) do
        assert.equal(index == 3, change.lost)
        assert.equal(index ~= 3 and "x" or nil, (store:get("r" .. index)))
      end
      assert.equal("5", store:get "n")
      local left = bodies(store:take(9, 60))
      table.sort(left)
      assert.same({ "3", "behind 2" }, left)
    end)

    it("appends the entries of a call to conversations that exist, and to new ones", function()
      local store = new()
      store:put { entry("a1", "a") }
      local list = { entry("a2", "a"), entry("b1", "b"), entry("b2", "b"), entry("alone"), entry("c1", "c") }
      for number = 1, 30 do list[#list + 1] = entry("d" .. number, "d") end
      store:put(list)
      local rounds = {}
      for round = 1, 3 do
        local taken, changes = store:take(99, 60), {}
        rounds[round] = bodies(taken)
        table.sort(rounds[round])
        for index, lease in ipairs(taken) do changes[index] = { lease = lease, done = "held" } end
        store:settle(changes)
      end
      assert.same({ { "a1", "alone", "b1", "c1", "d1" }, { "a2", "b2", "d2" }, { "d3" } }, rounds)
      assert.equal(27, store:depth())
    end)

    it("lists entries and dead letters, retries dead letters, and removes both", function()
      local store = new()
      store:put { entry("a1", "A"), entry("a2", "A"), entry("b1", "B"), entry("c1") }
      local taken = store:take(1, 60)
      assert.equal(1, store:settle { { lease = taken[1], dead = true, reason = "no use" } })
      local dead = store:list(true, 10)
      assert.same({ "a1", "A", "no use", 1, "dead" },
        { dead[1].body, dead[1].conversation, dead[1].reason, dead[1].attempts, dead[1].state })
      assert.is_true(math.abs(dead[1].at - os.time()) < 60)
      taken = store:take(1, 60)
      local list, states = {}, {}
      local rows, after
      repeat
        rows, after = store:list(false, 2, after)
        for _, row in ipairs(rows) do list[#list + 1], states[row.body] = row, row.state end
      until not after
      assert.equal(3, #list)
      assert.equal("taken", states[taken[1].body])
      assert.is_true(math.abs(store:oldest() - os.time()) < 60)
      assert.equal(2, store:drop(list)) -- the taken entry is not removed
      assert.equal(1, store:revive(dead))
      assert.equal(0, store:revive(dead))
      assert.equal(2, store:depth())
      assert.equal(1, store:settle { { lease = taken[1], dead = true } })
      assert.equal(1, store:drop(store:list(true, 10)))
      assert.same({}, (store:list(true, 10)))
      assert.same({ "a1" }, bodies(store:take(9, 60)))
    end)

    it("removes entries and dead letters in one call, and returns their number", function()
      local store = new()
      store:put { entry("a1", "A"), entry("b1", "B"), entry("c1") }
      local taken = store:take(2, 60)
      for _, lease in ipairs(taken) do store:settle { { lease = lease, dead = true } } end
      local rows = store:list(true, 10)
      for _, row in ipairs((store:list(false, 10))) do rows[#rows + 1] = row end
      assert.equal(3, #rows)
      assert.equal(0, store:drop {})
      assert.equal(3, store:drop(rows))
      assert.equal(0, store:drop(rows))
      assert.equal(0, store:depth())
      assert.same({}, (store:list(true, 10)))
    end)

    it("lists all entries, with any size of the pages", function()
      local store, all = new(), {}
      for i = 1, 7 do all[i] = entry(tostring(i), "N" .. i) end
      store:put(all)
      store:take(2, 60)
      for size = 1, 8 do
        local found, after = {}, nil
        repeat
          local rows, next_page = store:list(false, size, after)
          for _, row in ipairs(rows) do found[tonumber(row.body)] = true end
          after = next_page
        until not after
        assert.equal(7, #found, "pages of " .. size)
      end
    end)

    it("retries dead letters in their order, each with a new id", function()
      local store = new()
      store:put { entry("a1", "A"), entry("a2", "A"), entry("b1", "B") }
      for _ = 1, 3 do
        for _, lease in ipairs(store:take(9, 60)) do store:settle { { lease = lease, dead = true, reason = "no use" } } end
      end
      assert.equal(0, store:depth())
      assert.equal(3, store:revive(store:list(true, 10)))
      local seen, distinct = {}, 0
      for _, row in ipairs(store:list(false, 10)) do
        distinct = distinct + (seen[row.id] and 0 or 1)
        seen[row.id] = true
      end
      assert.equal(3, distinct)
      local first = store:take(9, 60)
      local order = bodies(first)
      table.sort(order)
      assert.same({ "a1", "b1" }, order)
      store:settle { { lease = first[1], done = "held" }, { lease = first[2], done = "held" } }
      assert.same({ "a2" }, bodies(store:take(9, 60)))
    end)

    it("takes the next entry at once if the one before becomes a dead letter", function()
      local store = new { attempts = 1 }
      store:put { entry("a1", "A"), entry("a2", "A") }
      assert.same({ "a1" }, bodies(store:take(9, 0.01)))
      process.sleep(0.05)
      assert.same({ "a2" }, bodies(store:take(9, 60)))
      assert.same({ "a1" }, bodies(store:list(true, 9)))
    end)

    it("finds an entry by its id until it is removed", function()
      local store = new()
      store:put { entry("a", "1", { id = "x1" }), entry("b", "1", { id = "x2" }), entry("c", "2", { id = "x3", at = os.time() + 99 }) }
      assert.same({ "a", "waiting" }, { store:find("x1").body, store:find("x1").state })
      local taken = store:take(9, 60)
      assert.equal("taken", store:find("x1").state)
      assert.equal(0, store:drop { store:find "x1" })
      assert.equal(1, store:drop { store:find "x2" })
      assert.is_nil((store:find "x2"))
      assert.equal("c", store:find("x3").body)
      assert.equal(1, store:drop { store:find "x3" })
      assert.equal(1, store:settle { { lease = taken[1], dead = true, reason = "no" } })
      assert.equal("dead", store:find("x1").state)
      assert.equal(1, store:revive { store:find "x1" })
      assert.equal("waiting", store:find("x1").state)
      assert.equal(1, store:settle { { lease = store:take(1, 60)[1], done = "held" } })
      assert.is_nil((store:find "x1"))
      assert.equal(0, store:depth())
    end)

    it("stores nothing if a key has another value", function()
      local store = new()
      assert.equal(1, store:put { entry("a", "1", { key = "k", value = "AB1", same = 2 }) })
      local again = { entry("b", "1", { id = "b" }), entry("a", "1", { key = "k", value = "AB2", same = 2 }) }
      assert.equal(1, store:put(again))
      assert.equal("AB1", again[2].known)
      local stored, position = store:put { entry("c", "1"), entry("d", "1", { key = "k", value = "AC1", same = 2 }) }
      assert.is_false(stored)
      assert.equal(2, position)
      assert.equal(2, store:depth())
      local taken = store:take(1, 60)
      local over = { { name = "k", value = "AB1", seconds = 0.01, of_key = true } }
      assert.equal(1, store:settle({ { lease = taken[1], done = "held", records = over } }))
      process.sleep(0.05)
      assert.equal(1, store:put { entry("d", "1", { key = "k", value = "AC1", same = 2 }) })
    end)

    it("takes an entry out of its conversation for some time", function()
      local store = new()
      store:put { entry("a", "1", { id = "a", bulk = true, lane = "bulk:" }),
        entry("b", "1", { id = "b", bulk = true, lane = "bulk:" }) }
      local taken = store:take(9, 60)
      assert.equal(1, store:settle { { lease = taken[1], later = 60, body = "A" } })
      assert.equal(2, store:depth())
      assert.equal("A", store:find("a").body)
      local b = store:take(9, 60)
      assert.same({ "b" }, bodies(b))
      assert.is_true(store:hasten "a")
      assert.is_true(store:hasten "b")
      assert.is_true(store:hasten "unknown")
      assert.same({}, store:take(9, 60))
      assert.equal(1, store:settle { { lease = b[1], done = "held" } })
      local a = store:take(9, 60)
      assert.same({ "A" }, bodies(a))
      assert.equal(1, a[1].attempts)
      assert.equal(0, store:settle { { lease = taken[1], done = "held" } })
      -- The entry is found at any position of the queue.
      assert.equal(1, store:settle { { lease = a[1], later = 60, body = "AA" } })
      assert.equal(0, store:settle { { lease = taken[1], done = "always" } })
      assert.equal(0, store:depth())
      assert.is_nil((store:find "a"))
    end)

    it("raises an error if it is used after it was closed", function()
      local store = new()
      assert.equal(1, store:put { entry "a" })
      store:close()
      store:close()
      for _, use in ipairs {
        function() store:put { entry "b" } end, function() store:take(1, 30) end,
        function() store:settle({}, { { name = "x", value = "1" } }) end,
        function() store:depth() end, function() store:get "x" end,
      } do
        local ok, raised = pcall(use)
        assert.is_false(ok)
        assert.matches("this store is closed", raised, 1, true)
      end
    end)

    it("increments records, reads several and lists their names", function()
      local store = new()
      local function raise(value, seconds)
        store:settle({}, { { name = "top:1", value = value, rises = true, seconds = seconds } })
        return (store:get "top:1")
      end
      assert.equal("5", raise "5")
      assert.equal("5", raise "3")
      assert.equal("7", raise "7")
      store:settle({}, { { name = "top:1" } })
      assert.equal("9", raise("9", 0.01))
      process.sleep(0.05)
      assert.equal("1", raise("1", 60))
      assert(store:put({}, { { name = "top:1", value = "2", rises = true } }))
      store:settle({}, { { name = "top:2", value = "a\0b" }, { name = "top*", value = "c" }, { name = "to", value = "d" } })
      assert.same({ ["top:1"] = "2", ["top:2"] = "a\0b" }, store:get_all { "top:1", "top:2", "top:3" })
      assert.same({}, store:get_all {})
      local found, after, pages = {}, nil, 0
      repeat
        local list, next_page = store:record_names("top:", 1, after)
        for _, name in ipairs(list) do found[name] = true end
        after, pages = next_page, pages + 1
      until not after or pages > 100
      assert.same({ ["top:1"] = true, ["top:2"] = true }, found)
      assert.same({ "top*" }, (store:record_names("top*", 100)))
    end)

    it("increments a record once for each entry that is done", function()
      local store = new()
      store:put { entry("a", "1"), entry("b", "2") }
      local taken = store:take(9, 60)
      local function done(lease)
        return { lease = lease, done = "always", records = { { name = "count", add = 2, seconds = 60 } } }
      end
      assert.equal(2, store:settle { done(taken[1]), done(taken[2]) })
      assert.equal("4", store:get "count")
      assert.equal(0, store:settle { done(taken[1]) })
      assert.equal("4", store:get "count")
      store:put { entry("c", "1") }
      taken = store:take(9, 60)
      assert.equal(1, store:settle { { lease = taken[1], delay = 0 } })
      assert.equal(0, store:settle { done(taken[1]) }) -- refused, because the lease has ended
      assert.equal("6", store:get "count")
      store:settle({}, { { name = "count", add = 1, seconds = 0.01 } })
      process.sleep(0.05)
      assert.is_nil((store:get "count"))
      store:settle({}, { { name = "count", add = 1 } })
      assert.equal("1", store:get "count")
    end)

    it("writes records with a change or a removed entry, unless the lease was lost", function()
      local store = new()
      store:put { entry("a", "1", { id = "a" }), entry("b", "2", { id = "b" }) }
      local taken = store:take(1, 60)
      local function records(value) return { { name = "r", value = value } } end
      assert.equal(1, store:settle { { lease = taken[1], extend = 60, records = records "1" } })
      assert.equal("1", store:get "r")
      assert.equal(1, store:settle { { lease = taken[1], release = true } })
      assert.equal(0, store:settle({ { lease = taken[1], extend = 60, records = records "2" } }, nil, true))
      assert.equal("1", store:get "r")
      assert.equal(0, store:settle { { lease = taken[1], done = "always", records = records "3" } })
      assert.equal("3", store:get "r")
      local row = store:find "b"
      row.records = records "4"
      assert.equal(1, store:drop { row })
      row.records = records "5"
      assert.equal(0, store:drop { row })
      assert.equal("4", store:get "r")
    end)

    it("does not remove an entry with records that was marked or changed after it was found", function()
      local store = new()
      store:put { entry("a", "A", { id = "x1" }), entry("b", "B", { id = "x2", at = os.time() - 9 }), entry("c", "C", { id = "x3" }) }
      local rows = { store:find "x1", store:find "x2", store:find "x3" }
      for index, row in ipairs(rows) do row.records = { { name = "r" .. index, value = "removed" } } end
      local taken = store:take(1, 0.01, nil, true)
      assert.same({ "a" }, bodies(taken))
      assert.equal(1, store:settle { { lease = taken[1], later = 60, body = "a+" } })
      for _, lease in ipairs(store:take(2, 60, nil, true)) do
        local is_b = lease.body == "b"
        assert.equal(1, store:settle { { lease = lease, later = is_b and 60 or nil, body = is_b and "b+" or nil,
          extend = not is_b and 0 or nil } })
      end
      process.sleep(0.02)
      assert.equal(1, store:settle { { lease = store:take(1, 60)[1], release = true } })
      assert.equal(0, store:drop(rows))
      assert.same({ 3, "b+", true }, { store:depth(), store:find("x2").body, store:find("x3").is_marked })
      assert.same({}, store:get_all { "r1", "r2", "r3" })
      local row = store:find "x2"
      row.records = rows[2].records
      assert.equal(1, store:drop { row })
      assert.equal("removed", store:get "r2")
    end)

    it("limits the number of known keys", function()
      local store = new { remember = 0.00001 }
      for number = 1, 1000 do store:put { entry("x", "1", { key = "k" .. number }) } end
      local kept
      if backend == "memory" then
        kept = store.seen.count
      elseif backend == "sqlite" then
        kept = store.database:guarded(function() return store.database:value "SELECT count(*) FROM waba_record" end)
      else
        kept = 0 -- Redis removes expired records itself
      end
      assert.is_true(kept < 600, tostring(kept))
    end)

    if backend ~= "memory" then
      it("returns the entries of a killed process before their leases end", function()
        local store = new(nil, "killed")
        store:put { entry("a", "1"), entry("b", "2") }
        local program = start_taker(("require('waba.store.%s').new { %s }"):format(backend, place "killed"))
        process.wait_for(function() return store:list(false, 10)[1].state == "taken" end, "the process to take")
        assert.same({}, store:take(9, 60))
        program:stop("KILL")
        local taken = process.wait_for(function()
          store.look_at = 0
          local list = store:take(9, 60)
          return #list > 0 and list
        end, "its entries")
        assert.same({ "a", "b" }, bodies(taken))
        assert.equal(2, taken[1].attempts)
      end)
    end
  end)
end

describe("the owner of leases", function()
  it("has ended although its parent has not waited for it", function()
    local owner, folder = require "waba.store.owner", process.folder()
    local code = "print(require('waba.store.owner').name()) io.stdout:flush() require('socket').sleep(60)"
    -- The parent process becomes `sleep`, which does not wait for its child process.
    local parent = process.start(("sh -c %s"):format(process.quote(("%s -e %s & exec sleep 60"):format(process.interpreter(),
      process.quote(code)))), folder:file "log")
    local name = process.wait_for(function() return (folder:read "log"):match "^(%S+)\n" end, "its name")
    if name:find "^unknown" then return parent:stop "KILL" end
    assert.is_false(owner.has_ended(name))
    process.run("kill -KILL " .. name:match "/(%d+)%.")
    process.wait_for(function() return owner.has_ended(name) end, "its end")
    parent:stop "KILL"
    folder:remove()
  end)

  it("has ended in a SQLite file, which belongs to one machine, if the machine was started again", function()
    local owner, folder = require "waba.store.owner", process.folder()
    local name = owner.name()
    if name:find "^unknown" then return end
    local earlier = name:gsub("^%x+", "0f0f0f0f")
    assert.is_false(owner.has_ended(earlier))
    assert.is_true(owner.has_ended(earlier, true))
    assert.is_false(owner.has_ended(name, true))
    local function open()
      return require("waba.store.sqlite").new {
        file = folder:file "x.db", busy_timeout = 5, sync = false, attempts = 9, remember = 60, lanes = { "" },
        title = "the inbox", name = "waba.inbox.sqlite",
      }
    end
    local before, after = open(), open()
    assert(before:depth()) -- opens the file, which sets the owner
    before.owner = earlier
    before:put { { body = "a", names = { "1" } } }
    assert.equal(1, #before:take(1, 60))
    assert.equal("a", after:take(1, 60)[1].body)
    before:close()
    after:close()
    folder:remove()
  end)
end)

describe("a full store", function()
  local function new_inbox(name, options) return require("waba").inbox[name](options) end

  local function message(number)
    return { kind = "message", hosting = "cloud", id = "m" .. number, from = "c" .. number, text = ("x"):rep(2000), raw = {} }
  end

  -- Stores events until the inbox refuses an event, then calls `make_room`, handles all events, and stores again.
  local function assert_recovers(box, make_room)
    local number, refused = 0
    repeat
      number = number + 1
      local stored, err = box:put { message(number) }
      refused = not stored and err
    until refused or number > 20000
    assert.equal("unavailable", refused.kind)
    assert.is_true(refused.retryable)
    make_room()
    assert.equal(number - 1, box:depth())
    local handled = 0
    while handled < number - 1 do
      local taken = assert(box:take(50))
      assert.is_true(box:extend(taken[1], 60))
      assert.is_true(box:ack(taken))
      handled = handled + #taken
    end
    assert.equal(0, box:depth())
    assert.equal(1, box:put { message(number) })
    box:close()
  end

  it("in Redis refuses events, keeps the stored ones, and stores again after events were handled", function()
    local server = redis.start()
    process.run(("redis-cli -p %d CONFIG SET maxmemory 4mb"):format(server.port))
    assert_recovers(new_inbox("redis", { port = server.port }), function() end)
    server:stop()
  end)

  it("in SQLite refuses events, keeps the stored ones, and stores again when there is space", function()
    local folder = process.folder()
    local box = new_inbox("sqlite", { file = folder:file "x.db", sync = false })
    assert(box:depth())
    local function limit(pages)
      box.store.database:guarded(function() return box.store.database:rows("PRAGMA max_page_count = " .. pages) end)
    end
    limit(100)
    assert_recovers(box, function() limit(100000) end)
    folder:remove()
  end)
end)

describe("a SQLite store on a volume that nothing else uses", function()
  it("takes and removes entries when the volume is full, and then stores again", function()
    local core, folder = require "waba.core", process.folder()
    local free_space = core.free_space
    local box = require("waba").inbox.sqlite { file = folder:file "x.db", sync = false }
    local function message(number)
      return { kind = "message", hosting = "cloud", id = "m" .. number, from = "c" .. number, text = ("x"):rep(2000), raw = {} }
    end
    local many = {}
    for number = 1, 300 do many[number] = message(number) end
    assert.equal(300, box:put(many))
    core.free_space = function() return 2 ^ 20 end
    local ok, raised = pcall(function()
      local stored, err = box:put { message(0) }
      assert.is_nil(stored)
      assert.matches("disk is full$", err.message)
      assert(box:ack(assert(box:take(300))))
      assert.equal(1, box:put { message(0) })
    end)
    core.free_space = free_space
    box:close()
    folder:remove()
    assert(ok, raised)
  end)
end)

describe("the file of a SQLite store", function()
  it("names what a file that can't be written needs", function()
    local folder, waba = process.folder(), require "waba"
    local path = folder:file "x.db"
    local box = waba.inbox.sqlite(path)
    assert(box:depth())
    local database = box.store.database
    database:guarded(function() return database:rows "PRAGMA query_only = 1" end)
    local stored, err = box:put { { kind = "message", hosting = "cloud", id = "m", from = "1", type = "text", raw = {} } }
    assert.is_nil(stored)
    assert.equal(("the inbox's file %s: attempt to write a readonly database: the process must be able to write to the file"
      .. " and to its directory"):format(path), err.message)
    box:close()
    folder:remove()
  end)

  it("is refused and not changed if its tables belong to another program", function()
    local folder, waba = process.folder(), require "waba"
    local path = folder:file "app.db"
    local early = waba.inbox.sqlite(path) -- opens the file at its first use, below
    local connection = sqlite.open(path)
    connection:execute "CREATE TABLE customer (name TEXT)"
    connection:close()
    local before = process.run("cat " .. process.quote(path))
    for _, make in ipairs { waba.inbox.sqlite, waba.outbox.sqlite } do
      local made, message = pcall(make, path)
      assert.is_false(made)
      assert.truthy(message:find("option file: " .. path .. ": it is not a store of waba", 1, true), message)
    end
    local stored, err = early:put {}
    assert.is_nil(stored)
    assert.truthy(err.message:find("the inbox's file " .. path .. ": it is not a store of waba", 1, true), err.message)
    early:close()
    assert.is_true(process.run("cat " .. process.quote(path)) == before)
    folder:remove()
  end)

  it("gets new triggers if an older version made them, and keeps the order of its conversations", function()
    local folder = process.folder()
    local path = folder:file "x.db"
    local function message(id)
      return { kind = "message", hosting = "cloud", id = id, from = "1", type = "text", raw = {} }
    end
    local box = require("waba").inbox.sqlite(path)
    assert(box:put { message "a", message "b" })
    box:close()
    local connection = sqlite.open(path)
    local TEXTS = "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name)"
    local made = connection:execute(TEXTS)[1][1]
    connection:execute "DROP TRIGGER waba_entry_left"
    connection:execute "DROP TRIGGER waba_entry_removed"
    connection:execute [[CREATE TRIGGER waba_entry_removed AFTER DELETE ON waba_entry
      WHEN old.head = 1 AND old.conversation IS NOT NULL BEGIN
      UPDATE waba_entry SET head = 1
        WHERE seq = (SELECT min(seq) FROM waba_entry WHERE conversation = old.conversation); END]]
    box = require("waba").inbox.sqlite(path)
    assert(box:put { message "c" })
    local ids = {}
    for index = 1, 3 do
      local events = box:take(9)
      assert.equal(1, #events)
      ids[index] = events[1].id
      assert(box:ack(events[1]))
    end
    assert.same({ "a", "b", "c" }, ids)
    assert.equal(made, connection:execute(TEXTS)[1][1])
    assert.equal(2, select(2, made:gsub("CREATE TRIGGER", "")))
    connection:close()
    box:close()
    folder:remove()
  end)

  it("is refused if a newer version made its tables", function()
    local folder = process.folder()
    local connection = sqlite.open(folder:file "x.db")
    connection:execute "PRAGMA user_version = 99"
    connection:close()
    local box = require("waba").inbox.sqlite(folder:file "x.db")
    local stored, err = box:put {}
    assert.is_nil(stored)
    assert.equal(("the inbox's file %s: its tables have version 99, which a newer waba has made: expected at most version 2")
      :format(folder:file "x.db"), err.message)
    box:close()
    folder:remove()
  end)
end)
