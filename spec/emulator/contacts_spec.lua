-- Contacts of the emulated On-Premise gateway: the check in its old and its new form, unknown contacts, the block list,
-- identities.

local cqueues = require "cqueues"

local support = require "spec.support.emulator"

local OLD = "2.37.1"

describe("contacts", function()
  local function with(options, test)
    options.statuses = options.statuses or false
    local emulator = assert(support.start(options))
    local ok, problem = pcall(support.run, function() test(emulator) end)
    emulator:stop()
    if not ok then error(problem, 0) end
  end

  local function check(emulator, body)
    local status, response = support.request(emulator, "POST", "/v1/contacts", body)
    return response.contacts, status, response
  end

  it("are all valid for new clients", function()
    with({ contacts = { ["491511"] = "invalid" } }, function(emulator)
      local list, status, body = check(emulator, { contacts = { "+49 151 12345678", "491511" } })
      assert.equal(200, status)
      assert.same({ { input = "+49 151 12345678", status = "valid", wa_id = "4915112345678" },
        { input = "491511", status = "valid", wa_id = "491511" } }, list)
      assert.equal("2.53.1", body.meta.version)
    end)
  end)

  it("are checked by old clients: valid, invalid, failed", function()
    with({ client_version = OLD, contacts = { ["4915100001"] = "invalid", ["4915100002"] = "failed" } }, function(emulator)
      local list = check(emulator, { blocking = "wait",
        contacts = { "+4915112345678", "+49 151 00001", "4915100002", "0151 5555555" } })
      assert.same({ { input = "+4915112345678", status = "valid", wa_id = "4915112345678" },
        { input = "+49 151 00001", status = "invalid" }, { input = "4915100002", status = "failed" },
        { input = "0151 5555555", status = "invalid" } }, list)
    end)
  end)

  it("are processed later if the request does not wait, and a webhook reports the result", function()
    with({ client_version = OLD, contact_check = 0.02 }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      local list = check(emulator, { contacts = { "+49 151 12345678" } })
      assert.same({ { input = "+49 151 12345678", status = "processing" } }, list)
      support.eventually(function() return #receiver.requests == 1 end)
      assert.same({ contacts = { { input = "+49 151 12345678", status = "valid", wa_id = "4915112345678" } } },
        receiver.requests[1].json)
      assert.equal("valid", check(emulator, { contacts = { "4915112345678" } })[1].status)
      -- A check of contacts returns the stored result for seven days, unless the request has `force_check`.
      assert.equal("processing", check(emulator, { contacts = { "4915112345678" }, force_check = true })[1].status)
      support.eventually(function() return #receiver.requests == 2 end)
      emulator:advance(7 * 86400 + 1)
      assert.equal("processing", check(emulator, { contacts = { "4915112345678" } })[1].status)
    end)
  end)

  it("can receive messages of old clients after a check only", function()
    with({ client_version = OLD, contacts = { ["4915100001"] = "invalid" } }, function(emulator)
      local status, body = support.send(emulator, "text", { body = "x" })
      assert.equal(404, status)
      assert.equal(1006, body.errors[1].code)
      assert.equal("unknown contact", body.errors[1].details)
      check(emulator, { contacts = { "4915112345678", "4915100001" }, blocking = "wait", force_check = true })
      assert.equal(201, (support.send(emulator, "text", { body = "x" })))
      status, body = support.send(emulator, "text", { body = "x" }, { to = "4915100001" })
      assert.equal(404, status)
      assert.equal(1013, body.errors[1].code)
      emulator:customer("4915100002"):text "Hi"
      assert.equal(201, (support.send(emulator, "text", { body = "x" }, { to = "4915100002" })))
    end)
  end)

  it("that are not WhatsApp users fail after the response on new clients", function()
    with({ statuses = { sent = 0 } }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      emulator:contact("+49 151 00001", { status = "invalid" })
      assert.equal(201, (support.send(emulator, "text", { body = "x" }, { to = "4915100001" })))
      support.eventually(function() return #receiver.requests == 1 end)
      local status = receiver.requests[1].json.statuses[1]
      assert.equal("failed", status.status)
      assert.equal(1013, status.errors[1].code)
    end)
  end)

  it("may have a WhatsApp ID that differs from their number", function()
    with({ contacts = { ["4915100001"] = { wa_id = "4915199999" } } }, function(emulator)
      local _, body = support.send(emulator, "text", { body = "x" }, { to = "+55 11 98765-4321" })
      assert.same({ { input = "+55 11 98765-4321", wa_id = "551187654321" } }, body.contacts)
      assert.equal("4915199999", check(emulator, { contacts = { "+4915100001" } })[1].wa_id)
    end)
  end)

  it("are checked with a valid body only", function()
    with({}, function(emulator)
      local wrong = {
        { {}, 1008 }, { { contacts = "4915112345678" }, 1009 }, { { contacts = { 49151 } }, 1009 },
        { { contacts = { "1" }, blocking = "maybe" }, 1009 }, { { contacts = { "1" }, force = true }, 1010 },
      }
      for _, case in ipairs(wrong) do
        local _, status, body = check(emulator, case[1])
        assert.equal(400, status)
        assert.equal(case[2], body.errors[1].code)
      end
    end)
  end)

  it("can be blocked within a day of their last message", function()
    with({}, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      local eva = emulator:customer("4915112345678")
      local function block(path, body)
        local status, response = support.request(emulator, "POST", path or "/v1/contacts/%2B4915112345678/block", body or {})
        return status, response.errors and response.errors[1].code
      end
      assert.same({ 400, 1009 }, { block() })
      eva:text "Hi"
      emulator:advance(86401)
      assert.same({ 400, 1009 }, { block() })
      eva:text "Hi"
      emulator:wait({ delivered = 2 })
      assert.same({ 400, 1009 }, { block("/v1/contacts/4915112345678/block") })
      assert.same({ 400, 1009 }, { block(nil, { reason = ("x"):rep(61) }) })
      assert.same({ 200 }, { block(nil, { reason = "spam" }) })
      assert.is_true(emulator:contact("4915112345678").blocked)
      eva:text "Hallo?"
      cqueues.sleep(0.05)
      assert.equal(2, #receiver.requests)
    end)
  end)

  it("have an identity", function()
    with({}, function(emulator)
      local path = "/v1/contacts/4915112345678/identity"
      local status, body = support.request(emulator, "GET", path)
      assert.equal(200, status)
      assert.is_true(body.contacts.acknowledged)
      assert.is_truthy(body.contacts.created_timestamp > 1.5e12)
      emulator:customer("4915112345678"):change_identity()
      local _, changed = support.request(emulator, "GET", path)
      assert.is_false(changed.contacts.acknowledged)
      assert.not_equal(body.contacts.hash, changed.contacts.hash)
      local refused, response = support.request(emulator, "PUT", path, { hash = body.contacts.hash })
      assert.equal(400, refused)
      assert.equal(1009, response.errors[1].code)
      assert.equal(200, (support.request(emulator, "PUT", path, { hash = changed.contacts.hash })))
      assert.equal(404, (support.request(emulator, "GET", "/v1/contacts/+4915112345678/identity")))
    end)
  end)
end)
