local phone_number = require "waba.resource.phone_number"
local fixture = require "spec.support.resource_fixture"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

describe("the number of a key", function()
  local emulator, client, close

  setup(function() emulator, client, close = fixture.open { number = "49305550199" } end)

  teardown(function() close() end)

  it("is the gateway's", function()
    assert.equal("49305550199", client:phone_number())
  end)

  it("is returned as digits, in any form of the response", function()
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

  it("is compared by verify with the expected number", function()
    assert.is_true(phone_number.verify(client, "49305550199"))
    local verified, err = phone_number.verify(client, "49305550100")
    assert.is_nil(verified)
    assert.equal("auth", err.kind)
    assert.equal("the API key belongs to +49305550199, not to +49305550100: set the key of that number", err.message)
  end)

  it("is not verified if the request fails, and verify returns the error", function()
    local stranger = waba.client(emulator:options { api_key = "wrong", pace = false, retry = false })
    local verified, err = phone_number.verify(stranger, "49305550199")
    stranger:close()
    assert.is_nil(verified)
    assert.equal("auth", err.kind)
    assert.equal(401, err.status)
  end)

  it("is expected in any form that people write, and in no other", function()
    assert.equal("49305550199", phone_number.expected("+49 30 555-0199", "option expect_number"))
    assert.equal("49305550199", phone_number.expected(49305550199, "option expect_number"))
    assert.error_matches(function() phone_number.expected("mine", "option expect_number") end,
      "option expect_number is not a phone number")
  end)

  describe("of a client that expects one", function()
    it("is requested once if it is the expected one", function()
      local scripted, transport = scripted_transport.client { { body = '{"phone_number":"49305550199"}' } }
      scripted.expected_number = "49305550199"
      assert.is_true(phone_number.ensure(scripted))
      assert.is_true(phone_number.ensure(scripted))
      assert.equal(1, #transport.requests)
    end)

    it("is requested once if it is another one", function()
      local scripted, transport = scripted_transport.client { { body = '{"phone_number":"49305550100"}' } }
      scripted.expected_number = "49305550199"
      for _ = 1, 2 do
        local ensured, err = phone_number.ensure(scripted)
        assert.is_nil(ensured)
        assert.equal("auth", err.kind)
      end
      assert.equal(1, #transport.requests)
    end)

    it("is requested again after a failure", function()
      local scripted = scripted_transport.client({
        { status = 502 }, { status = 401, body = '{"meta":{"developer_message":"Invalid api_key"}}' },
        { body = '{"phone_number":"49305550199"}' },
      }, { retry = false })
      scripted.expected_number = "49305550199"
      assert.equal("unavailable", select(2, phone_number.ensure(scripted)).kind)
      assert.equal("auth", select(2, phone_number.ensure(scripted)).kind)
      assert.is_true(phone_number.ensure(scripted))
    end)

    it("is not requested without an expected number", function()
      local scripted, transport = scripted_transport.client {}
      assert.is_true(phone_number.ensure(scripted))
      assert.equal(0, #transport.requests)
    end)
  end)
end)
