local option = require "waba.option"

local KNOWN = { timeout = "number", api_key = "string", retry = "table|false", count = "integer", on_event = "function" }

local function check(options) return option.check(options, KNOWN, "waba.thing") end

describe("options", function()
  it("accepts known names with valid values, and nil in place of options", function()
    assert.same({ timeout = 1.5, retry = false }, check { timeout = 1.5, retry = false })
    assert.same({ retry = { attempts = 2 } }, check { retry = { attempts = 2 } })
    assert.same({}, check(nil))
  end)

  it("names the nearest known option", function()
    assert.error_matches(function() check { timeuot = 3 } end, "unknown option timeuot %(did you mean timeout%?%)")
    assert.error_matches(function() check { apikey = "k" } end, "did you mean api_key")
    assert.error_matches(function() check { API_KEY = "k" } end, "did you mean api_key")
  end)

  it("counts missing, additional and other letters of a name", function()
    local known = { timeout = true, connect_timeout = true, ca = true, cb = true }
    for name, meant in pairs {
      tmeout = "timeout", timeeout = "timeout", timeaut = "timeout", meout = "timeout", timeoutxy = "timeout", tiemout = "timeout",
      TIMEOUT = "timeout", connecttimeou = "connect_timeout", conect_timeouts = "connect_timeout", onnect_timou = "connect_timeout",
      xonnect_timeoutxxxx = "connect_timeout", xonnect_timeoutxxxxx = "", eout = "", timeoutxyz = "", tmout = "timeout",
      c = "ca", b = "cb", cab = "ca", xyzzy = "",
    } do
      assert.equal(meant ~= "" and (" (did you mean %s?)"):format(meant) or "", option.suggestion(name, known), name)
    end
    assert.equal("", option.suggestion(5, known))
    assert.equal("", option.suggestion("a", {}))
  end)

  it("suggests no name if no known name is similar", function()
    assert.error_matches(function() check { zzzzzzzz = 1 } end, "waba.thing: unknown option zzzzzzzz$")
  end)

  it("names the expected value", function()
    assert.error_matches(function() check { timeout = "3" } end, "option timeout must be number, not a string")
    assert.error_matches(function() check { retry = true } end, "option retry must be table or false, not a boolean")
    assert.error_matches(function() check { count = 1.5 } end, "option count must be integer")
    assert.error_matches(function() check "text" end, "options must be a table, not a string")
  end)

  it("checks bounds", function()
    local known = { max = "integer>=1", wait = "number>0|false" }
    local function bounded(options) return option.check(options, known, "waba.thing") end
    assert.same({ max = 1, wait = 0.1 }, bounded { max = 1, wait = 0.1 })
    assert.same({ wait = false }, bounded { wait = false })
    assert.error_matches(function() bounded { max = 0 } end, "option max must be integer of at least 1, not 0$")
    assert.error_matches(function() bounded { max = "1" } end, "option max must be integer of at least 1, not a string$")
    assert.error_matches(function() bounded { max = 1.5 } end, "option max must be integer of at least 1, not a number$")
    assert.error_matches(function() bounded { wait = true } end, "option wait must be number above 0 or false, not a boolean$")
    assert.error_matches(function() bounded { wait = 0 } end, "option wait must be number above 0 or false, not 0$")
    for _, endless in ipairs { 0 / 0, math.huge, -math.huge } do
      assert.has_error(function() bounded { wait = endless } end)
      assert.has_error(function() bounded { max = endless } end)
    end
  end)

  it("reads types in the notation of the annotations", function()
    local known = {
      on_event = "fun(event: waba.Event): true|nil, waba.Error?", headers = "table<string, string>|string[]",
      mode = '"a"|"b"|false', shape = "string|{ url: string, port: integer|string }", client = "waba.Client",
    }
    local function typed(options) return option.check(options, known, "waba.thing") end
    local fine = { on_event = print, headers = {}, mode = "b", shape = {}, client = {} }
    assert.equal(fine, typed(fine))
    assert.same({ mode = false, shape = "" }, typed { mode = false, shape = "" })
    assert.error_matches(function() typed { on_event = true } end, "option on_event must be function, not a boolean$")
    assert.error_matches(function() typed { headers = 1 } end, "option headers must be table, not a number$")
    assert.error_matches(function() typed { mode = 1 } end, "option mode must be string or false, not a number$")
    assert.error_matches(function() typed { shape = 1 } end, "option shape must be string or table, not a number$")
    assert.error_matches(function() typed { client = "" } end, "option client must be table, not a string$")
  end)

  it("returns a copy with the defaults", function()
    local known = { batch = { "integer>=1", 16 }, open = { "boolean", true }, name = "string" }
    local function complete(options)
      local completed = option.complete(options, known, "waba.thing") -- a tail call would change the line that an error reports
      return completed
    end
    assert.same({ batch = 16, open = true }, complete(nil))
    local options = { open = false, name = "a" }
    assert.same({ batch = 16, open = false, name = "a" }, complete(options))
    assert.same({ open = false, name = "a" }, options)
    local _, message = pcall(function() complete { batch = 0 } end)
    assert.matches("option_spec.lua:%d+: waba.thing: option batch must be integer of at least 1, not 0$", message)
  end)

  it("adds the rows of another table", function()
    assert.same({ a = "string", b = { "integer", 1 }, c = "boolean" },
      option.with({ a = "number", c = "boolean" }, { a = "string", b = { "integer", 1 } }))
  end)

  it("refuses positional values", function()
    assert.error_matches(function() check { "text" } end, "unknown option 1")
  end)

  it("reports the caller's line", function()
    local function public(options) option.check(options, KNOWN, "waba.thing") end
    local _, message = pcall(function() public { nonsense_here = 1 } end)
    assert.matches("option_spec.lua:%d+: waba.thing", message)
  end)
end)
