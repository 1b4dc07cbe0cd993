local phone_number = require "waba.resource.phone_number"
local fixture = require "spec.support.resource_fixture"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

describe("the key's number", function()
  local emulator, client, close

  setup(function()
    emulator, client, close = fixture.open { number = "49305550199" }
  end)

  teardown(function() close() end)

  it("is what the gateway says", function()
    assert.equal("49305550199", client:phone_number())
  end)

  it("is read as digits, however the gateway writes it", function()
    local scripted = scripted_transport.client {
      { body = '{"phone_number":"+49 30 5550199"}' }, { body = '{"phone_number":49305550199}' },
      { body = '{"phone_number":null}' },
    }
    assert.equal("49305550199", scripted:phone_number())
    assert.equal("49305550199", scripted:phone_number())
    local digits, err = scripted:phone_number()
    assert.is_nil(digits)
    assert.equal("protocol", err.kind)
  end)

  it("verifies that the key belongs to the number that is meant", function()
    assert.is_true(phone_number.verify(client, "49305550199"))
    local verified, err = phone_number.verify(client, "49305550100")
    assert.is_nil(verified)
    assert.equal("auth", err.kind)
    assert.equal("the API key belongs to +49305550199, not to +49305550100", err.message)
  end)

  it("returns why it could not ask", function()
    local stranger = waba.client(emulator:options { api_key = "wrong", pace = false, retry = false })
    local verified, err = phone_number.verify(stranger, "49305550199")
    stranger:close()
    assert.is_nil(verified)
    assert.equal("auth", err.kind)
    assert.equal(401, err.status)
  end)

  it("is expected in any form people write, and nothing else", function()
    assert.equal("49305550199", phone_number.expected("+49 30 555-0199", "option expect_number"))
    assert.equal("49305550199", phone_number.expected(49305550199, "option expect_number"))
    assert.error_matches(function() phone_number.expected("mine", "option expect_number") end,
      "option expect_number is not a phone number")
  end)

  describe("of a client that expects one", function()
    it("is asked for once, when it is right", function()
      local scripted, transport = scripted_transport.client { { body = '{"phone_number":"49305550199"}' } }
      scripted.expected_number = "49305550199"
      assert.is_true(phone_number.ensure(scripted))
      assert.is_true(phone_number.ensure(scripted))
      assert.equal(1, #transport.requests)
    end)

    it("is asked for once, when it is another", function()
      local scripted, transport = scripted_transport.client { { body = '{"phone_number":"49305550100"}' } }
      scripted.expected_number = "49305550199"
      for _ = 1, 2 do
        local ensured, err = phone_number.ensure(scripted)
        assert.is_nil(ensured)
        assert.equal("auth", err.kind)
      end
      assert.equal(1, #transport.requests)
    end)

    it("is asked for again after a failure", function()
      local scripted = scripted_transport.client({
        { status = 502 }, { status = 401, body = '{"meta":{"developer_message":"Invalid api_key"}}' },
        { body = '{"phone_number":"49305550199"}' },
      }, { retry = false })
      scripted.expected_number = "49305550199"
      assert.equal("unavailable", select(2, phone_number.ensure(scripted)).kind)
      assert.equal("auth", select(2, phone_number.ensure(scripted)).kind)
      assert.is_true(phone_number.ensure(scripted))
    end)

    it("is not asked for when none is expected", function()
      local scripted, transport = scripted_transport.client {}
      assert.is_true(phone_number.ensure(scripted))
      assert.equal(0, #transport.requests)
    end)
  end)
end)
