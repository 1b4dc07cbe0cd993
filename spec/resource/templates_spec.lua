local core = require "waba.core"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

local function template(name, more)
  local result = { name = name, language = "de", category = "UTILITY" }
  result.components = { { type = "BODY", text = "Hallo" } }
  for key, value in pairs(more or {}) do result[key] = value end
  return result
end

-- Returns a template that has every component.
local function full()
  return template("order_ready_v2", {
    components = {
      { type = "HEADER", format = "TEXT", text = "Bestellung {{1}}", example = { header_text = { "118" } } },
      {
        type = "BODY", text = "Hallo {{1}}, Ihre Brille {{2}} ist fertig.",
        example = { body_text = { { "Eva", "Modell Blau" } } },
      },
      { type = "FOOTER", text = "Kern Optik" },
      {
        type = "BUTTONS",
        buttons = {
          { type = "QUICK_REPLY", text = "Ich komme" },
          {
            type = "URL", text = "Details", url = "https://kern.example/o/{{1}}",
            example = { "https://kern.example/o/118" },
          },
          { type = "PHONE_NUMBER", text = "Anrufen", phone_number = "+49305550199" },
        },
      },
    },
  })
end

local function login_code(otp)
  return template("login_code", {
    category = "AUTHENTICATION",
    components = {
      { type = "BODY", add_security_recommendation = true },
      { type = "FOOTER", code_expiration_minutes = 10 },
      { type = "BUTTONS", buttons = { otp or { type = "OTP", otp_type = "COPY_CODE", text = "Kopieren" } } },
    },
  })
end

describe("client.templates", function()
  local emulator, client

  local before -- the number of requests before the test

  setup(function()
    local known = {}
    for i = 1, 7 do
      known[i] = template(("offer_%d"):format(i), { status = i % 2 == 0 and "approved" or "rejected" })
    end
    emulator = assert(waba.emulator.start { statuses = false, templates = known })
    client = waba.client(emulator:options { pace = false, retry = false })
  end)

  teardown(function()
    client:close()
    emulator:stop()
  end)

  before_each(function() before = emulator:counts().requests end)

  local function requests() return emulator:counts().requests - before end

  local function names(list)
    local found = {}
    for i, item in ipairs(list) do found[i] = item.name end
    return table.concat(found, " ")
  end

  describe("list", function()
    it("returns a page, and the total number", function()
      local page = assert(client.templates:list { limit = 3, offset = 2 })
      assert.equal("offer_3 offer_4 offer_5", names(page.templates))
      assert.equal(3, page.count)
      assert.equal(7, page.total)
      assert.equal(3, page.limit)
      assert.equal(2, page.offset)
      if math.type then assert.equal("integer", math.type(page.total)) end
    end)

    it("returns templates in the platform's form", function()
      local first = assert(client.templates:list()).templates[1]
      assert.equal("offer_1", first.name)
      assert.equal("de", first.language)
      assert.equal("UTILITY", first.category)
      assert.equal("rejected", first.status)
      assert.equal("NONE", first.rejected_reason)
      assert.equal("9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", first.namespace)
      assert.same({ { type = "BODY", text = "Hallo" } }, first.components)
      assert.equal("string", type(first.id))
    end)

    it("sorts and filters at the gateway", function()
      local page = assert(client.templates:list { sort = "-name", limit = 2 })
      assert.equal("offer_7 offer_6", names(page.templates))
      page = assert(client.templates:list { sort = { "status", "-name" }, limit = 4 })
      assert.equal("offer_6 offer_4 offer_2 offer_7", names(page.templates))
      page = assert(client.templates:list { filters = { ["business_templates.name"] = "offer_5" } })
      assert.equal("offer_5", names(page.templates))
      page = assert(client.templates:list { filters = '{"name":"offer_6"}' })
      assert.equal("offer_6", names(page.templates))
      page = assert(client.templates:list { name = "offer_5", filters = { language = "de" } })
      assert.equal("offer_5", names(page.templates))
      assert.equal("offer_5", names(assert(client.templates:list { name = "offer_5" }).templates))
      assert.equal(0, client.templates:list({ name = "offer_5", filters = { language = "en" } }).count)
      local none, err = client.templates:list { name = "offer_5", filters = "{}" }
      assert.is_nil(none)
      assert.equal("name", err.path)
    end)

    it("compares states in any case", function()
      assert(emulator:review_template("offer_1", "PAUSED"))
      assert.equal("offer_1", names(assert(client.templates:list { status = "paused" }).templates))
      assert.equal("PAUSED", client.templates:list({ status = "Paused" }).templates[1].status)
      local page = assert(client.templates:list { status = "APPROVED", limit = 4 })
      assert.equal("offer_2 offer_4", names(page.templates))
      assert.equal(4, page.count)
      assert(emulator:review_template("offer_1", "rejected"))
    end)

    it("is empty if there are none", function()
      local page = assert(client.templates:list { offset = 100 })
      assert.same({}, page.templates)
      assert.equal(0, page.count)
      assert.equal(7, page.total)
    end)

    it("returns no JSON null", function()
      local scripted = scripted_transport.client {
        { body = '{"waba_templates":[{"name":"a","language":"de","id":12345678901234567890,"rejected_reason":null,'
          .. '"components":[{"type":"BODY","text":"x","example":null}]},{"name":"b","components":null}]}' },
      }
      local page = assert(scripted.templates:list())
      assert.same({ name = "a", language = "de", id = "12345678901234567890",
        components = { { type = "BODY", text = "x" } } }, page.templates[1])
      assert.same({ name = "b", components = {} }, page.templates[2])
      assert.equal(2, page.count)
      assert.equal(2, page.total)
      assert.equal(0, page.offset)
    end)

    it("refuses a response without templates", function()
      local scripted = scripted_transport.client { { body = "{}" } }
      assert.equal("protocol", select(2, scripted.templates:list()).kind)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.templates:list { limit = 0 } end, "limit must be at least 1")
      assert.error_matches(function() client.templates:list { offset = -1 } end, "offset must be at least 0")
      assert.error_matches(function() client.templates:list { page = 1 } end, "unknown option page")
      assert.error_matches(function() client.templates:list { limit = 1.5 } end, "limit must be integer")
    end)
  end)

  describe("each", function()
    it("iterates over all pages", function()
      local found = {}
      for item, err in client.templates:each { limit = 3 } do
        assert.is_nil(err)
        found[#found + 1] = item
      end
      assert.equal("offer_1 offer_2 offer_3 offer_4 offer_5 offer_6 offer_7", names(found))
      assert.equal(3, requests())
    end)

    it("requests no more pages than necessary", function()
      for item in client.templates:each { limit = 3 } do
        if item.name == "offer_2" then break end
      end
      assert.equal(1, requests())
    end)

    it("stops after one page that is exactly full", function()
      local count = 0
      for _ in client.templates:each { limit = 7 } do count = count + 1 end
      assert.equal(7, count)
      assert.equal(1, requests())
    end)

    it("skips templates with other states, also whole pages", function()
      local found = {}
      for item in client.templates:each { limit = 1, status = "APPROVED" } do found[#found + 1] = item end
      assert.equal("offer_2 offer_4 offer_6", names(found))
    end)

    it("returns an error in its last iteration", function()
      emulator:fail_next { path = "/v1/configs/templates", status = 500, times = 1 }
      local turns, seen = 0, nil
      for item, err in client.templates:each() do
        turns = turns + 1
        assert.is_false(item)
        seen = err
      end
      assert.equal(1, turns)
      assert.equal("unavailable", seen.kind)
    end)

    it("returns the templates before the error", function()
      local scripted = scripted_transport.client({
        { body = '{"count":1,"total":3,"waba_templates":[{"name":"a"}]}' }, { status = 404 },
      }, { retry = false })
      local found = {}
      for item, err in scripted.templates:each() do found[#found + 1] = item and item.name or err.kind end
      assert.same({ "a", "not_found" }, found)
    end)

    it("ends if the gateway has fewer templates than its total", function()
      local scripted = scripted_transport.client {
        { body = '{"count":1,"total":3,"waba_templates":[{"name":"a"}]}' },
        { body = '{"count":0,"total":3,"waba_templates":[]}' },
      }
      local count = 0
      for _ in scripted.templates:each() do count = count + 1 end
      assert.equal(1, count)
    end)

    it("lets other coroutines run while it waits for a page", function()
      local ticks, finished, at = 0, false, {}
      emulator:fail_next { path = "/v1/configs/templates", delay = 0.05, times = 4 }
      waba.run(function()
        waba.spawn(function()
          while not finished do
            ticks = ticks + 1
            waba.sleep(0)
          end
        end)
        for item in client.templates:each { limit = 2 } do at[#at + 1] = { ticks = ticks, name = item.name } end
        finished = true
      end)
      assert.equal("offer_1 offer_2 offer_3 offer_4 offer_5 offer_6 offer_7", names(at))
      assert.is_true(at[7].ticks > 0)
      if _VERSION == "Lua 5.1" and not jit then return end -- in Lua 5.1, the iterator of a `for` loop can't yield
      assert.is_true(at[7].ticks > at[1].ticks)
    end)
  end)

  describe("create", function()
    it("creates a template, which is in the list afterwards", function()
      local created = assert(client.templates:create(full()))
      assert.equal("submitted", created.status)
      assert.equal("order_ready_v2", created.name)
      assert.equal("string", type(created.namespace))
      local page = assert(client.templates:list { filters = { name = "order_ready_v2" } })
      assert.same(full().components, page.templates[1].components)
    end)

    it("accepts every kind of template", function()
      local kinds = { login_code() }
      kinds[2] = login_code { type = "OTP", otp_type = "ONE_TAP", text = "Kopieren", autofill_text = "Ausfüllen",
        package_name = "com.example.shop", signature_hash = "K8a/AINcGX7" }
      kinds[2].name = "login_code_tap"
      for i, format in ipairs { "IMAGE", "VIDEO", "DOCUMENT", "LOCATION" } do
        kinds[#kinds + 1] = template("header_" .. i, { components = {
          {
            type = "HEADER", format = format,
            example = format ~= "LOCATION" and { header_handle = { "4::aW" } } or nil,
          },
          { type = "BODY", text = "Hallo" },
        } })
      end
      kinds[#kinds + 1] = template("marketing", { category = "MARKETING", allow_category_change = true })
      local many = {}
      for i = 1, 10 do many[i] = { type = "QUICK_REPLY", text = "Wahl " .. i } end
      kinds[#kinds + 1] = template("many_buttons", {
        components = { { type = "BODY", text = "Hallo" }, { type = "BUTTONS", buttons = many } },
      })
      for _, kind in ipairs(kinds) do
        local created, err = client.templates:create(kind)
        assert.is_truthy(created, kind.name .. ": " .. tostring(err))
      end
    end)

    it("returns the gateway's error", function()
      local created, err = client.templates:create(full())
      assert.is_nil(created)
      assert.equal("invalid", err.kind)
      assert.truthy(err.message:find("of this name in this language already", 1, true))
    end)

    it("reports that the template may have been created if the response is empty", function()
      local scripted = scripted_transport.client { { body = "{}" } }
      local created, err = scripted.templates:create(full())
      assert.is_nil(created)
      assert.equal("protocol", err.kind)
      assert.is_true(err.maybe_sent)
    end)

    -- Columns: a change that makes a valid template invalid, the path of the error, true if the platform does not
    -- document the rule.
    local faults = {
      { "name", function(t) t.name = nil end },
      { "name", function(t) t.name = "Order" end },
      { "name", function(t) t.name = ("a"):rep(513) end },
      { "language", function(t) t.language = nil end },
      { "category", function(t) t.category = nil end },
      { "category", function(t) t.category = "utility" end },
      { "components", function(t) t.components = nil end },
      { "components", function(t) t.components = {} end },
      { "components", function(t) table.remove(t.components, 2) end },
      { "components", function(t) t.components[5] = { type = "BODY", text = "x" } end },
      { "components[4].type", function(t) t.components[4] = { type = "FOOTER", text = "x" } end },
      { "components[1].type", function(t) t.components[1].type = "header" end },
      { "components[1].type", function(t) t.components[1].type = nil end },
      { "components[1].format", function(t) t.components[1].format = "AUDIO" end },
      { "components[1].format", function(t) t.components[1].format = nil end },
      { "components[1].text", function(t) t.components[1].text = nil end },
      { "components[1].text", function(t) t.components[1].text = ("ä"):rep(61) end },
      { "components[1].text", function(t) t.components[1].text = "{{1}} {{2}}" end },
      { "components[1].text", function(t) t.components[1].text = "{{2}}" end, inferred = true },
      { "components[1].text", function(t) t.components[1].format = "IMAGE" end },
      { "components[2].text", function(t) t.components[2].text = nil end },
      { "components[2].text", function(t) t.components[2] = { type = "BODY", text = ("ä"):rep(1025) } end },
      { "components[2].text", function(t) t.components[2].text = "{{1}} {{3}}" end, inferred = true },
      { "components[2].text", function(t) t.components[2].text = "{{name}}" end, inferred = true },
      { "components[2].example.body_text[1]", function(t) t.components[2].example.body_text[1][3] = "x" end,
        inferred = true },
      { "components[2].example.body_txt", function(t) t.components[2].example.body_txt = { "x" } end, inferred = true },
      { "components[2].subtitle", function(t) t.components[2].subtitle = "x" end },
      { "components[3].text", function(t) t.components[3].text = ("ä"):rep(61) end },
      { "components[3].text", function(t) t.components[3].text = "Kern {{1}}" end },
      { "components[3]", function(t) t.components[3].text = nil end },
      { "components[3]", function(t) t.components[3].code_expiration_minutes = 5 end, inferred = true },
      { "components[3].code_expiration_minutes", function(t)
        t.components[3] = { type = "FOOTER", code_expiration_minutes = 91 }
      end },
      { "components[3].code_expiration_minutes", function(t)
        t.components[3] = { type = "FOOTER", code_expiration_minutes = 0 }
      end },
      { "components[4].buttons", function(t) t.components[4].buttons = {} end },
      { "components[4].buttons", function(t)
        for i = 1, 11 do t.components[4].buttons[i] = { type = "QUICK_REPLY", text = "Wahl " .. i } end
      end },
      { "components[4].buttons[1].type", function(t) t.components[4].buttons[1].type = "REPLY" end },
      { "components[4].buttons[1].text", function(t) t.components[4].buttons[1].text = ("ä"):rep(26) end,
        inferred = true },
      { "components[4].buttons[1].text", function(t) t.components[4].buttons[1].text = nil end },
      { "components[4].buttons[1].url", function(t) t.components[4].buttons[1].url = "https://a.example" end },
      { "components[4].buttons[2].url", function(t) t.components[4].buttons[2].url = nil end },
      { "components[4].buttons[2].url", function(t) t.components[4].buttons[2].url = "kern.example" end },
      { "components[4].buttons[2].url", function(t)
        t.components[4].buttons[2].url = "https://kern.example/" .. ("x"):rep(1980)
      end, inferred = true },
      { "components[4].buttons[2].url", function(t)
        t.components[4].buttons[2].url = "https://kern.example/{{1}}/order"
      end },
      { "components[4].buttons[2].url", function(t)
        t.components[4].buttons[2].url = "https://kern.example/{{1}}{{2}}"
      end },
      { "components[4].buttons[3].phone_number", function(t) t.components[4].buttons[3].phone_number = nil end },
      { "components[4].buttons", function(t) t.components[4].buttons = nil end },
      { "components[4].buttons[3].phone_number", function(t)
        t.components[4].buttons[3].phone_number = ("1"):rep(21)
      end, inferred = true },
      { "components[4].buttons[1].type", function(t)
        t.components[4].buttons[1] = { type = "OTP", otp_type = "COPY_CODE" }
      end, inferred = true },
      { "components[4].buttons[1].otp_type", function(t)
        t.components[4].buttons[1] = { type = "OTP", otp_type = "CALL" }
      end },
      { "components[4].buttons[1].package_name", function(t)
        t.components[4].buttons[1] = { type = "OTP", otp_type = "ONE_TAP", signature_hash = "K8a/AINcGX7" }
      end, inferred = true },
    }

    it("refuses templates that break a rule, names the field, and sends nothing", function()
      for i, fault in ipairs(faults) do
        local broken = full()
        fault[2](broken)
        local created, err = client.templates:create(broken)
        local what = ("fault %d (%s): "):format(i, fault[1])
        assert.is_nil(created, what)
        assert.equal("invalid", err.kind, what .. tostring(err))
        assert.equal(fault[1], err.path, what .. tostring(err))
        assert.truthy(err.message:find(err.path, 1, true), what .. tostring(err))
      end
      assert.equal(0, requests())
    end)

    it("does not check undocumented rules in the mode documented", function()
      for i, fault in ipairs(faults) do
        local lenient = scripted_transport.client({ { body = '{"name":"x"}' } }, { validate = "documented" })
        local broken = full()
        fault[2](broken)
        local created = lenient.templates:create(broken)
        assert.equal(fault.inferred or false, created ~= nil, ("fault %d (%s)"):format(i, fault[1]))
      end
    end)

    it("sends every template with validate = false", function()
      local scripted, transport = scripted_transport.client({ { body = '{"name":"x"}' } }, { validate = false })
      assert(scripted.templates:create { name = "Not A Name" })
      assert.same({ name = "Not A Name" }, core.decode(transport.requests[1].body))
    end)

    it("accepts texts up to the limits", function()
      local longest = full()
      longest.name = ("a"):rep(512)
      longest.components[1].text = ("ä"):rep(60)
      longest.components[2] = { type = "BODY", text = ("ä"):rep(1024) }
      longest.components[3].text = ("ä"):rep(60)
      longest.components[4].buttons[1].text = ("ä"):rep(25)
      longest.components[4].buttons[2].url = "https://kern.example/" .. ("x"):rep(1979)
      longest.components[4].buttons[3].phone_number = "+" .. ("1"):rep(19)
      local created, err = client.templates:create(longest)
      assert.is_truthy(created, tostring(err))
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.templates:create { components = "x" } end, "components must be table")
      assert.error_matches(function() client.templates:create { categroy = "x" } end, "did you mean category%?")
    end)
  end)

  describe("delete", function()
    it("removes all languages of a name", function()
      assert(client.templates:create(template("offer_1", { language = "en" })))
      assert.is_true(client.templates:delete "offer_1")
      assert.equal(0, client.templates:list({ filters = { name = "offer_1" } }).count)
    end)

    it("returns an error if the template does not exist", function()
      local deleted, err = client.templates:delete "no_such_template"
      assert.is_nil(deleted)
      assert.equal("not_found", err.kind)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.templates:delete() end, "the name must be a string")
    end)
  end)

  describe("namespace", function()
    it("is read from any template, once", function()
      assert.equal("9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", client.templates:namespace())
      assert.equal("9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", client.templates:namespace())
      assert.equal(1, requests())
    end)

    it("is not found if no template has it, and requested again", function()
      local scripted = scripted_transport.client {
        { body = '{"waba_templates":[]}' }, { body = '{"waba_templates":[{"name":"a","namespace":null}]}' },
        { body = '{"waba_templates":[{"name":"a"},{"name":"b","namespace":"n"}]}' },
      }
      for _ = 1, 2 do
        local namespace, err = scripted.templates:namespace()
        assert.is_nil(namespace)
        assert.equal("not_found", err.kind)
      end
      assert.equal("n", scripted.templates:namespace())
    end)
  end)
end)
