-- Error responses without a known code. On both hostings the status and the text of the response determine the error.

local cloud = require "waba.hosting.cloud.errors"
local on_premise = require "waba.hosting.on_premise.errors"

-- For each HTTP status, the kind of the error and the value of the field `retryable`.
local STATUSES = {
  [199] = { "api", false }, [300] = { "protocol", false }, [304] = { "protocol", false }, [399] = { "protocol", false },
  [400] = { "invalid", false }, [401] = { "auth", false }, [402] = { "api", false }, [403] = { "blocked", false },
  [404] = { "not_found", false }, [405] = { "invalid", false }, [408] = { "timeout", true }, [409] = { "api", false },
  [413] = { "invalid", false }, [415] = { "invalid", false }, [420] = { "rate_limited", true },
  [429] = { "rate_limited", true }, [499] = { "api", false }, [500] = { "unavailable", true }, [502] = { "unavailable", true },
  [504] = { "unavailable", true }, [599] = { "unavailable", true },
}

local function gateway(text, details)
  return { meta = { success = false, developer_message = text, details = details } }
end

for name, errors in pairs { on_premise = on_premise, cloud = cloud } do
  describe("a response of " .. name .. " hosting without a code", function()
    it("has the kind of its status, with a text of the gateway and without one", function()
      for status, expected in pairs(STATUSES) do
        for what, err in pairs {
          empty = errors.from_response(status, nil, ""), page = errors.from_response(status, nil, "<html>no</html>"),
          gateway = errors.from_response(status, gateway "No", "{}"),
        } do
          assert.same(expected, { err.kind, err.retryable }, status .. " " .. what)
          assert.equal(status, err.status)
        end
      end
    end)

    it("has the message of the body, the status, or the redirect", function()
      for status, text in pairs { [300] = "redirect", [399] = "redirect", [400] = "HTTP 400 and no reason" } do
        assert.matches(text, errors.from_response(status, nil, "").message)
      end
      assert.matches("redirect", errors.from_response(300, nil, "moved").message)
      assert.equal("moved", errors.from_response(400, nil, "<p>\n moved\r\n</p>").message)
    end)

    it("has at most 200 bytes of the body, and an ellipsis if the body is longer", function()
      local function message(body) return errors.from_response(400, nil, body).message end
      assert.equal(("x"):rep(200), message(("x"):rep(200)))
      assert.equal(("x"):rep(200) .. "…", message(("x"):rep(201)))
      assert.equal("x", message("x" .. (" "):rep(1999)))
      assert.equal("x…", message("x" .. (" "):rep(1999) .. "y"))
      assert.equal(("x"):rep(199) .. "…", message(("x"):rep(199) .. "ä" .. "x"))
    end)

    it("has title and details of the gateway, which may be a list", function()
      for details, message in pairs {
        ["no"] = "No: no", ["No"] = "No", [{ "a", "b" }] = "No: a; b", [{}] = "No", [false] = "No",
      } do
        local err = errors.from_response(400, gateway("No", details or nil), "{}")
        assert.same({ message, "No" }, { err.message, err.title })
      end
      assert.equal("No", errors.from_response(400, { meta = { developerMessage = "No" } }, "{}").message)
      assert.equal("{}", errors.from_response(400, { meta = {} }, "{}").message)
      assert.equal("{}", errors.from_response(400, { meta = "No" }, "{}").message)
    end)
  end)
end

describe("a response of cloud hosting", function()
  local function read(status, json) return cloud.from_response(status, json, "{}") end

  it("has the error of its code, its subcode, or of an object that does not exist", function()
    for index, row in ipairs {
      { 400, 100, nil, "Invalid parameter" }, { 400, 100, 33 }, { 404, 100, nil }, { 400, 100, 2593002 }, { 400, 100, 7777777 },
    } do
      local err = read(row[1], { error = { code = row[2], error_subcode = row[3], message = "m" } })
      local unknown = row[1] == 404 or row[3] == 33 or row[3] == 2593002
      assert.equal(unknown and "not_found" or "invalid", err.kind, index)
      assert.same({ row[2], row[3] }, { err.code, err.subcode })
    end
  end)

  it("has a text as its error, with the details beside it", function()
    for index, row in ipairs {
      { { error = "No", message = "m" }, "No: m" }, { { error = "No", details = "d" }, "No: d" },
      { { error = "No", message = "m", details = "d" }, "No: m" }, { { error = "No" }, "No" },
    } do
      assert.equal(row[2], read(400, row[1]).message, index)
    end
  end)

  it("of status 2xx has an error only if it has the member error", function()
    for status, is_error in pairs { [199] = true, [200] = false, [206] = false, [299] = false, [300] = true } do
      for _, json in ipairs { { errors = { { code = 1, title = "t" } } }, { meta = { developer_message = "m" } }, { a = 1 } } do
        assert.equal(is_error, read(status, json) ~= nil, status)
      end
      assert.equal(is_error, cloud.from_response(status, nil, "x") ~= nil, status)
      assert.equal("api", read(status, { error = { code = 999999, message = "m" } }).kind:gsub("protocol", "api"), status)
    end
  end)

  it("that was cut may have been executed if its code is unknown", function()
    for status, expected in pairs { [399] = false, [400] = true, [401] = false, [408] = true, [499] = false, [500] = true } do
      assert.equal(expected, cloud.is_ambiguous(status, true), status)
      assert.equal(expected and status ~= 400, cloud.is_ambiguous(status), status)
    end
  end)
end)
