-- Random responses of the Cloud gateway: reading them raises no error, and returns values of the documented types.

local random = require "spec.support.random"
local cloud = require "waba.hosting.cloud"
local core = require "waba.core"
local errors = require "waba.errors"
local media = require "waba.hosting.cloud.media"
local on_premise = require "waba.hosting.on_premise"
local values = require "waba.hosting.values"

-- Names of real members, so that random responses are similar to real ones.
local NAMES = {
  "error", "errors", "meta", "code", "title", "message", "error_data", "details", "error_subcode", "is_transient",
  "error_user_title", "error_user_msg", "fbtrace_id", "href", "developerMessage", "developer_message", "health_status",
  "entities", "can_send_message", "entity_type", "id", "additional_info", "error_code", "display_phone_number", "messages",
  "contacts", "wa_id", "user_id", "input", "message_status", "group_id", "url", "sha256", "file_size", "mime_type", "health",
  "gateway_status", "phone_number", "media",
}
local VALUES = {
  "words", "", "131009", "(#100) x", 0, 100, 131047, -1, 1.5, 1e300, 33, true, false, core.null, "BLOCKED", "AVAILABLE",
  "exceeded the limit of 5 request every 30 seconds", "https://lookaside.fbsbx.com/a?ext=12",
}

local function build(rng, depth)
  local shape = depth == 0 and 1 or rng(1, 3)
  if shape == 1 then return random.pick(rng, VALUES) end
  local result = {}
  for i = 1, rng(0, 4) do
    result[shape == 2 and i or random.pick(rng, NAMES)] = build(rng, depth - 1)
  end
  return result
end

local STATUSES = { 200, 201, 206, 301, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 599 }

local function check_error(err, status)
  assert.is_true(errors.is_error(err))
  assert.is_string(err.kind)
  assert.matches("%S", err.message)
  assert.is_boolean(err.retryable)
  assert.is_boolean(err.maybe_sent)
  assert.is_true(err.code == nil or err.code % 1 == 0)
  assert.is_true(err.retry_after == nil or err.retry_after >= 0)
  assert.equal(status, err.status)
  for _, name in ipairs { "title", "details", "href", "trace_id" } do
    assert.is_true(err[name] == nil or type(err[name]) == "string", name)
  end
  assert.is_string(tostring(err))
end

describe("reading a response", function()
  for _, hosting in ipairs { cloud, on_premise } do
    it("raises no error on " .. hosting.name, function()
      local rng = random.rng(97)
      for _ = 1, 400 do
        local json, status = build(rng, 4), random.pick(rng, STATUSES)
        local body = tostring(json)
        local err = hosting.errors.from_response(status, json, body)
        if status >= 300 then assert.is_not_nil(err) end
        if err then check_error(err, status) end
        check_error(hosting.errors.from_row(json))
        local sent = hosting.read_sent(json, "to")
        if sent then
          assert.is_string(sent.id)
          assert.is_string(sent.input)
          for _, name in ipairs { "wa_id", "user_id", "status", "group_id" } do
            assert.is_true(sent[name] == nil or type(sent[name]) == "string")
          end
        end
        local health = require("waba.hosting." .. hosting.name .. ".health").read(json)
        if health then
          assert.is_boolean(health.healthy)
          assert.is_table(health.nodes)
        end
        local number = values.phone_digits(values.dig(json, hosting.number_field))
        assert.is_true(number == nil or number:find("^%d+$") ~= nil)
      end
    end)
  end

  it("raises no error for the description of a file", function()
    local rng = random.rng(98)
    for _ = 1, 200 do
      local info = media.read_info(build(rng, 2), "7")
      if info then
        assert.is_string(info.id)
        for _, name in ipairs { "url", "type", "sha256" } do
          assert.is_true(info[name] == nil or type(info[name]) == "string")
        end
        assert.is_true(info.size == nil or info.size % 1 == 0)
      end
      media.target_of(build(rng, 1))
    end
  end)

  it("returns an id in every form of the response", function()
    local sent = cloud.read_sent({ messages = { { id = 12345 } } }, "to")
    assert.equal("12345", sent.id)
    assert.equal("7", media.read_info({ id = 7 }, "x").id)
  end)
end)
