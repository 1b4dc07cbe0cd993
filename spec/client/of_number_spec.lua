-- How a receiver or sender finds the client of an event or entry, with each form of its option `client`, and when it
-- requests a client's number from the gateway.

local errors = require "waba.errors"
local of_number = require "waba.client.of_number"
local waba = require "waba"

local WHAT = "waba.receiver"

-- Returns a client whose method `phone_number` returns `own_number`: the number, or an error (a table with its kind).
local function new_client(answer, fields)
  local client = { asked = 0, send = print, mark_read = print }
  for name, value in pairs(fields or {}) do client[name] = value end
  function client:phone_number()
    self.asked = self.asked + 1
    if type(answer) == "table" then return nil, answer.kind and errors.new { kind = answer.kind, message = "m" } or answer end
    self.own_number = { number = answer, phone_number_id = fields and fields.id }
    return answer
  end
  return client
end

local function find(option, ...)
  local finder, results = of_number.finder(option, WHAT), {}
  for index, subject in ipairs { ... } do
    local client, err = finder(subject)
    results[index] = client or err.message
  end
  return results
end

local function A() return { number = "4930555001", phone_number_id = "1" } end
local function B() return { number = "4930555002", phone_number_id = "2" } end
local function only_id(id) return { number = id, phone_number_id = id } end

local function refusal(shown, own)
  return ("option client of waba.receiver has no client for %s%s"):format(shown,
    own and ": the key of its client belongs to " .. own or "")
end

describe("the clients that a metatable returns", function()
  it("must have different keys", function()
    local made = {}
    for index, key in ipairs { "a", "b", "a" } do made["493055500" .. index] = new_client(nil, { delivery = { identity = key } }) end
    local clients = setmetatable({}, { __index = function(_, number) return made[number] end })
    local function of(index) return { number = "493055500" .. index } end
    local first, second, third, again = (table.unpack or unpack)(find(clients, of(1), of(2), of(3), of(1)))
    assert.equal(made["4930555001"], first)
    assert.equal(made["4930555002"], second)
    assert.matches("the API key of the number 4930555003 is also that of the number 4930555001", third, 1, true)
    assert.equal(made["4930555001"], again)
  end)
end)

describe("a single client", function()
  it("requests its number once, and is used for this number only", function()
    local client = new_client "4930555001"
    assert.same({ client, client, refusal("the number 4930555002 (phone_number_id 2)", "4930555001") }, find(client, A(), A(), B()))
    assert.equal(1, client.asked)
  end)

  it("is used for an event without a number, and does not request its number", function()
    local client = new_client "4930555001"
    assert.same({ client }, find(client, {}))
    assert.equal(0, client.asked)
  end)

  it("is used for the number of its first event if the gateway returns no number", function()
    for _, kind in ipairs { "api", "blocked", "invalid", "not_found", "protocol" } do
      local client = new_client { kind = kind }
      assert.same({ client, client, refusal "the number 4930555002 (phone_number_id 2)" }, find(client, A(), A(), B()))
      assert.equal(1, client.asked)
    end
    local client = { send = print, mark_read = print } -- a client that was not made by waba.client
    assert.same({ client, refusal "the number 4930555002" }, find(client, A(), { number = "4930555002" }))
  end)

  it("raises an error if the request for its number fails", function()
    for _, answer in ipairs { { kind = "network" }, { kind = "timeout" }, { kind = "auth" }, { kind = "unavailable" }, { "odd" } } do
      local client = new_client(answer)
      local finder = of_number.finder(client, WHAT)
      for _ = 1, 2 do assert.is_false((pcall(finder, A()))) end
      assert.equal(2, client.asked)
    end
  end)

  it("with an expected number does not request its number", function()
    local client = new_client("x", { expected_number = "4930555001" })
    assert.same({ client, refusal("the number 4930555002 (phone_number_id 2)", "4930555001") }, find(client, A(), B()))
    assert.equal(0, client.asked)
    assert.equal("4930555001", of_number.digits(client))
  end)

  it("is compared with an event by phone_number_id if both have one, otherwise by number", function()
    for index, row in ipairs {
      { { number = "4930555001", phone_number_id = "1" }, A(), true }, { { number = "4930555009", phone_number_id = "1" }, A(), true },
      { { number = "4930555001", phone_number_id = "9" }, A(), false }, { { number = "4930555001" }, A(), true },
      { { number = "4930555009" }, A(), false }, { { phone_number_id = "1" }, only_id "1", true },
      -- In the second row below, the client has only a number and the event only an id, so the client is used.
      { { phone_number_id = "9" }, only_id "1", false }, { { number = "4930555001" }, only_id "1", true },
      { { number = "4930555001", phone_number_id = "1" }, { number = "4930555001" }, true },
      { { number = "4930555009", phone_number_id = "4930555001" }, { number = "4930555001" }, true },
      { { number = "4930555009", phone_number_id = "9" }, { number = "4930555001" }, false },
    } do
      local client = new_client("x", { own_number = row[1] })
      assert.equal(row[3], find(client, row[2])[1] == client, index)
    end
  end)

  it("has the digits of its number, otherwise its id", function()
    assert.equal("4930555001", of_number.digits { own_number = { number = "4930555001", phone_number_id = "1" } })
    assert.equal("1", of_number.digits { own_number = { phone_number_id = "1" } })
    assert.equal("4930555002", of_number.digits { own_number = { number = "4930555002" }, expected_number = "4930555001" })
    assert.is_nil(of_number.digits {})
  end)

  it("that is invalid is refused", function()
    for _, row in ipairs {
      { { send = print }, "from waba.client: it has no method mark_read" },
      { { mark_read = print }, "from waba.client: it has no method send" },
      { { send = print, mark_read = 5 }, "from waba.client: it has no method mark_read" },
    } do
      local ok, message = pcall(of_number.finder, row[1], WHAT)
      assert.same({ false, "waba.receiver: option client must be a client " .. row[2] }, { ok, message })
    end
    assert.is_function(of_number.finder({ send = setmetatable({}, { __call = print }), mark_read = print }, WHAT))
  end)
end)

describe("clients by number", function()
  it("are found by number and by phone_number_id, which must agree", function()
    local a, b = new_client "4930555001", new_client "4930555002"
    assert.same({ a, b, a, "option client of waba.receiver has no client for the number 4930555003" },
      find({ ["+49 30 555001"] = a, ["4930555002"] = b }, A(), B(), { number = "4930555001" }, { number = "4930555003" }))
    assert.same({ a, b }, find({ ["1"] = a, ["2"] = b }, A(), only_id "2"))
    assert.same({ a }, find({ ["1"] = a, ["4930555001"] = a }, A()))
    assert.same({ "option client of waba.receiver has two clients for the number 4930555001 (phone_number_id 1)" },
      find({ ["1"] = a, ["4930555001"] = b }, A()))
    assert.equal(0, a.asked + b.asked)
  end)

  it("report the number that has no client", function()
    local a = new_client "4930555001"
    assert.same({
      refusal "the number 4930555002 (phone_number_id 2)", refusal "the number phone_number_id 2", refusal "the number 4930555002",
      refusal("an event or entry without a number: set the option number of the receiver, or the field number of the entry"),
    }, find({ ["4930555001"] = a }, B(), only_id "2", { number = "4930555002" }, {}))
  end)

  it("may be changed by the program", function()
    local clients = { ["4930555001"] = new_client "4930555001" }
    local finder = of_number.finder(clients, WHAT)
    assert.is_nil((finder(B())))
    clients["4930555002"] = new_client "4930555002"
    assert.equal(clients["4930555002"], (finder(B())))
  end)

  it("that are one client for two numbers are used for the client's own number only", function()
    local client = new_client "4930555002"
    assert.same({ client, refusal("the number 4930555001 (phone_number_id 1)", "4930555002"), client },
      find({ ["4930555001"] = client, ["4930555002"] = client }, B(), A(), B()))
    assert.equal(1, client.asked)
  end)

  it("with one key for two numbers are refused", function()
    local function with_key(key)
      return waba.client { api_key = key, base_url = "http://127.0.0.1:1" }
    end
    local a, b, c = with_key "one", with_key "one", with_key "two"
    for name, use in pairs {
      ["waba.receiver"] = function(client) return waba.receiver { open = true, client = client } end,
      ["waba.sender"] = function(client) return waba.sender { outbox = waba.outbox.memory(), client = client } end,
    } do
      local ok, message = pcall(use, { ["4930555001"] = a, ["4930555002"] = b, ["4930555003"] = c })
      assert.is_false(ok)
      assert.matches("option client of " .. name .. ": the API key of the number 493055500%d is also that of the number "
        .. "493055500%d: a key belongs to one number", message)
      assert.is_table(use { ["4930555001"] = a, ["1"] = a, ["4930555003"] = c }) -- "4930555001" and "1" name one number
    end
    -- false: the program adds a client later; {}: the metatable of the table returns a client later
    for _, metatable in ipairs { false, {} } do
      local later, clients = {}, { ["4930555001"] = a, ["4930555003"] = c }
      local target = metatable and later or clients
      if metatable then setmetatable(clients, { __index = later }) end
      local finder = of_number.finder(clients, WHAT)
      target["4930555002"] = b
      local client, err = finder(B())
      assert.is_nil(client)
      assert.same({ "invalid", "option client of waba.receiver: the API key of the number 4930555002 is also that of the "
        .. "number 4930555001: a key belongs to one number" }, { err.kind, err.message })
      assert.equal(a, (finder(A())))
      target["4930555002"] = with_key "three"
      assert.equal(target["4930555002"], (finder(B())))
      target["4930555002"]:close()
      target["4930555002"] = with_key "three" -- a new client with the same key replaces the closed one
      assert.equal(target["4930555002"], (finder(B())))
      target["4930555002"]:close()
    end
    for _, client in ipairs { a, b, c } do client:close() end
  end)

  it("that are not clients are refused", function()
    local a = new_client "4930555001"
    for _, row in ipairs {
      { {}, "option client must be a client from waba.client, or the clients by number, not an empty table" },
      { { shop = a }, "option client: the key shop must be a phone number or a phone_number_id" },
      { { ["4930555001"] = a, ["+4930555001"] = a }, "option client has the number 4930555001 twice" },
      { { ["4930555001"] = {} }, "option client must be a client from waba.client for the number 4930555001: it has no method send" },
      { { ["4930555001"] = "x" }, "option client must be a client from waba.client for the number 4930555001: it has no method send" },
    } do
      local ok, message = pcall(of_number.finder, row[1], WHAT)
      assert.same({ false, "waba.receiver: " .. row[2] }, { ok, message })
    end
    assert.is_function(of_number.finder(setmetatable({}, { __index = {} }), WHAT))
  end)
end)

describe("a function of the option client", function()
  it("returns the client, or nil and perhaps an error or a text", function()
    local a, own = new_client "4930555001", errors.invalid("x", "own message")
    local function fn(subject)
      if subject.number == "4930555001" then return a end
      return nil, subject.number == "4930555002" and own or "it has left"
    end
    assert.same({ a, "own message", refusal "the number 4930555003" .. ": it has left" }, find(fn, A(), B(), { number = "4930555003" }))
    local ok, message = pcall(of_number.finder(function() return { send = print } end, WHAT), A())
    assert.same({ false, "waba.receiver: option client must be a client from waba.client or nil from the function: "
      .. "it has no method mark_read" }, { ok, message })
    assert.same({ refusal "the number 4930555001 (phone_number_id 1)" }, find(function() return false end, A()))
  end)

  it("that returns a client for a second number makes this client request its number", function()
    local client = new_client "4930555001"
    assert.same({ client, client, refusal("the number 4930555002 (phone_number_id 2)", "4930555001") },
      find(function() return client end, A(), A(), B()))
    assert.equal(1, client.asked)
  end)
end)

describe("an object of waba.clients", function()
  it("gets the number and the event, or the number of an entry alone; keeps the client open while it is used", function()
    local got, held, a = {}, 0, new_client "4930555001"
    local pool = { hold = function()
      held = held + 1
      return function() held = held - 1 end
    end }
    function pool:get(number, event)
      got[#got + 1] = { number, event and event.kind }
      if number == "4930555001" then return a end
      return nil, errors.invalid("number", "unknown")
    end
    local finder = of_number.finder(pool, WHAT)
    local client, release = finder { number = "4930555001", kind = "message" }
    assert.same({ a, 1 }, { client, held })
    release()
    assert.equal(0, held)
    finder { number = "4930555001" }
    local none, err = finder { number = "4930555002" }
    assert.same({ "nil", "unknown", 1 }, { tostring(none), err.message, held })
    none, err = finder {}
    assert.is_nil(none)
    assert.matches("without a number", err.message)
    assert.same({ { "4930555001", "message" }, { "4930555001" }, { "4930555002" } }, got)
  end)
end)

describe("the transport of the option client", function()
  it("is that of the client, of the object of waba.clients, or of any client by number", function()
    local transport = {}
    assert.equal(transport, of_number.transport { transport = transport })
    assert.equal(transport, of_number.transport { transport = transport, hold = print })
    assert.is_nil(of_number.transport { hold = print, x = { transport = transport } })
    assert.equal(transport, of_number.transport { ["4930555001"] = { transport = transport } })
    for _, option in ipairs { print, {}, { x = 5 } } do assert.is_nil(of_number.transport(option)) end
    assert.is_nil(of_number.transport(nil))
  end)
end)

describe("the client of every entry without a number", function()
  it("is the only client, unless waba.clients has made it", function()
    local client = { send = print, mark_read = print }
    assert.equal(client, of_number.single(client))
    for _, option in ipairs {
      print, {}, { ["4930555001"] = client }, { send = print, mark_read = print, pooled = {} }, { hold = print, send = print },
    } do assert.is_nil(of_number.single(option)) end
  end)
end)
