local core = require "waba.core"
local fixture = require "spec.support.resource_fixture"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

describe("client.contacts", function()
  local emulator, client, close

  setup(function()
    emulator, client, close = fixture.open {
      client_version = "2.42.1", contact_check = 0.02,
      contacts = { ["4930111111111"] = "invalid", ["4930222222222"] = "failed", ["5511912345678"] = "valid" },
    }
  end)

  teardown(function() close() end)

  local function last(filter)
    local list = assert(emulator:received(filter))
    return list[#list]
  end

  describe("check", function()
    it("waits for the result and returns the numbers as they were passed", function()
      local checked = assert(client.contacts:check({
        "+49 (151) 123-45678", "4930111111111", 4930222222222, "+55 11 91234-5678",
      }, { wait = true }))
      assert.same({
        { input = "+49 (151) 123-45678", status = "valid", wa_id = "4915112345678" },
        { input = "4930111111111", status = "invalid" },
        { input = "4930222222222", status = "failed" },
        { input = "+55 11 91234-5678", status = "valid", wa_id = "551112345678" },
      }, checked)
    end)

    it("sends numbers in international form, for any form of the arguments", function()
      assert(client.contacts:check({ "0049 151 12345678", 4915187654321 }, { force = true }))
      assert.same({
        contacts = { "+4915112345678", "+4915187654321" }, blocking = "no_wait", force_check = true,
      }, last { path = "/v1/contacts" }.json)
    end)

    it("reports a running check if it does not wait", function()
      local checked = assert(client.contacts:check { "+49 160 5550100" })
      assert.same({ { input = "+49 160 5550100", status = "processing" } }, checked)
      assert(emulator:wait(function()
        return client.contacts:check({ "+49 160 5550100" })[1].status == "valid"
      end))
    end)

    it("names an invalid number, and sends nothing", function()
      local before = emulator:counts().requests
      local checked, err = client.contacts:check { "+49 151 12345678", "call me" }
      assert.is_nil(checked)
      assert.equal("invalid", err.kind)
      assert.equal("contacts[2]", err.path)
      assert.truthy(err.message:find("^contacts%[2%] is not a phone number"))
      assert.equal("contacts", select(2, client.contacts:check {}).path)
      assert.equal(before, emulator:counts().requests)
    end)

    it("returns no JSON null", function()
      local scripted = scripted_transport.client {
        { body = '{"contacts":[{"input":"+4915112345678","status":"processing","wa_id":null}],"meta":null}' },
      }
      local checked = assert(scripted.contacts:check { "+4915112345678" })
      assert.is_nil(checked[1].wa_id)
      assert.are_not.equal(core.null, checked[1].wa_id)
    end)

    it("returns each number as it was passed, also if the response has another form or none", function()
      local scripted = scripted_transport.client {
        { body = '{"contacts":[{"status":"valid","wa_id":"4915112345678"},{"input":"+4930","status":"invalid"},7]}' },
      }
      assert.same({ { input = "0049 151 12345678", status = "valid", wa_id = "4915112345678" },
        { input = "+4930", status = "invalid" }, { input = "491602" .. "34567" } },
        scripted.contacts:check { "0049 151 12345678", 4930123456, 49160234567 })
    end)

    it("refuses a response without contacts", function()
      local scripted = scripted_transport.client { { body = "{}" } }
      local checked, err = scripted.contacts:check { "+4915112345678" }
      assert.is_nil(checked)
      assert.equal("protocol", err.kind)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.contacts:check("+49151") end, "must be a list")
      assert.error_matches(function() client.contacts:check({ "+49151" }, { block = true }) end, "unknown option block")
      assert.error_matches(function() client.contacts:check({ "+49151" }, { wait = 1 }) end, "wait must be boolean")
    end)
  end)

  describe("block", function()
    it("blocks a contact who has written within a day", function()
      emulator:customer("+49 151 7770001"):text "hello"
      assert.is_true(client.contacts:block("+49 151 7770001", "offers"))
      local request = last { method = "POST", path = "/v1/contacts/%2B491517770001/block" }
      assert.same({ reason = "offers" }, request.json)
      assert.is_true(emulator:contact("+491517770001").blocked)
    end)

    it("uses the block list of Cloud hosting", function()
      local ok = '{"block_users":{"added_users":[{"input":"+4915112345678","wa_id":"4915112345678"}]}}'
      local failed = '{"block_users":{"failed_users":[{"input":"+4915112345678"%s}]}}'
      local scripted, transport = scripted_transport.cloud_client {
        { body = ok }, { body = failed:format "" },
        { body = failed:format ',"errors":[{"code":139101,"message":"No message in 24 hours"}]' }, { status = 400, body = "{}" },
      }
      assert.is_true(scripted.contacts:block "0049 151 12345678")
      assert.same({ { user = "+4915112345678" } }, core.decode(transport.requests[1].body).block_users)
      local blocked, err = scripted.contacts:block "+4915112345678"
      assert.is_nil(blocked)
      assert.equal("api", err.kind)
      blocked, err = scripted.contacts:block "+4915112345678"
      assert.is_nil(blocked)
      assert.equal(139101, err.code)
      blocked, err = scripted.contacts:block "+4915112345678"
      assert.is_nil(blocked)
      assert.equal(400, err.status)
    end)

    it("needs no reason", function()
      emulator:customer("+49 151 7770002"):text "hello"
      assert.is_true(client.contacts:block(491517770002))
    end)

    it("returns the gateway's error for a contact who has not written", function()
      local blocked, err = client.contacts:block "+49 151 7770003"
      assert.is_nil(blocked)
      assert.equal("invalid", err.kind)
      assert.equal(1009, err.code)
    end)

    it("counts the characters of a reason", function()
      local before = emulator:counts().requests
      local blocked, err = client.contacts:block("+49 151 7770001", ("ä"):rep(61))
      assert.is_nil(blocked)
      assert.equal("reason", err.path)
      assert.truthy(err.message:find("61 characters; at most 60", 1, true))
      assert.equal(before, emulator:counts().requests)
      assert.is_true(client.contacts:block("+49 151 7770001", ("ä"):rep(60)))
    end)

    it("leaves the check to the gateway with validate = false", function()
      local careless = waba.client(emulator:options { pace = false, retry = false, validate = false })
      local blocked, err = careless.contacts:block("+49 151 7770001", ("x"):rep(61))
      careless:close()
      assert.is_nil(blocked)
      assert.equal(400, err.status)
    end)

    it("names an invalid number", function()
      assert.equal("number", select(2, client.contacts:block "nobody").path)
      assert.error_matches(function() client.contacts:block("+49151", 5) end, "reason must be a string")
    end)
  end)

  describe("identity", function()
    it("reads the identity of a number, and accepts a new one", function()
      local customer = emulator:customer("+49 151 8880001")
      customer:text "hello"
      assert(customer:change_identity())
      local identity = assert(client.contacts:identity "491518880001")
      assert.is_false(identity.acknowledged)
      assert.equal("string", type(identity.hash))
      assert.equal("number", type(identity.created_timestamp))
      assert.truthy(tostring(identity.created_timestamp):find("^%d+$"))
      assert.is_true(identity.created_timestamp > 1600000000000)

      assert.is_true(client.contacts:acknowledge("+49 151 8880001", identity.hash))
      local trusted = assert(client.contacts:identity "491518880001")
      assert.is_true(trusted.acknowledged)
      assert.equal(identity.hash, trusted.hash)
    end)

    it("returns the error for the hash of an old identity", function()
      emulator:customer("+49 151 8880002"):change_identity()
      local acknowledged, err = client.contacts:acknowledge("491518880002", "b2xk")
      assert.is_nil(acknowledged)
      assert.equal(1009, err.code)
    end)

    it("reads the text values of older gateways", function()
      local scripted = scripted_transport.client {
        { body = '{"contacts":{"hash":"aGFzaA==","created_timestamp":"1712044800000","acknowledged":"true"}}' },
        { body = '{"contacts":{"hash":"aGFzaA==","created_timestamp":null,"acknowledged":null}}' },
        { body = "{}" },
      }
      assert.same({ hash = "aGFzaA==", created_timestamp = 1712044800000, acknowledged = true },
        scripted.contacts:identity "491518880001")
      assert.same({ hash = "aGFzaA==", acknowledged = false }, scripted.contacts:identity "491518880001")
      local identity, err = scripted.contacts:identity "491518880001"
      assert.is_nil(identity)
      assert.equal("protocol", err.kind)
    end)

    it("raises an error for wrong use", function()
      assert.equal("wa_id", select(2, client.contacts:identity "x").path)
      assert.error_matches(function() client.contacts:acknowledge("491518880001") end, "the hash must be a string that is not empty")
    end)
  end)
end)
