local core = require "waba.core"
local cloud_errors = require "waba.hosting.cloud.errors"
local cloud_gateway = require "spec.support.cloud_gateway"
local on_premise_rows = require "waba.hosting.on_premise.error_codes"
local rows = require "waba.hosting.cloud.error_codes"
local waba = require "waba"

local NUMBER = "4915112345678"

-- The platform's error codes, written independently of lua/waba. Columns: HTTP status, kind, retryable, codes.
local LIST = {
  { 401, "auth", false, { 0, 190 } }, { 403, "auth", false, { 131005 } },
  { 400, "api", true, { 1 } }, { 403, "api", true, { 368 } },
  { 503, "unavailable", true, { 2, 133004 } }, { 500, "unavailable", true, { 131000, 131016, 131057, 133000 } },
  { 400, "unavailable", true, { 133015, 139102, 139103, 2494100 } }, { 500, "unavailable", true, { 138004, 138007 } },
  { 500, "blocked", false, { 3, 131045 } }, { 403, "blocked", false, { 10, 131031 } },
  { 400, "blocked", false, { 131037, 131042, 131044, 131211, 131214, 131215, 133006, 133010, 134011, 2593079, 2593085,
    139200 } },
  { 401, "blocked", false, { 138000 } }, { 401, "recipient", false, { 138006 } },
  { 400, "not_found", false, { 33, 131212, 131213 } },
  { 400, "invalid", false, { 100, 131008, 131009, 131055, 131059, 131062, 131202, 131204, 133005, 135000, 139001, 139002,
    139003, 139004, 147001, 147002, 147003, 147004, 147005, 1752041, 2388001, 2388012, 2388091, 2388093, 2388103 } },
  { 400, "window", false, { 131047 } },
  { 400, "recipient", false, { 130472, 131020, 131021, 131026, 131030, 131041, 131050, 131203, 137000 } },
  { 403, "recipient", false, { 130497, 131207 } }, { 400, "recipient", true, { 131049 } },
  { 400, "media", false, { 131014, 131052, 131053, 131209, 131210 } },
  { 400, "rate_limited", true, { 4, 80007, 130429, 131048, 131056, 131064, 132069, 133008, 133009, 133016 } },
  { 429, "rate_limited", true, { 613, 131208, 138002, 138005 } },
  { 404, "template", false, { 132001 } }, { 500, "template", false, { 134102 } }, { 400, "template", true, { 134101 } },
  { 400, "template", false, { 131063, 132000, 132005, 132007, 132008, 132012, 132015, 132016, 132018, 132068, 134100, 139000,
    141002, 200005, 200006, 200007, 2388019, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299,
    2388318, 2388330 } },
  { 400, "api", false, { 130501, 131035, 131036, 131051, 131060, 131201, 138001, 138003, 138009, 138012, 138013, 138014,
    138015, 138017, 138018, 138019, 138020, 138021, 138022, 138023, 138024, 138025, 139100, 139101, 2593107, 2593108,
    2593109 } },
}
-- The codes 200 to 299 report a missing permission.
LIST[#LIST + 1] = { 403, "auth", false, {} }
for code = 200, 299 do table.insert(LIST[#LIST][4], code) end

-- Codes of rate limits that hold for one recipient ("pair") or one endpoint, and not for the whole key.
local SCOPES = {
  [131056] = "pair", [613] = "endpoint", [131064] = "endpoint", [131208] = "endpoint", [132069] = "endpoint",
  [133008] = "endpoint", [133009] = "endpoint", [138002] = "endpoint", [138005] = "endpoint",
}

describe("errors on Cloud hosting", function()
  local gateway, client

  setup(function()
    gateway = cloud_gateway.start()
    client = cloud_gateway.client(gateway)
  end)

  teardown(function()
    client:close()
    gateway:stop()
  end)

  before_each(function() gateway:forget() end)

  local function send(refusal, hand)
    gateway:respond("/messages", refusal)
    local sent, err = (hand or client):send(NUMBER, waba.text "Hi")
    assert.is_nil(sent)
    return err
  end

  -- Returns the error that the library makes from a response.
  local function read(code, status)
    local refusal = cloud_gateway.refusal(code, status, { error_data = { details = "this and that" } })
    return cloud_errors.from_response(status, core.decode(refusal.body), refusal.body), refusal
  end

  local ARRIVES = { response = true, status = true, both = true }

  -- Returns the difference between an error and its expected fields as text, or nil if they are equal.
  local function reading_fault(err, row, wanted)
    for name, value in pairs(wanted) do
      if err[name] ~= value then return ("%s is %s"):format(name, tostring(err[name])) end
    end
    if err.scope ~= SCOPES[wanted.code] then return "scope is " .. tostring(err.scope) end
    if row.kind ~= wanted.kind or not ARRIVES[row.arrives] then return "another row" end
    for _, name in ipairs { "title", "meaning", "advice" } do
      if not row[name]:find "%S" then return "no " .. name end
    end
    if waba.explain(tostring(wanted.code), "cloud").meaning ~= row.meaning then return "another row for digits" end
    if waba.explain(wanted.code, "on_premise") then return "a row on the other hosting" end
  end

  local listed = {}
  for _, group in ipairs(LIST) do
    local status, kind, retryable = group[1], group[2], group[3]
    for _, code in ipairs(group[4]) do listed[code] = true end
    it(("read code %d and similar ones as %s"):format(group[4][1], kind), function()
      for i, code in ipairs(group[4]) do
        local err, refusal = read(code, status)
        if i == 1 then err = send(refusal) end
        assert.is_nil(reading_fault(err, waba.explain(code), {
          kind = kind, code = code, status = status, retryable = retryable, title = "words", details = "this and that",
          message = "words: this and that", trace_id = "AqL2x", maybe_sent = code == 1,
        }), code)
      end
    end)
  end

  it("are all in the list, and no code is in both hostings' lists", function()
    for code in pairs(rows) do
      assert.is_true(listed[code], code)
      assert.is_nil(on_premise_rows[code], code)
    end
    for code in pairs(on_premise_rows) do assert.equal(on_premise_rows[code].kind, waba.explain(code).kind) end
    assert.is_nil(waba.explain(999999))
    assert.error_matches(function() waba.explain(1, "clout") end, 'the hosting must be "on_premise" or "cloud", not clout')
  end)

  it("are of the same kinds as their counterparts on On-Premise hosting", function()
    for old, new in pairs {
      [470] = 131047, [471] = 131048, [472] = 130472, [480] = 137000, [402] = 131042, [430] = 131045, [400] = 131052,
      [501] = 131051, [1000] = 131000, [1005] = 131005, [1007] = 131030, [1008] = 131008, [1009] = 131009, [1011] = 131016,
      [1013] = 131026, [1014] = 131053, [1015] = 130429, [1021] = 131021, [1031] = 131031, [2000] = 132000, [2001] = 132001,
      [2005] = 132005, [2007] = 132007, [2012] = 132012, [2061] = 132015, [2062] = 132016, [2068] = 132068, [2069] = 132069,
    } do
      assert.equal(on_premise_rows[old].kind, rows[new].kind, old)
      assert.equal(on_premise_rows[old].retryable, rows[new].retryable, old)
    end
  end)

  it("have the time to wait if the platform names it", function()
    for code, seconds in pairs {
      [130429] = 1, [4] = 60, [80007] = 60, [131057] = 60, [133015] = 300, [134101] = 600, [132069] = 3600,
      [131048] = 86400, [131049] = 86400,
    } do
      assert.equal(seconds, send(cloud_gateway.refusal(code, 400)).retry_after)
    end
    local refusal = cloud_gateway.refusal(80007, 400)
    refusal.headers[2] = { "retry-after", "7" }
    assert.equal(7, send(refusal).retry_after)
  end)

  it("accept details that are an object, a string, or the text for users", function()
    for _, case in ipairs {
      { { error_data = { messaging_product = "whatsapp", details = "an object" } }, "an object" },
      { { error_data = "a string" }, "a string" },
      { { error_user_title = "Title", error_user_msg = "for users" }, "Title: for users" },
      { { error_user_msg = "for users" }, "for users" },
      { { error_data = {} } }, { { error_data = 5 }, "5" }, {},
    } do
      assert.equal(case[2], send(cloud_gateway.refusal(131009, 400, case[1])).details)
    end
  end)

  it("use the subcode if it is more precise", function()
    local err = send(cloud_gateway.refusal(100, 400, { error_subcode = 2388072 }))
    assert.equal("template", err.kind)
    assert.equal(100, err.code)
    assert.equal(2388072, err.subcode)
    assert.equal("not_found", send(cloud_gateway.refusal(100, 400, { error_subcode = 33 })).kind)
    assert.equal("not_found", send(cloud_gateway.refusal(100, 404)).kind)
    assert.equal("invalid", send(cloud_gateway.refusal(100, 400, { error_subcode = 2494010 })).kind)
    assert.equal("window", send(cloud_gateway.refusal(131047, 400, { error_subcode = 2388072 })).kind)
  end)

  it("keep the text of an unknown code, and derive the kind from the HTTP status", function()
    local err = send(cloud_gateway.refusal(999999, 403))
    assert.equal("blocked", err.kind)
    assert.equal(999999, err.code)
    assert.equal("words", err.title)
    assert.is_false(err.retryable)
    assert.is_false(err.maybe_sent)
    err = send(cloud_gateway.refusal(999999, 500, { is_transient = true }))
    assert.equal("unavailable", err.kind)
    assert.is_true(err.retryable)
    assert.is_true(err.maybe_sent)
    err = send(cloud_gateway.refusal(999999, 400, { is_transient = true }))
    assert.equal("invalid", err.kind)
    assert.is_true(err.retryable)
  end)

  it("are read from the gateway's own form in both spellings", function()
    for _, case in ipairs {
      { 403, { httpCode = 403, developerMessage = "This URL /x is blocked.", success = false }, "blocked" },
      { 401, { httpCode = 404, developerMessage = "Invalid api_key or token expired" }, "auth" },
      { 404, { http_code = 404, developer_message = "Invalid api key" }, "auth" },
      { 400, { http_code = 400, developer_message = "API access disabled" }, "blocked" },
      { 400, { developer_message = "blocked for lack of payment" }, "blocked" },
      { 400, { developer_message = "something" }, "invalid" },
      { 404, { developer_message = "something" }, "not_found" },
      { 502, { developer_message = "WhatsApp for Business API not available" }, "unavailable", true },
      { 400, { developer_message = "You exceeded the limit of 1 request every 30 seconds" }, "rate_limited", nil, 30 },
      { 429, { developer_message = "slow down" }, "rate_limited", nil, 2 },
    } do
      local err = send(cloud_gateway.json({ meta = case[2] }, case[1]))
      assert.equal(case[3], err.kind)
      local words = case[2].developerMessage or case[2].developer_message
      local is_elsewhere = case[1] == 401 or case[1] == 404 -- a key or a path of the other hosting causes these statuses too
      assert.equal(is_elsewhere and words .. '; if the number is on On-Premise hosting, set hosting = "on_premise"' or words,
        err.message)
      assert.equal(case[4] or false, err.maybe_sent)
      assert.equal(case[5], err.retry_after)
    end
    local err = send(cloud_gateway.json({ meta = { developer_message = "limit of 5 requests every 60 s" } }, 400))
    assert.equal("endpoint", err.scope)
    assert.equal(60, err.retry_after)
  end)

  it("are read from every other form", function()
    local err = send(cloud_gateway.json({ error = "destination not found" }, 404))
    assert.equal("not_found", err.kind)
    assert.matches("^destination not found; ", err.message)
    err = send(cloud_gateway.json({ meta = { success = false }, errors = { { code = 131009, title = "T", details = "D" },
      { code = 131008 } } }, 400))
    assert.equal("invalid", err.kind)
    assert.equal(131009, err.code)
    assert.equal("T: D", err.message)
    assert.equal(2, #err.errors)
    for _, case in ipairs {
      { 502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "unavailable", true, "502 Bad Gateway" },
      { 503, "", "unavailable", true, "HTTP 503" }, { 504, "upstream timed out", "unavailable", true, "upstream" },
      { 413, "", "invalid", false, "413" }, { 429, "", "rate_limited", false, "429" },
      { 401, "[]", "auth", false, "%[%]" }, { 400, "{}", "invalid", false, "{}" }, { 408, "", "timeout", true, "408" },
      { 400, "null", "invalid", false, "null" }, { 500, '{"error":null}', "unavailable", true, "error" },
      { 500, '{"error":{}}', "unavailable", true, "error" }, { 400, '{"error":""}', "invalid", false, "error" },
      { 400, '{"error":[1]}', "invalid", false, "the platform's error has no text" }, { 418, "{", "api", false, "{" },
    } do
      err = send { status = case[1], body = case[2] }
      assert.equal(case[3], err.kind, case[2])
      assert.equal(case[4], err.maybe_sent)
      assert.matches(case[5], err.message)
    end
  end)

  it("in a response with status 2xx are errors, except for partial failures", function()
    local err = send(cloud_gateway.refusal(131026, 200))
    assert.equal("recipient", err.kind)
    gateway:respond("/any", cloud_gateway.json({ data = {}, errors = { { code = 131203 } } }, 206))
    assert.equal(131203, client:request { path = "/any" }.errors[1].code)
  end)

  it("have the successful parts", function()
    gateway:respond("/any", cloud_gateway.json({
      block_users = { failed_users = { { input = "1" } } }, error = { code = 139100, message = "(#139100) partly" },
    }, 400))
    local _, err = client:request { path = "/any" }
    assert.equal(139100, err.code)
    assert.equal("1", err.answer.block_users.failed_users[1].input)
    assert.is_nil(send(cloud_gateway.refusal(131009, 400)).answer)
  end)

  it("of webhooks use the same rows", function()
    local err = cloud_errors.from_row {
      code = 131047, title = "Re-engagement message", message = "Re-engagement message",
      error_data = { details = "window closed" }, href = "https://developers.facebook.com/x",
    }
    assert.equal("window", err.kind)
    assert.equal("Re-engagement message: window closed", err.message)
    assert.equal("https://developers.facebook.com/x", err.href)
    assert.is_false(err.maybe_sent)
    for _, row in ipairs { 5, "words", true, { code = "x" }, { code = 1.5 }, {} } do
      assert.equal("api", cloud_errors.from_row(row).kind)
    end
    assert.equal("131026", tostring(cloud_errors.from_row({ code = "131026" }).code))
  end)

  describe("and retries", function()
    local patient

    setup(function() patient = cloud_gateway.client(gateway, { retry = { attempts = 3, base = 0 } }) end)
    teardown(function() patient:close() end)

    -- Returns how often the client sends a message if `refusal` is the gateway's first response.
    local function tries(refusal)
      gateway:forget()
      gateway:respond("/messages", refusal, cloud_gateway.json { messages = { { id = "wamid.1" } } })
      patient:send(NUMBER, waba.text "Hi", { timeout = 3 })
      return gateway:count("/messages")
    end

    it("are made if the platform guarantees that nothing was sent", function()
      for code, status in pairs { [2] = 503, [131000] = 500, [131016] = 500, [133004] = 503 } do
        local refusal = cloud_gateway.refusal(code, status)
        refusal.headers[2] = { "retry-after", "0" }
        assert.equal(2, tries(refusal), code)
      end
      assert.equal(2, tries { status = 429, headers = { { "retry-after", "0" } }, body = "" })
    end)

    it("are not made if the message may have been sent", function()
      for _, status in ipairs { 500, 502, 503, 504 } do assert.equal(1, tries { status = status, body = "" }, status) end
      assert.equal(1, tries(cloud_gateway.refusal(1, 400)))
      assert.equal(1, tries(cloud_gateway.refusal(999999, 500, { is_transient = true })))
      assert.equal(1, tries { drop = "request" })
    end)

    it("are not made if they can't succeed, or not in time", function()
      for _, code in ipairs { 131047, 131026, 131009, 132001, 131048, 131049, 80007 } do
        assert.equal(1, tries(cloud_gateway.refusal(code, 400)), code)
      end
    end)
  end)
end)
