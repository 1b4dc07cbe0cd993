-- Error responses of the On-Premise gateway as error objects.

local errors = require "waba.hosting.on_premise.errors"

describe("an error of the On-Premise gateway", function()
  it("is uncertain for a send with a status of 500 and above or 408, but not with 503", function()
    for status, ambiguous in pairs {
      [400] = false, [407] = false, [408] = true, [409] = false, [429] = false, [499] = false, [500] = true, [502] = true,
      [503] = false, [504] = true, [599] = true,
    } do
      assert.equal(ambiguous, errors.is_ambiguous(status), status)
    end
  end)

  it("has kind recipient for code 1006 if the contact is unknown, otherwise not_found", function()
    for text, kind in pairs {
      ["Unknown Contact"] = "recipient", ["could not retrieve phone number from contact store"] = "recipient",
      ["Resource not found"] = "not_found", ["unknown.contact"] = "not_found", ["contact unknown"] = "not_found",
    } do
      assert.equal(kind, errors.from_row({ code = 1006, title = text, details = "x" }).kind)
      assert.equal(kind, errors.from_row({ code = 1006, details = text }).kind)
    end
  end)

  it("has the platform's text, otherwise the meaning of its code", function()
    assert.same({ "A: b", "A", "b" }, (function(err) return { err.message, err.title, err.details } end)(
      errors.from_row { code = 470, title = "A", details = "b" }))
    assert.equal("Re-engagement message: b", errors.from_row({ code = 470, details = "b" }).message)
    assert.equal("Re-engagement message", errors.from_row({ code = 470 }).message)
    assert.equal("b", errors.from_row({ code = 999999, details = "b" }).message)
    assert.equal("the platform's error has no text", errors.from_row({}).message)
    assert.equal("odd", errors.from_row("odd").message)
    local err = errors.from_row({ code = 999999 }, 429)
    assert.same({ "rate_limited", true, 429 }, { err.kind, err.retryable, err.status })
    err = errors.from_row({ code = 999999 })
    assert.same({ "api", false }, { err.kind, err.retryable })
  end)

  it("is the first one of a list, and has the list", function()
    local list = { { code = 470 }, { code = 1013 } }
    local err = errors.from_response(400, { errors = list }, "")
    assert.same({ 470, list }, { err.code, err.errors })
    err = errors.from_response(400, { errors = { { code = 1013 } } }, "")
    assert.equal(1013, err.code)
    assert.is_nil(err.errors)
    -- `errors` is an object instead of a list
    assert.equal(1013, errors.from_response(400, { errors = { code = 1013 } }, "").code)
  end)

  it("is read from a response with status 2xx that contains one, and from every other response", function()
    assert.is_nil(errors.from_response(200, { messages = {} }, ""))
    assert.is_nil(errors.from_response(299, { errors = {} }, ""))
    assert.is_nil(errors.from_response(200, nil, "no JSON"))
    assert.is_nil(errors.from_response(200, { errors = {}, meta = { success = false, developer_message = "x" } }, ""))
    assert.equal(470, errors.from_response(200, { errors = { { code = 470 } } }, "").code)
    for _, status in ipairs { 199, 300, 404 } do
      assert.equal(status, errors.from_response(status, {}, "").status)
      assert.equal(status, errors.from_response(status, nil, "no JSON").status)
    end
    local err = errors.from_response(404, { meta = { success = false, developer_message = "No such resource" } }, "")
    assert.same({ "not_found", "No such resource" }, { err.kind, err.message })
    assert.equal("blocked", errors.from_response(403, { meta = { developer_message = "has been disabled" } }, "").kind)
  end)
end)
