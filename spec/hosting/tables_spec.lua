-- The tables of endpoints and error codes, compared with an independent list of the requests that may be repeated. With
-- a wrong row a client would send a message twice, or would not repeat a message that was not accepted.

local cloud = require "waba.hosting.cloud"
local on_premise = require "waba.hosting.on_premise"

local HOSTINGS = { on_premise = on_premise, cloud = cloud }

-- The POST and PATCH requests that have the same effect if they are sent twice. GET, PUT and DELETE requests are not
-- listed, because all of them can be repeated, except PUT /multi_webhook, which adds a destination.
local REPEATABLE = {
  on_premise = { "block_contact", "check_contacts", "set_about", "set_business", "set_photo", "set_webhook" },
  cloud = {
    "archive_templates", "block_users", "mark_read", "set_about", "set_account_webhook", "set_automation", "set_business",
    "set_calling", "set_commerce", "set_destinations", "set_photo", "set_webhook", "unarchive_templates",
    "update_destination", "update_qr_code",
  },
}

local ALWAYS = { GET = true, PUT = true, DELETE = true }

-- The error codes after which the client may send the request again.
local RETRYABLE = {
  on_premise = { 408, 410, 429, 471, 500, 1000, 1004, 1011, 1015, 1016, 1017, 1018, 1023, 2002, 2069 },
  cloud = {
    1, 2, 4, 368, 613, 80007, 130429, 131000, 131016, 131048, 131049, 131056, 131057, 131064, 131208, 132069, 133000,
    133004, 133008, 133009, 133015, 133016, 134101, 138002, 138004, 138005, 138007, 139102, 139103, 2494100,
  },
}

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

for name, hosting in pairs(HOSTINGS) do
  describe("the tables of " .. name, function()
    it("allow the repetition of a request only if it changes nothing", function()
      local repeatable, count = set_of(REPEATABLE[name]), 0
      for endpoint, row in pairs(hosting.endpoints) do
        local expected = ALWAYS[row.method] and endpoint ~= "add_destination" or repeatable[endpoint] or false
        assert.equal(expected, row.idempotent or row.method == "GET", endpoint) -- the client repeats every GET
        count = count + 1
      end
      assert.is_true(count > 20)
    end)

    it("have the class of messages for messages only", function()
      local messages = set_of { "send", "send_marketing", name == "cloud" and "mark_read" or nil }
      for endpoint, row in pairs(hosting.endpoints) do
        assert.equal(messages[endpoint] or false, row.class == "messages", endpoint)
      end
    end)

    it("allow another attempt after a code only if the reference does", function()
      local retryable = set_of(RETRYABLE[name])
      for code, row in pairs(require("waba.hosting." .. name .. ".error_codes")) do
        assert.equal(retryable[code] or false, row.retryable, code)
        assert.equal(name == "cloud" and code == 1, row.ambiguous or false, code)
        retryable[code] = nil
      end
      assert.is_nil(next(retryable))
    end)
  end)
end
