-- The options of `waba.client` and the environment variables that replace them: which gateway is used, which values are
-- accepted, and which line an error names.

local waba = require "waba"

describe("the options of a client", function()
  local getenv, clients = os.getenv, {}

  after_each(function()
    os.getenv = getenv
    for index, client in ipairs(clients) do
      client:close()
      clients[index] = nil
    end
  end)

  -- Returns a client that is made while only these environment variables are set.
  local function with(variables, options)
    os.getenv = function(name) return variables[name] end
    local client = waba.client(options)
    clients[#clients + 1] = client
    return client
  end

  local function accepts(options)
    options.api_key = "k"
    return with({}, options)
  end

  -- Returns the error that the options raise, without its position. The position must be a line of this file.
  local function refused(variables, options)
    local ok, message = pcall(function() with(variables, options) end)
    assert.is_false(ok)
    return assert(tostring(message):match "^[^\n]*options_spec%.lua:%d+: (.*)$", message)
  end

  local ON_PREMISE, CLOUD = "https://waba.360dialog.io", "https://waba-v2.360dialog.io"
  local ONE, OTHER = "https://one.example", "https://other.example"

  it("determine the gateway, before the environment does", function()
    for index, row in ipairs {
      { ON_PREMISE, "on_premise", {}, {} }, { CLOUD, "cloud", {}, { hosting = "cloud" } },
      { CLOUD, "cloud", { WABA_HOSTING = "cloud" }, {} },
      { ON_PREMISE, "on_premise", { WABA_HOSTING = "cloud" }, { hosting = "on_premise" } },
      { ON_PREMISE, "on_premise", { WABA_HOSTING = "", WABA_BASE_URL = "" }, {} },
      { ONE, "on_premise", { WABA_BASE_URL = ONE }, {} }, { ONE, "cloud", { WABA_BASE_URL = ONE }, { hosting = "cloud" } },
      { ONE, "cloud", { WABA_BASE_URL = ONE, WABA_HOSTING = "cloud" }, {} },
      { ONE, "cloud", { WABA_BASE_URL = ONE, WABA_HOSTING = "cloud" }, { hosting = "cloud" } },
      { OTHER, "cloud", { WABA_BASE_URL = ONE, WABA_CLOUD_BASE_URL = OTHER }, { hosting = "cloud" } },
      { OTHER, "cloud", { WABA_BASE_URL = ONE, WABA_CLOUD_BASE_URL = OTHER, WABA_HOSTING = "on_premise" }, { hosting = "cloud" } },
      { ONE, "on_premise", { WABA_BASE_URL = ONE, WABA_CLOUD_BASE_URL = OTHER }, {} },
      { ON_PREMISE, "on_premise", { WABA_CLOUD_BASE_URL = OTHER }, {} },
      { OTHER, "on_premise", { WABA_BASE_URL = ONE }, { base_url = OTHER } },
      { OTHER, "cloud", { WABA_BASE_URL = ONE, WABA_HOSTING = "on_premise" }, { base_url = OTHER, hosting = "cloud" } },
      { OTHER .. "/v1", "on_premise", {}, { base_url = OTHER .. "/v1//" } },
      { "https://waba-sandbox.360dialog.io", "on_premise", { WABA_BASE_URL = ONE }, { sandbox = true } },
    } do
      local options, variables = row[4], row[3]
      variables.D360_API_KEY = "k"
      local client = with(variables, options)
      assert.matches("waba.Client: " .. row[1], tostring(client), 1, true, "row " .. index)
      assert.equal(row[2], client.hosting.name, "row " .. index)
    end
  end)

  it("are refused together with an environment of the other hosting, and so is an invalid environment", function()
    for message, row in pairs {
      ['option hosting is "cloud", but WABA_BASE_URL is the URL for WABA_HOSTING=on_premise'] = {
        { WABA_BASE_URL = ONE, WABA_HOSTING = "on_premise" }, { hosting = "cloud" },
      },
      ["the environment variable WABA_BASE_URL: "] = { { WABA_BASE_URL = "one" }, {} },
      ["the environment variable WABA_CLOUD_BASE_URL: "] = { { WABA_CLOUD_BASE_URL = "one" }, { hosting = "cloud" } },
      ['the environment variable WABA_HOSTING: unknown hosting "cluod" (did you mean cloud?)'] = {
        { WABA_HOSTING = "cluod" }, {},
      },
      ['option hosting: unknown hosting "cluod" (did you mean cloud?)'] = {
        { WABA_HOSTING = "cloud" }, { hosting = "cluod" },
      },
    } do
      row[1].D360_API_KEY = "k"
      assert.matches("waba.client: " .. message, refused(row[1], row[2]), 1, true)
    end
    assert.matches("option api_key is required", refused({ D360_API_KEY = "" }, {}), 1, true)
  end)

  it("are accepted up to their limits", function()
    for name, values in pairs {
      max_connections = { good = { 1, 1000 }, bad = { 0, 1001 } }, timeout = { good = { 0.001, math.huge }, bad = { 0, -1, 0 / 0 } },
      connect_timeout = { good = { 0.001, math.huge }, bad = { 0, -1, 0 / 0 } },
      validate = { good = { true, false, "documented" }, bad = { "all" } },
      base_url = { good = { ONE }, bad = { ONE .. "?", ONE .. "#", "one" } },
    } do
      for _, value in ipairs(values.good) do accepts { [name] = value } end
      for _, value in ipairs(values.bad) do
        assert.matches("option " .. name, refused({}, { api_key = "k", [name] = value }), 1, true)
      end
    end
    local receiver, tracker, store = waba.receiver { open = true }, waba.status_tracker(), waba.pace.redis {}
    for _, ordered in ipairs {
      true, false, {}, { receiver = receiver }, { tracker = tracker }, { receiver = receiver, timeout = 5 },
      { tracker = tracker, timeout = 5 },
    } do
      accepts { ordered = ordered }
    end
    local rate = { rate = 1, burst = 1 }
    for _, pace in ipairs {
      false, {}, { messages = false }, { store = store }, { messages = rate, other = false, pair = rate, store = store },
    } do
      accepts { pace = pace }
    end
  end)

  it("limit the rate of each class of requests; a class without an option keeps the rate of the hosting", function()
    local function seconds(pace) return accepts({ pace = pace }):estimate(1000, { latency = 0, concurrency = 1 }) end
    local usual = seconds(nil)
    assert.is_true(usual > 0)
    assert.equal(0, seconds(false))
    assert.equal(0, seconds { messages = false })
    assert.equal(usual, seconds {})
    assert.equal(usual, seconds { other = false })
    assert.equal(999, seconds { messages = { rate = 1, burst = 1 } })
  end)
end)
