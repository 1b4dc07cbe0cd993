-- lua/waba/webhook/credentials.lua: the reasons for which a webhook is refused, the errors of invalid options, and the
-- refusals that need only the headers.

local core = require "waba.core"
local credentials = require "waba.webhook.credentials"
local encoding = require "waba.encoding"

local function all(result, reason, ...)
  assert.equal(0, select("#", ...))
  return { result == nil and "undecided" or result, reason }
end

local KEY = { user = "u", password = "p" }
local DIGITS = ("0"):rep(64)

describe("the check of credentials", function()
  it("returns true, or false and a reason that quotes no header", function()
    local basic = encoding.basic("u", "p")
    local no_header, wrong = "it has no Authorization header, or several", "its user or password is wrong"
    for _, row in ipairs {
      { KEY, { authorization = basic }, { true } },
      { KEY, { Authorization = basic }, { true } },
      { KEY, {}, { false, no_header } },
      { KEY, { authorization = { basic, basic } }, { false, no_header } },
      { KEY, { authorization = 5 }, { false, no_header } },
      { KEY, { [1] = basic }, { false, no_header } },
      { KEY, { authorization = "Basic x" }, { false, wrong } },
      { KEY, { authorization = basic .. " x" }, { false, wrong } },
      { { headers = { a = "1" } }, {}, { false, "its header a is missing or wrong" } },
      { { headers = { A = "1" } }, { a = "2" }, { false, "its header a is missing or wrong" } },
      { { headers = { A = "1" } }, { a = "1" }, { true } },
      { { headers = { A = "1", B = "2" } }, { a = "1" }, { false, "its header b is missing or wrong" } },
      { { headers = { A = "1", B = "2" } }, { b = "2" }, { false, "its header a is missing or wrong" } },
      { { headers = { { A = "1" }, { B = "2" } } }, { a = "1" }, { true } },
      { { headers = { { A = "1" }, { B = "2" } } }, { b = "2" }, { true } },
      { { headers = { { A = "1" }, { B = "2" } } }, {}, { false, "its header b is missing or wrong" } },
      { { open = true }, {}, { true, "the receiver accepts none (open = false)" } },
      { { open = false }, {}, { false, "the receiver accepts none (open = false)" } },
      { { user = "u", password = "p", open = true }, {}, { false, no_header } },
      { { user = "u", password = "p", headers = { a = "1" } }, {},
        { false, no_header .. "; its header a is missing or wrong" } },
      { { user = "u", password = "p", headers = { a = "1" } }, { a = "1" }, { true } },
      { { user = "u", password = "p", headers = { a = "1" } }, { authorization = basic }, { true } },
    } do
      assert.same(row[3], all(credentials.checker(row[1])(row[2], "{}")))
      assert.same(row[3], all(credentials.checker(row[1])(row[2], nil)))
    end
  end)

  it("needs the body if a signature has the right form", function()
    local body, no_signature = "{}", "it has no signature of 64 hexadecimal digits"
    local right, wrong = core.hmac_sha256("s", body), "its signature does not match its body and the secret"
    for _, row in ipairs {
      { {}, { false, no_signature }, { false, no_signature } },
      { { ["x-hub-signature-256"] = "sha256=12" }, { false, no_signature }, { false, no_signature } },
      { { ["x-hub-signature-256"] = right .. "0" }, { false, no_signature }, { false, no_signature } },
      { { ["x-hub-signature-256"] = DIGITS }, { "undecided" }, { false, wrong } },
      { { ["x-hub-signature-256"] = right }, { "undecided" }, { true } },
      { { ["x-hub-signature-256"] = right:upper() }, { "undecided" }, { true } },
      { { ["x-360dialog-signature"] = "sha256=" .. right }, { "undecided" }, { true } },
      { { ["x-360dialog-signature"] = right, ["x-hub-signature-256"] = DIGITS }, { "undecided" }, { false, wrong } },
    } do
      local check = credentials.checker { secret = { "t", "s" } }
      assert.same(row[2], all(check(row[1], nil)))
      assert.same(row[3], all(check(row[1], body)))
    end
    local check = credentials.checker { secret = "s", headers = { a = "1" } }
    assert.same({ true }, all(check({ a = "1" }, nil)))
    assert.same({ "undecided" }, all(check({ ["x-hub-signature-256"] = right }, nil)))
    assert.same({ false, "its header a is missing or wrong; " .. no_signature }, all(check({}, nil)))
  end)

  it("accepts one user with several passwords, and several users with a password each", function()
    local function accepts(options, user, password)
      return (credentials.checker(options)({ authorization = encoding.basic(user, password) }, ""))
    end
    local one = { user = "u", password = { "1", "2" } }
    assert.same({ true, true, false }, { accepts(one, "u", "1"), accepts(one, "u", "2"), accepts(one, "v", "2") })
    local several = { user = { "u", "v" }, password = { "1", "2" } }
    assert.same({ true, true, false, false }, { accepts(several, "u", "1"), accepts(several, "v", "2"),
      accepts(several, "u", "2"), accepts(several, "v", "1") })
  end)

  it("names the option that is invalid, and what is expected", function()
    local together = "options user and password are required together"
    local as_long = "option user must be one user, or a list as long as that of option password"
    local required = "option user, headers or secret is required, or open = true, which requires no credentials"
    for _, row in ipairs {
      { {}, required }, { { user = "u" }, together }, { { password = "p" }, together },
      { { user = "", password = "p" }, "user must be a string that is not empty" },
      { { user = "u", password = "" }, "password must be a string that is not empty" },
      { { user = "u", password = 5 }, "password must be a string that is not empty" },
      { { user = "u", password = { "p", "" } }, "password must be a string that is not empty" },
      { { user = "u", password = {} }, "password must not be an empty list: expected at least one string" },
      { { user = "u", password = { "p", a = "q" } }, "password must be a string or a list of strings" },
      { { user = { "u", "v" }, password = "p" }, as_long }, { { user = { "u", "v" }, password = { "p" } }, as_long },
      { { user = { "u", "v" }, password = { "p", "q", "r" } }, as_long },
      { { user = "u:v", password = "p" }, "the user name has a colon" },
      { { headers = {} }, "option headers is empty: expected at least one header" },
      { { headers = { {} } }, "option headers is empty: expected at least one header" },
      { { headers = { { a = "1" }, "b" } }, "option headers must be a table or a list of tables" },
      { { headers = { [5] = "b" } }, "the name of a header must be a string that is not empty" },
      { { headers = { a = "" } }, "the value of a header must be a string that is not empty" },
      { { headers = { a = 5 } }, "the value of a header must be a string that is not empty" },
      { { secret = "" }, "secret must be a string that is not empty" },
      { { secret = {} }, "secret must not be an empty list: expected at least one string" },
    } do
      local ok, message = pcall(credentials.checker, row[1])
      assert.is_false(ok)
      assert.equal("waba.receiver: " .. row[2], message:sub(1, #row[2] + 15))
    end
  end)
end)
