-- lua/waba/inbox/gather.lua: which of a customer's next messages are joined with a taken message, and how long the
-- inbox waits for more.

local gather = require "waba.inbox.gather"

local function message(id, more)
  local event = { kind = "message", type = "text", id = id, from = "491", from_user_id = "DE.1" }
  for name, value in pairs(more or {}) do event[name] = value end
  return event
end

-- Joins a message with later messages. `others` is the list of later messages, each `{ age, event }`; ages are in
-- seconds. Returns the ids of the joined messages, or the seconds that are left to wait.
local function join(age, event, others, seconds)
  local list, lease, wanted = {}, {}, nil
  for index, other in ipairs(others) do list[index] = { body = other[2], age = other[1] } end
  local store = { following = function(_, of, n)
    assert(of == lease)
    wanted = n
    return list, age
  end }
  local last, left = gather.join(store, lease, event, function(body) return body or nil end, seconds or 10)
  if not last then return left, nil, wanted end
  local ids = {}
  for index, one in ipairs(last.messages or { last }) do ids[index] = one.id end
  return table.concat(ids, " "), last, wanted, lease
end

describe("messages that a customer writes one after the other", function()
  it("are joined if the customer has written nothing for the seconds of the option", function()
    local text, last, wanted, lease = join(40, message "a", { { 35, message "b" }, { 30, message("c", { type = "image" }) } })
    assert.equal("a b c", text)
    assert.same({ "c", 99, 2 }, { last.id, wanted, #lease.following })
    assert.equal("a", (join(10, message "a", {})))
    assert.is_nil(last.messages[3].messages)
  end)

  it("wait for the next message during these seconds", function()
    assert.equal(7, (join(3, message "a", {})))
    assert.equal(9, (join(5, message "a", { { 1, message "b" } })))
    assert.equal(10, (join(-2, message "a", {})))
  end)

  it("are not joined if they arrived after these seconds", function()
    assert.equal("a", (join(40, message "a", { { 29, message "b" } })))
    assert.equal("a b", (join(40, message "a", { { 30, message "b" } })))
    assert.equal("a b", (join(40, message "a", { { 35, message "b" }, { 5, message "c" } })))
    assert.equal("a", (join(12, message "a", { { 1, message "b" } })))
  end)

  it("are not joined with messages that are handled alone, nor with messages of another sender", function()
    for _, other in ipairs {
      message("b", { type = "button" }), message("b", { type = "interactive" }), message("b", { type = "order" }),
      message("b", { type = "reaction" }), message("b", { type = "system" }), message("b", { type = "edit" }),
      message("b", { type = "revoke" }), message("b", { type = "request_welcome" }), message("b", { kind = "echo" }),
      message("b", { from = "492" }), message("b", { from_user_id = "DE.2" }), false,
    } do
      assert.equal("a", (join(2, message "a", { { 1, other } })))
      assert.equal("a b", (join(3, message "a", { { 2, message "b" }, { 1, other } })))
    end
  end)

  it("are at most a hundred", function()
    local others = {}
    for number = 1, 99 do others[number] = { 1, message("m" .. number) } end
    local _, last = join(2, message "a", others)
    assert.equal(100, #last.messages)
    others[99] = nil
    assert.equal(9, (join(2, message "a", others)))
  end)
end)

describe("an event that is handled alone", function()
  it("needs no wait", function()
    local text, last, wanted, lease = join(0, message("a", { type = "button" }), {})
    assert.same({ "a", nil, 0 }, { text, wanted, #lease.following })
    assert.equal(1, #last.messages)
    text, last, wanted = join(0, message("s", { kind = "status" }), {})
    assert.equal("s", text)
    assert.is_nil(last.messages)
    assert.is_nil(wanted)
  end)

  it("returns the error of the store", function()
    local store = { following = function() return nil, "away" end }
    assert.same({ nil, "away" }, { gather.join(store, {}, message "a", print, 10) })
  end)
end)
