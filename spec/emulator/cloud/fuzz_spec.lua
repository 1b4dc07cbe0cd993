-- Requests with random bodies, paths and queries: each response of the emulated Cloud gateway has the form of Meta's
-- Graph API or of 360dialog.

local cjson = require "cjson"

local random = require "spec.support.random"
local messages = require "spec.support.messages"
local support = require "spec.support.emulator"
local waba = require "waba"

local ROUNDS = 800

local TEMPLATE = { name = "note", language = "en", category = "UTILITY", parameter_format = "POSITIONAL",
  message_send_ttl_seconds = 60, components = {
    { type = "HEADER", format = "IMAGE", example = { header_handle = { "4:x" } } },
    { type = "BODY", text = "Hi {{1}} there", example = { body_text = { { "a" } } } },
    { type = "BUTTONS", buttons = { { type = "URL", text = "Go", url = "https://x.de/{{1}}", example = { "1" } },
      { type = "OTP", otp_type = "ONE_TAP", supported_apps = { { package_name = "a", signature_hash = "12345678901" } } } } },
    { type = "CAROUSEL", cards = { { components = { { type = "BODY", text = "B" } } },
      { components = { { type = "BODY", text = "B" } } } } },
    { type = "LIMITED_TIME_OFFER", limited_time_offer = { text = "Now", has_expiration = true } } } }

local LIBRARY = { name = "n", language = "en_US", category = "UTILITY", library_template_name = "payment_overdue_1",
  library_template_button_inputs = { { type = "URL", url = { base_url = "https://x.de/", url_suffix_example = "y" } },
    { type = "PHONE_NUMBER", phone_number = "+49" } } }

local BODIES = {
  { "POST", "/message_templates", TEMPLATE }, { "POST", "/message_templates", LIBRARY },
  { "POST", "/message_templates/archive", { hsm_ids = { "1" } } },
  { "POST", "/messages", { messaging_product = "whatsapp", status = "read", message_id = "wamid.x",
    typing_indicator = { type = "text" } } },
  { "POST", "/whatsapp_business_profile", { messaging_product = "whatsapp", about = "a", websites = { "https://x.de" },
    profile_picture_handle = "4:x" } },
  { "POST", "/block_users", { messaging_product = "whatsapp", block_users = { { user = "+49151" } } } },
  { "POST", "/conversational_automation", { prompts = { "p" }, commands = { { command_name = "n",
    command_description = "d" } } } },
  { "POST", "/message_qrdls", { prefilled_message = "m", generate_qr_image = "PNG" } },
  { "POST", "/v1/configs/webhook", { url = "https://x.de", headers = { a = "b" } } },
  { "POST", "/waba_webhook", { url = "https://x.de", override_all = true } },
  { "POST", "/multi_webhook", { enabled = true, destinations = { { name = "a", url = "https://x.de", headers = {} } } } },
  { "PUT", "/multi_webhook", { destinations = { { name = "b", url = "https://x.de" } } } },
  { "PATCH", "/multi_webhook", { name = "a", url = "https://x.de" } },
}

local STRANGE = { cjson.null, true, -1, 1.5, 1e15, "", "{{1}}", ("x"):rep(5000), "\1", "DE.1", { "x" }, { a = { 1 } },
  { { 1 } } }

-- Replaces a value in a body by a random one, or removes it.
local function disturb(rng, body)
  local places = {}
  local function walk(value)
    local names = {}
    for name in pairs(value) do names[#names + 1] = name end
    table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
    for _, name in ipairs(names) do
      places[#places + 1] = { value, name }
      if type(value[name]) == "table" then walk(value[name]) end
    end
  end
  walk(body)
  if #places == 0 then return end
  local place = random.pick(rng, places)
  local strange = random.pick(rng, STRANGE)
  if type(strange) == "table" then
    strange = messages.copy(strange)
  elseif #place[1] == 0 and rng(1, 8) == 1 then
    strange = nil
  end
  place[1][place[2]] = strange
end

local function some_request(rng)
  if rng(1, 2) == 1 then
    local message = messages.copy(messages.random(rng, nil, "cloud"))
    message.messaging_product, message.to = "whatsapp", "+4915112345678"
    return { "POST", rng(1, 8) == 1 and "/marketing_messages" or "/messages", message }
  end
  local one = random.pick(rng, BODIES)
  return { one[1], one[2], messages.copy(one[3]) }
end

-- Paths with a query, and values of the query.
local QUERIES = {
  { "GET", "/message_templates", { "limit", "after", "before", "fields", "status", "content" } },
  { "GET", "/message_template_library", { "search", "topic", "limit", "language" } },
  { "DELETE", "/message_templates", { "name", "hsm_id", "hsm_ids" } },
  { "GET", "/whatsapp_business_profile", { "fields" } }, { "GET", "/health_status", { "fields" } },
  { "GET", "/block_users", { "limit", "after" } }, { "GET", "/message_qrdls", { "limit", "before" } },
  { "POST", "/whatsapp_commerce_settings", { "is_cart_enabled" } },
  { "POST", "/uploads", { "file_length", "file_type", "file_name" } },
  { "GET", "/whatsapp_business/attachments/", { "mid", "ext", "hash" } },
}

local VALUES = { "1", "0", "-1", "1.5", "1e400", "nan", "0x10", "99999999999999999999", "", "%FF", "%", "%5B1", "a,b,,c",
  "%5B%22x%22,null%5D", "QVFIU99999999999999999999ZDc=", "true", "image/png", "%28", "." }

describe("the Cloud gateway", function()
  it("responds to any query and any path", function()
    local emulator = assert(support.start({ cloud = { statuses = false } }))
    local client = waba.client(emulator:options({ hosting = "cloud", retry = false, pace = false }))
    finally(function()
      client:close()
      emulator:stop()
    end)
    local _, file = client:request({ method = "GET", path = "/1" })
    assert.equal(100, file.code)
    local id = client.media:upload({ data = "\255\216\255", type = "image/jpeg" }).id
    local rng = random.rng(5)
    for round = 1, ROUNDS / 4 do
      local one = random.pick(rng, QUERIES)
      local pairs_of_query = {}
      for _, name in ipairs(one[3]) do
        local value = name == "mid" and rng(1, 2) == 1 and id or random.pick(rng, VALUES)
        pairs_of_query[#pairs_of_query + 1] = rng(1, 3) > 1 and name .. "=" .. value or nil
      end
      local path = one[2] .. "?" .. table.concat(pairs_of_query, "&")
      local response, err = client:request({ method = one[1], path = path })
      local status = response ~= nil and 200 or err.status
      assert(status and status < 500, ("round %d: %s %s: %s"):format(round, one[1], path, tostring(err)))
    end
    for _, path in ipairs({ "/%FF", "//", "/upload:", "/upload:x?sig=%", "/message_templates/%00", "/media/../messages" }) do
      local response, err = client:request({ method = "GET", path = path })
      assert.is_true(response ~= nil or err.status ~= nil, path)
    end
  end)

  it("responds to any body", function()
    local emulator = assert(support.start({ cloud = { statuses = false } }))
    local client = waba.client(emulator:options({ hosting = "cloud", retry = false, pace = false }))
    finally(function()
      client:close()
      emulator:stop()
    end)
    local rng, refused = random.rng(2024), 0
    for round = 1, ROUNDS do
      local request = some_request(rng)
      for _ = 1, rng(1, 2) do disturb(rng, request[3]) end
      local text = cjson.encode(request[3])
      local response, err = client:request({ method = request[1], path = request[2], body = text,
        media_type = "application/json" })
      local status = response ~= nil and 200 or err.status
      assert(status and status < 500, ("round %d: %s %s %s: %s"):format(round, request[1], request[2], text,
        tostring(err)))
      refused = refused + (status >= 400 and 1 or 0)
    end
    assert.is_true(refused > ROUNDS / 2)
  end)
end)
