-- The text of an error object, and its fields.

local errors = require "waba.errors"

describe("an error", function()
  it("has a text with its kind, its message, its code, its status, and whether it may have been sent", function()
    for text, fields in pairs {
      ["api: m"] = {}, ["api: m (code 5)"] = { code = 5 }, ["api: m (HTTP 400)"] = { status = 400 },
      ["api: m (may have been sent)"] = { maybe_sent = true },
      ["api: m (code 5, HTTP 400, may have been sent)"] = { code = 5, status = 400, maybe_sent = true },
    } do
      fields.kind, fields.message = "api", "m"
      assert.equal(text, tostring(errors.new(fields)))
    end
  end)

  it("is not retryable and certainly not sent by default", function()
    local err = errors.new { kind = "api", message = "m" }
    assert.same({ false, false }, { err.retryable, err.maybe_sent })
    err = errors.new { kind = "api", message = "m", retryable = true, maybe_sent = true }
    assert.same({ true, true }, { err.retryable, err.maybe_sent })
    err = errors.invalid("to", "to is missing")
    assert.same({ "invalid", "to", "to is missing", false }, { err.kind, err.path, err.message, err.retryable })
  end)

  it("can be distinguished from other values", function()
    assert.is_true(errors.is_error(errors.new { kind = "api", message = "m" }))
    for _, value in ipairs { "m", 5, true, {}, setmetatable({}, {}), print } do assert.is_false(errors.is_error(value)) end
    assert.is_false(errors.is_error(nil))
  end)
end)
