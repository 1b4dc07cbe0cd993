-- The three stores (memory, SQLite, Redis) agree: random calls have the same results in each store, and leave the same
-- entries, dead letters and records. Times are now or far away, so that no result depends on the moment of a call. Each
-- entry has at most one name, because the store in Redis does not find an entry whose lease was lost, and whose
-- conversation was then joined with another one.

local process = require "spec.support.process"
local redis = require "spec.support.redis"

local HOUR = 3600
local FAR = 10 * HOUR
local NAMES, KEYS, RECORDS = { "A", "B", "C", "D" }, { "k1", "k2", "k3", "k4" }, { "r1", "r2", "r3", "counter" }

-- Returns a generator of random numbers that are the same on every Lua.
local function new_random(seed)
  local state = seed * 7919 + 13
  return function(most)
    state = (state * 16807) % 2147483647
    return math.floor(state / 2147483647 * most) + 1
  end
end

-- Returns one of the compared stores. The table `leases` maps the body of each entry to the entry's lease.
local function new_side(name, store) return { name = name, store = store, leases = {}, was_taken = {} } end

local function sorted(list)
  table.sort(list)
  return list
end

local function row_text(row)
  return ("%s %s attempts=%d reason=%s marked=%s"):format(row.body, row.state, row.attempts, tostring(row.reason),
    tostring(row.is_marked or false))
end

local function due_text(due)
  if not due then return tostring(due) end
  return due <= 0 and "now" or ("in %d hours"):format(math.floor(due / HOUR + 0.5))
end

-- Reads all pages of a list, and returns the rows.
local function rows_of(store, is_dead)
  local all, after = {}, nil
  repeat
    local rows, next_page = store:list(is_dead, 3, after)
    for _, row in ipairs(rows) do all[#all + 1] = row_text(row) end
    after = next_page
  until not after
  return all
end

-- Reads pages of the records whose names begin with "r", and returns the names.
local function names_of(store)
  local all, is_known, after = {}, {}, nil
  repeat
    local names, next_page = store:record_names("r", 1, after)
    for _, name in ipairs(names) do
      if not is_known[name] then all[#all + 1] = name end
      is_known[name] = true
    end
    after = next_page
  until not after
  return table.concat(sorted(all), " ")
end

-- Returns the complete content of a store as texts. With `with_due` the texts include the time at which the next entry
-- is due. `with_due` is false between `hasten` and the next `take`, because SQLite moves the hastened entry at that
-- `take`.
local function contents(side, with_due)
  local store = side.store
  local seen = rows_of(store, false)
  for _, row in ipairs(rows_of(store, true)) do seen[#seen + 1] = row end
  sorted(seen)
  seen[#seen + 1] = "names " .. names_of(store)
  local values = assert(store:get_all(RECORDS))
  for _, name in ipairs(RECORDS) do seen[#seen + 1] = name .. "=" .. tostring(values[name]) end
  seen[#seen + 1] = "depth " .. store:depth()
  if with_due then seen[#seen + 1] = "due " .. due_text(store:next_due()) end
  seen[#seen + 1] = "oldest " .. tostring(store:oldest() ~= nil)
  return seen
end

-- Makes calls. Each function of `calls` chooses random arguments, and returns a function that makes the call on a store
-- and returns the results as text.
local function new_calls(random)
  local calls, count, known = {}, 0, {}

  local function some(list) return list[random(#list)] end
  local function maybe(value, one_in) return random(one_in or 2) == 1 and value or nil end

  local function records()
    local list, first = {}, random(3)
    for index = 1, random(3) - 1 do
      local kind = random(3)
      list[index] = {
        name = RECORDS[(first + index) % 3 + 1], value = kind <= 2 and tostring(random(50) + 10) or nil,
        rises = kind == 2 or nil, seconds = maybe(FAR),
      }
    end
    if random(3) == 1 then list[#list + 1] = { name = RECORDS[4], add = random(5), seconds = maybe(FAR) } end
    return list
  end

  local function new_entry()
    count = count + 1
    local is_bulk = random(4) == 1
    local entry = { body = "e" .. count, id = "i" .. count, bulk = is_bulk or nil, lane = is_bulk and "bulk:" or maybe "" }
    local name = some(NAMES)
    if random(6) > 1 then entry.names = { name } end
    if not entry.names and random(3) == 1 then entry.at = os.time() + random(20) * HOUR end
    if random(3) == 1 then
      entry.key, entry.value, entry.same = some(KEYS), some { "AB1", "AB2", "AC1" }, maybe(2)
    end
    known[count] = entry.id
    return entry
  end

  local function copy(value)
    if type(value) ~= "table" then return value end
    local result = {}
    for key, inner in pairs(value) do result[key] = copy(inner) end
    return result
  end

  function calls.put()
    local entries, written = {}, maybe(records(), 3)
    for index = 1, random(4) do entries[index] = new_entry() end
    return function(side)
      local own = copy(entries)
      local stored, position = side.store:put(own, copy(written))
      local results = { tostring(stored), stored == false and tostring(position) or "" }
      for _, entry in ipairs(own) do results[#results + 1] = tostring(entry.known) end
      return results
    end
  end

  local CHANGES = {
    function() return { done = "held" } end,
    function() return { done = "held" } end,
    function() return { done = "always" } end,
    function() return { extend = random(20) * HOUR, mark = some { true, false } } end,
    function() return { delay = some { 0, random(20) * HOUR }, reason = "reason " .. random(9) } end,
    function() return { dead = true, reason = "reason " .. random(9) } end,
    function() return { release = true, delay = some { 0, random(20) * HOUR } } end,
    function() return { release = true } end,
  }

  local function new_change()
    local change = CHANGES[random(#CHANGES)]()
    change.records = maybe(records(), 3)
    return change
  end

  local function changes_for(side)
    local changes, bodies = {}, {}
    for body in pairs(side.was_taken) do bodies[#bodies + 1] = body end
    sorted(bodies)
    local chosen = {}
    for _ = 1, #bodies > 0 and random(3) or 0 do
      local body = some(bodies)
      if not chosen[body] then
        chosen[body] = true
        changes[#changes + 1] = { body = body, change = new_change() }
      end
    end
    return changes
  end

  local function with_leases(side, changes)
    local list = {}
    for index, one in ipairs(changes) do
      list[index] = copy(one.change)
      list[index].lease = side.was_taken[one.body]
    end
    return list
  end

  local function take(side, n, changes, mark)
    local leases, due = side.store:take(n, FAR, changes, mark)
    local taken = {}
    for index, lease in ipairs(assert(leases)) do
      side.was_taken[lease.body] = lease
      taken[index] = ("%s attempts=%d marked=%s"):format(lease.body, lease.attempts, tostring(lease.was_marked or false))
    end
    sorted(taken)
    taken[#taken + 1] = "due " .. due_text(due)
    return taken
  end

  function calls.take(side)
    local n, mark, changes = 50, maybe(true, 3), maybe(changes_for(side), 3)
    return function(one) return take(one, n, changes and with_leases(one, changes), mark) end
  end

  function calls.settle(side)
    local changes, written = changes_for(side), maybe(records(), 4)
    return function(one)
      local list = with_leases(one, changes)
      local results = { tostring(one.store:settle(list, copy(written))) }
      for _, change in ipairs(list) do results[#results + 1] = tostring(change.lost or false) end
      return results
    end
  end

  function calls.find()
    local id = known[random(math.max(1, #known))] or "unknown"
    return function(one)
      local row = one.store:find(id)
      return { row and row_text(row) or "none" }
    end
  end

  function calls.drop()
    local id, written = known[random(math.max(1, #known))] or "unknown", maybe(records())
    return function(one)
      local row = one.store:find(id)
      if row then row.records = copy(written) end
      return { tostring(one.store:drop { row }) }
    end
  end

  function calls.hasten()
    local id = known[random(math.max(1, #known))] or "unknown"
    return function(one) return { tostring(one.store:hasten(id)) } end
  end

  function calls.revive()
    local ids = { known[random(math.max(1, #known))] or "unknown", known[random(math.max(1, #known))] or "unknown" }
    return function(one)
      local rows = {}
      for _, id in ipairs(ids) do
        local row = one.store:find(id)
        if row and row.state == "dead" then
          rows[#rows + 1] = row
          one.was_taken[row.body] = nil -- the old lease is not valid for the retried entry
        end
      end
      return { tostring(one.store:revive(rows)) }
    end
  end

  function calls.following(side)
    local bodies = {}
    for _, row in ipairs(side.store:list(false, 1000)) do
      if row.state == "taken" then bodies[#bodies + 1] = row.body end
    end
    local body, n = #bodies > 0 and some(sorted(bodies)), random(4)
    return function(one)
      local list = body and assert(one.store:following(one.was_taken[body], n)) or {}
      local found = {}
      for index, entry in ipairs(list) do found[index] = entry.body end
      return found
    end
  end

  return calls
end

local ORDER = { "put", "put", "put", "take", "take", "take", "settle", "settle", "settle", "settle", "find", "drop", "hasten",
  "revive", "following" }

describe("the stores in memory, SQLite and Redis", function()
  local folder, server

  setup(function() folder, server = process.folder(), redis.start() end)
  teardown(function()
    server:stop()
    folder:remove()
  end)

  local function sides_of(seed)
    local function settings(more)
      local all = { attempts = 3, remember = FAR, lanes = { "", "bulk:" }, title = "the store", name = "a store", max = 1000 }
      for name, value in pairs(more) do all[name] = value end
      return all
    end
    return {
      new_side("memory", require("waba.store.memory").new(settings {})),
      new_side("sqlite", require("waba.store.sqlite").new(settings {
        file = folder:file(seed .. ".db"), busy_timeout = 5, sync = false,
      })),
      new_side("redis", require("waba.store.redis").new(settings {
        prefix = ("{s%d}"):format(seed), host = "127.0.0.1", port = server.port, timeout = 5,
      })),
    }
  end

  for seed = 1, 20 do
    it("agree on random calls, " .. seed, function()
      local random = new_random(seed)
      local calls, sides, history, with_due = new_calls(random), sides_of(seed), {}, true
      for step = 1, 60 do
        local name = ORDER[random(#ORDER)]
        local call = calls[name](sides[1])
        with_due = name ~= "hasten" and (with_due or name == "take")
        local results, after = {}, {}
        for index, side in ipairs(sides) do
          results[index] = call(side)
          after[index] = contents(side, with_due)
        end
        history[#history + 1] = step .. " " .. name .. ": " .. table.concat(results[1], "; ")
        for index = 2, #sides do
          local what = ("%s differs from memory\n%s\n"):format(sides[index].name, table.concat(history, "\n"))
          assert.same(results[1], results[index], what)
          assert.same(after[1], after[index], what)
        end
      end
      for _, side in ipairs(sides) do side.store:close() end
    end)
  end
end)
