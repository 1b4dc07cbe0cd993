local cloud_gateway = require "spec.support.cloud_gateway"
local core = require "waba.core"
local waba = require "waba"

local NUMBER = "493099001"

describe("the number on Cloud hosting", function()
  local gateway, client
  local real_clock = core.clock

  setup(function() gateway = cloud_gateway.start() end)
  teardown(function() gateway:stop() end)

  before_each(function()
    gateway:forget()
    client = cloud_gateway.client(gateway)
  end)

  after_each(function()
    core.clock = real_clock
    client:close()
  end)

  local function response(fields, status)
    gateway:respond("/health_status", cloud_gateway.json(fields, status))
  end

  local LIMITED = {
    health_status = {
      can_send_message = "LIMITED",
      entities = {
        {
          entity_type = "PHONE_NUMBER", id = "40110022003", can_send_message = "LIMITED", can_receive_call_sip = "BLOCKED",
          additional_info = { "Display name not approved yet." },
          errors = {
            { error_code = 138024, error_description = "SIP is not enabled", possible_solution = "Configure SIP" },
          },
        },
        { entity_type = "WABA", id = "30220099001", can_send_message = "AVAILABLE" },
        { entity_type = "BUSINESS", id = "7001", can_send_message = "AVAILABLE" },
      },
    },
    display_phone_number = "+49 30 99001", id = "40110022003", quality_rating = "GREEN", throughput = { level = "STANDARD" },
  }

  it("has its health, with that of all parts", function()
    response(LIMITED)
    local health = assert(client:health())
    assert.is_true(health.healthy)
    assert.equal("LIMITED", health.status)
    assert.is_false(health.cached)
    assert.is_true(math.abs(health.checked_at - os.time()) <= 2)
    assert.equal("30220099001", health.waba_id)
    assert.same({
      id = "40110022003", display_phone_number = "+49 30 99001", quality_rating = "GREEN",
      throughput = { level = "STANDARD" },
    }, health.number)
    local node = health.nodes[1]
    assert.equal("PHONE_NUMBER:40110022003", node.name)
    assert.equal("PHONE_NUMBER", node.role)
    assert.equal("LIMITED", node.status)
    assert.equal("BLOCKED", node.calls)
    assert.same({ "Display name not approved yet." }, node.notes)
    assert.equal(138024, node.errors[1].code)
    assert.equal("SIP is not enabled: Configure SIP", node.errors[1].message)
    assert.equal(3, #health.nodes)
    local request = cloud_gateway.last(gateway)
    assert.equal("GET", request.method)
    assert.matches("^fields=id%%2Cdisplay_phone_number%%2C", request.query)
  end)

  it("is as healthy as its worst part", function()
    for _, case in ipairs {
      { "AVAILABLE", { "AVAILABLE", "AVAILABLE" }, "AVAILABLE", true }, { nil, { "AVAILABLE", "LIMITED" }, "LIMITED", true },
      { "AVAILABLE", { "LIMITED", "BLOCKED" }, "BLOCKED", false }, { nil, { "BLOCKED", "LIMITED" }, "BLOCKED", false },
      { "BLOCKED", {}, "BLOCKED", false }, { nil, {}, nil, false }, { "UNHEARD", {}, "UNHEARD", false },
    } do
      local entities = {}
      for i, status in ipairs(case[2]) do entities[i] = { entity_type = "APP", id = i, can_send_message = status } end
      response { health_status = { can_send_message = case[1], entities = entities[1] and entities } }
      local other = cloud_gateway.client(gateway)
      local health = assert(other:health())
      assert.equal(case[3], health.status)
      assert.equal(case[4], health.healthy)
      other:close()
    end
  end)

  it("has its health requested once in five minutes", function()
    local now = 1000
    core.clock = function() return now end
    response(LIMITED)
    assert.is_false(client:health().cached)
    now = now + 299
    assert.is_true(client:health().cached)
    assert.equal(1, gateway:count())
    now = now + 1
    assert.is_false(client:health().cached)
    assert.equal(2, gateway:count())
  end)

  it("returns an error if the response has no health", function()
    for _, body in ipairs { "{}", "null", "[]", '{"health_status":"AVAILABLE"}', '{"health_status":null}' } do
      gateway:respond("/health_status", cloud_gateway.json(body))
      local health, err = client:health()
      assert.is_nil(health)
      assert.equal("protocol", err.kind)
    end
    gateway:respond("/health_status", cloud_gateway.json '{"health_status":{"entities":[null,5,{"id":null},{"errors":[5]}]}}')
    assert.equal(2, #client:health().nodes)
  end)

  it("is returned for its key", function()
    response { display_phone_number = "+49 30 99001", id = "40110022003", health_status = {} }
    assert.equal(NUMBER, client:phone_number())
    assert.equal("fields=display_phone_number", cloud_gateway.last(gateway).query)
    for _, body in ipairs { "{}", "null", '{"display_phone_number":""}', '{"display_phone_number":null}' } do
      gateway:respond("/health_status", cloud_gateway.json(body))
      local number, err = client:phone_number()
      assert.is_nil(number)
      assert.equal("protocol", err.kind)
    end
  end)

  it("is compared with the expected one before anything is sent", function()
    response { display_phone_number = "+49 30 99001" }
    gateway:respond("/messages", cloud_gateway.json { messages = { { id = "wamid.1" } } })
    local careful = cloud_gateway.client(gateway, { expect_number = "+49 30 99001" })
    assert(careful:send("4915112345678", waba.text "Hi"))
    assert(careful:send("4915112345678", waba.text "Hi"))
    assert.equal(1, gateway:count("/health_status"))
    assert.is_true(careful:verify())
    careful:close()
    gateway:forget()
    careful = cloud_gateway.client(gateway, { expect_number = "+49 30 99002" })
    local sent, err = careful:send("4915112345678", waba.text "Hi")
    assert.is_nil(sent)
    assert.equal("auth", err.kind)
    assert.equal(0, gateway:count("/messages"))
    careful:close()
  end)

  it("is not returned for a wrong key", function()
    response({ meta = { httpCode = 404, developerMessage = "Invalid api_key or token expired" } }, 401)
    assert.equal("auth", select(2, client:phone_number()).kind)
    assert.equal("auth", select(2, client:health()).kind)
  end)
end)

describe("contacts on Cloud hosting", function()
  local gateway, client

  setup(function()
    gateway = cloud_gateway.start()
    client = cloud_gateway.client(gateway)
  end)

  teardown(function()
    client:close()
    gateway:stop()
  end)

  it("can't be checked; the error names the alternative", function()
    for _, call in ipairs {
      function() return client.contacts:check { NUMBER } end, function() return client.contacts:identity(NUMBER) end,
      function() return client.contacts:acknowledge(NUMBER, "hash") end,
    } do
      local result, err = call()
      assert.is_nil(result)
      assert.equal("invalid", err.kind)
      assert.matches("On%-Premise hosting", err.message)
    end
    assert.matches("131026", select(2, client.contacts:check { NUMBER }).message)
    assert.equal(0, gateway:count())
  end)

  it("are blocked through the block list", function()
    gateway:respond("/block_users", cloud_gateway.json {
      block_users = { added_users = { { input = "+" .. NUMBER, wa_id = NUMBER } } },
    })
    assert.is_true(client.contacts:block(NUMBER))
    assert.same({ { user = "+" .. NUMBER } }, cloud_gateway.last(gateway).json.block_users)
    gateway:respond("/block_users", cloud_gateway.json({
      block_users = { failed_users = { { input = "+" .. NUMBER, wa_id = NUMBER, errors = { { code = 131047, message = "m" } } } } },
      error = { code = 139100, message = "(#139100) m" },
    }, 400))
    local blocked, err = client.contacts:block(NUMBER)
    assert.is_nil(blocked)
    assert.equal("window", err.kind)
    blocked, err = client.contacts:block(NUMBER, "spam")
    assert.is_nil(blocked)
    assert.equal("reason", err.path)
  end)
end)

describe("a health on Cloud hosting", function()
  local read = require("waba.hosting.cloud.health").read

  -- Returns the node that is read from a health response with one entity.
  local function node_of(fields) return read { health_status = { entities = { fields } } }.nodes[1] end

  it("names its parts by what is known of them, and has their errors in each form", function()
    assert.equal("WABA:1", node_of { entity_type = "WABA", id = 1 }.name)
    assert.equal("WABA", node_of { entity_type = "WABA" }.name)
    assert.equal("1", node_of { id = "1" }.name)
    assert.is_nil(node_of({}).name)
    for index, row in ipairs {
      { { error_code = 5, error_description = "d", title = "t" }, 5, "d" }, { { code = 5, title = "t" }, 5, "t" }, { "text", nil, "text" },
    } do
      local err = node_of({ errors = { row[1] } }).errors[1]
      assert.same({ row[2], row[3] }, { err.code, err.title }, index)
    end
    for _, errors in ipairs { {}, "odd" } do assert.is_nil(node_of({ errors = errors }).errors) end
    assert.same({ "a", "5" }, node_of({ additional_info = { "a", 5, {} } }).notes)
    assert.is_nil(node_of({ additional_info = {} }).notes)
  end)

  it("has the worst status, and the id of its number from the response or else from the part", function()
    for index, row in ipairs {
      { "AVAILABLE", "AVAILABLE", "AVAILABLE", true }, { "AVAILABLE", "LIMITED", "LIMITED", true },
      { "LIMITED", "BLOCKED", "BLOCKED", false },
      { "BLOCKED", "AVAILABLE", "BLOCKED", false }, { nil, "LIMITED", "LIMITED", true }, { "NEW", "AVAILABLE", "AVAILABLE", true },
      { nil, "NEW", nil, false },
    } do
      local health = read { health_status = { can_send_message = row[1], entities = { { can_send_message = row[2] }, "odd" } } }
      assert.same({ row[3], row[4] }, { health.status, health.healthy }, index)
    end
    local number = { entity_type = "PHONE_NUMBER", id = 7 }
    assert.equal("7", read({ health_status = { entities = { number, { entity_type = "WABA", id = "8" } } } }).number.id)
    assert.equal("9", read({ id = 9, health_status = { entities = { number } } }).number.id)
    assert.is_nil(read({ health_status = { entities = { { entity_type = "WABA", id = "8" } } } }).number.id)
    for _, json in ipairs { "odd", {}, { health_status = "odd" } } do assert.is_nil(read(json)) end
  end)
end)
