-- Webhooks with random changes: reading them raises no error, and each message that has an id becomes an event.

local core = require "waba.core"
local messages = require "spec.support.messages"
local router = require "waba.webhook.router"
local verbs = require "waba.webhook.verbs"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local ROUNDS = 1500

local JUNK = { core.null, true, -1.5, 0, 1e300, "x", "", "9007199254740993", { 1 }, { a = { b = {} } }, { {} } }

-- Returns each field in a tree as { table, key }. The field `object` is left out, because with another value the body
-- has no events.
local function places(tree, found)
  found = found or {}
  for key, value in pairs(tree) do
    if key ~= "object" then found[#found + 1] = { tree, key } end
    if type(value) == "table" then places(value, found) end
  end
  return found
end

local function sorted_places(tree)
  local found = places(tree)
  -- Sorted, because the order of `pairs` is not defined.
  for _, place in ipairs(found) do
    place.name = tostring(place[2]) .. " " .. core.encode({ place[1][place[2]] })
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

local mutations = {}

function mutations.replace(rng, tree, key) tree[key] = JUNK[rng(1, #JUNK)] end

function mutations.wrap(_, tree, key) tree[key] = { tree[key] } end

function mutations.remove(_, tree, key)
  if type(key) == "number" then table.remove(tree, key) else tree[key] = nil end
end

function mutations.double(_, tree, key)
  if type(key) == "number" then table.insert(tree, key, tree[key]) else mutations.wrap(_, tree, key) end
end

function mutations.rename(_, tree, key)
  if type(key) == "number" then return mutations.wrap(_, tree, key) end
  tree[key .. "_x"], tree[key] = tree[key], nil
end

function mutations.unwrap(_, tree, key)
  local value = tree[key]
  if type(value) == "table" and value[1] ~= nil then tree[key] = value[1] end
end

local NAMES = { "double", "remove", "rename", "replace", "unwrap", "wrap" }

-- Returns the set of the marked ids in a tree.
local function marked(value, found)
  found = found or {}
  if type(value) == "string" and value:find "^KEEP%-%d+$" then found[value] = true end
  if type(value) == "table" then
    for _, member in pairs(value) do marked(member, found) end
  end
  return found
end

-- Bodies of both hostings with all kinds of events. Each message and each status has a marked id.
local function bodies()
  local parts, count = { messages = {}, statuses = {} }, 0
  for _, row in ipairs(webhooks.rows()) do
    local name = row.event.kind == "message" and "messages" or "statuses"
    local json = row.on_premise:match('"' .. name .. '":%[(.*)%]}$')
    count = count + 1
    table.insert(parts[name], (json:gsub('"id":"w%d+"', '"id":"KEEP-' .. count .. '"', 1)))
  end
  local list = {}
  for index = 1, #parts.messages do
    local some = {
      contacts = '{"profile":{"name":"Eva"},"wa_id":"491511","user_id":"DE.1"}',
      messages = { parts.messages[index], parts.messages[index % #parts.messages + 1] },
      statuses = parts.statuses[index % #parts.statuses + 1], errors = '{"code":131031,"title":"t"}',
    }
    list[#list + 1] = webhooks.on_premise(some)
    list[#list + 1] = webhooks.entry({ webhooks.change(some),
      '{"field":"smb_message_echoes","value":{"message_echoes":[{"id":"KEEP-' .. (count + index) .. '"}]}}',
      webhooks.change({ messages = '{"id":"KEEP-' .. (count + 100 + index) .. '","from_user_id":"DE.2"}' }, "492", "2"),
    }, 1767225600)
  end
  return list
end

-- Calls the functions that take an event.
local function use(events)
  local box = waba.inbox.memory()
  assert(box:put(events))
  local dress = verbs.new { send = function() end, mark_read = function() end, media = {} }
  local dispatch = router.new {}
  local tracker = waba.status_tracker()
  for _, event in ipairs(events) do
    assert(type(event.kind) == "string")
    tracker:apply(event)
    dress(event):reply(waba.text "x")
    assert(dispatch(event))
  end
end

describe("a webhook with mistakes", function()
  local list = bodies()

  it("raises no error and loses no message with an id", function()
    local rng = messages.rng(61)
    local kept = 0
    for round = 1, ROUNDS do
      local tree = core.decode(list[rng(1, #list)])
      local done = {}
      for _ = 1, rng(1, 3) do
        local found = sorted_places(tree)
        local place = found[rng(1, math.max(1, #found))]
        if place then
          local name = NAMES[rng(1, #NAMES)]
          done[#done + 1] = name .. " " .. place.name
          mutations[name](rng, place[1], place[2])
        end
      end
      local bytes = assert(core.encode(tree))
      local what = ("round %d, %s: %s"):format(round, table.concat(done, "; "), bytes)
      local ok, events = pcall(waba.events, bytes)
      assert(ok, what .. "\n" .. tostring(events))
      if events then
        local raws = {}
        for index, event in ipairs(events) do raws[index] = event.raw end
        local there = marked(raws)
        for id in pairs(marked(core.decode(bytes))) do
          assert(there[id], id .. " is lost in " .. what)
          kept = kept + 1
        end
        local fine, message = pcall(use, events)
        assert(fine, what .. "\n" .. tostring(message))
      end
    end
    assert.is_true(kept > ROUNDS)
  end)

  it("gets the response 200 or 400, for any bytes", function()
    local rng = messages.rng(62)
    local receiver = waba.receiver { open = true }
    local answered = {}
    for _ = 1, ROUNDS do
      local bytes = list[rng(1, #list)]
      for _ = 1, rng(1, 4) do
        local at, length = rng(1, #bytes), rng(0, 8)
        local piece = ({ "", string.char(rng(0, 255)), bytes:sub(at, at + 5), '"', "}", "[", "\\u0000" })[rng(1, 7)]
        bytes = bytes:sub(1, at - 1) .. piece .. bytes:sub(at + length)
      end
      local status = receiver:handle { method = "POST", headers = {}, body = bytes }
      answered[status] = (answered[status] or 0) + 1
    end
    assert.equal(ROUNDS, (answered[200] or 0) + (answered[400] or 0))
    assert.is_true(answered[200] > 20)
  end)
end)
