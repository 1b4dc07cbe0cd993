-- The requests that the methods of Cloud resources make, over TLS and with the API key.

local cloud_templates = require "spec.support.cloud_templates"
local core = require "waba.core"
local servers = require "spec.support.server"
local waba = require "waba"

local KEY = "the-secret-key"

-- Rows: a call of a method, and the request that the call makes.
local calls = {
  { function(c) return c.templates:list { limit = 5 } end, "GET", "/message_templates", "limit=5",
    response = '{"data":[]}' },
  { function(c) return c.templates:get "7" end, "GET", "/message_templates/7", response = '{"id":"7"}' },
  { function(c) return c.templates:create(cloud_templates.new "full") end, "POST", "/message_templates",
    body = cloud_templates.new "full", response = '{"id":"7"}' },
  { function(c) return c.templates:edit("7", { category = "UTILITY" }) end, "POST", "/message_templates/7",
    body = { category = "UTILITY" } },
  { function(c) return c.templates:delete("a", { id = "7" }) end, "DELETE", "/message_templates", "hsm_id=7&name=a" },
  { function(c) return c.templates:delete_ids { "7" } end, "DELETE", "/message_templates", "hsm_ids=%5B%227%22%5D" },
  { function(c) return c.templates:archive { "7" } end, "POST", "/message_templates/archive",
    body = { hsm_ids = { "7" } } },
  { function(c) return c.templates:unarchive { "7" } end, "POST", "/message_templates/unarchive",
    body = { hsm_ids = { "7" } } },
  { function(c) return c.templates:library { topic = "PAYMENTS" } end, "GET", "/message_template_library",
    "topic=PAYMENTS", response = '{"data":[]}' },
  { function(c) return c.profile:about() end, "GET", "/whatsapp_business_profile", "fields=about" },
  { function(c) return c.profile:set_about "Hi" end, "POST", "/whatsapp_business_profile",
    body = { messaging_product = "whatsapp", about = "Hi" } },
  { function(c) return c.profile:business() end, "GET", "/whatsapp_business_profile",
    "fields=address%2Cdescription%2Cemail%2Cvertical%2Cwebsites" },
  { function(c) return c.webhook:get() end, "GET", "/v1/configs/webhook" },
  { function(c) return c.webhook:set { url = "https://a.example/h" } end, "POST", "/v1/configs/webhook",
    body = { url = "https://a.example/h" } },
  { function(c) return c.webhook:account() end, "GET", "/waba_webhook" },
  { function(c) return c.webhook:set_account { url = "https://a.example/h" } end, "POST", "/waba_webhook",
    body = { url = "https://a.example/h", override_all = false } },
  { function(c) return c.webhook:destinations() end, "GET", "/multi_webhook" },
  { function(c) return c.webhook:set_destinations { destinations = {} } end, "POST", "/multi_webhook",
    body = { enabled = true, destinations = {} } },
  { function(c) return c.webhook:add_destination { name = "a", url = "https://a.example/h" } end, "PUT",
    "/multi_webhook", body = { destinations = { { name = "a", url = "https://a.example/h" } } } },
  { function(c) return c.webhook:update_destination { name = "a", url = "https://a.example/h" } end, "PATCH",
    "/multi_webhook", body = { name = "a", url = "https://a.example/h" } },
  { function(c) return c.block_list:list { limit = 5 } end, "GET", "/block_users", "limit=5", response = '{"data":[]}' },
  { function(c) return c.block_list:block { "+4915112345678" } end, "POST", "/block_users",
    body = { messaging_product = "whatsapp", block_users = { { user = "+4915112345678" } } } },
  { function(c) return c.block_list:unblock { "+4915112345678" } end, "DELETE", "/block_users",
    body = { messaging_product = "whatsapp", block_users = { { user = "+4915112345678" } } } },
  { function(c) return c.conversational_automation:get() end, "GET", "/conversational_automation" },
  { function(c)
    return c.conversational_automation:set { enable_welcome_message = true, prompts = {}, commands = {} }
  end, "POST", "/conversational_automation", body = { enable_welcome_message = true, prompts = {}, commands = {} } },
  { function(c) return c.commerce_settings:get() end, "GET", "/whatsapp_commerce_settings" },
  { function(c) return c.commerce_settings:set { is_cart_enabled = true } end, "POST", "/whatsapp_commerce_settings",
    "is_cart_enabled=true", body = "" },
  { function(c) return c.qr_codes:list() end, "GET", "/message_qrdls", response = '{"data":[]}' },
  { function(c) return c.qr_codes:create { prefilled_message = "Hi" } end, "POST", "/message_qrdls",
    body = { prefilled_message = "Hi" }, response = '{"code":"A7"}' },
  { function(c) return c.qr_codes:get "A7" end, "GET", "/message_qrdls/A7", response = '{"code":"A7"}' },
  { function(c) return c.qr_codes:edit("A7", { prefilled_message = "Hi" }) end, "POST", "/message_qrdls",
    body = { code = "A7", prefilled_message = "Hi" }, response = '{"code":"A7"}' },
  { function(c) return c.qr_codes:delete "A7" end, "DELETE", "/message_qrdls/A7" },
}

for _, protocol in ipairs { "HTTP/1.1", "HTTP/2" } do
  describe("the resources of Cloud hosting over " .. protocol, function()
    local gateway, client

    setup(function()
      gateway = servers.start { tls = true, protocol = protocol }
      client = waba.client {
        hosting = "cloud", api_key = KEY, base_url = gateway.url, ca_file = gateway.ca_file, pace = false, retry = false,
      }
    end)

    teardown(function()
      client:close()
      gateway:stop()
    end)

    it("make one request for each call", function()
      for i, call in ipairs(calls) do
        local perform, method, path, query = call[1], call[2], call[3], call[4]
        gateway:forget()
        gateway:respond(path, { headers = { { "content-type", "application/json" } }, body = call.response or "{}" })
        local result, err = perform(client)
        local what = ("call %d (%s %s): "):format(i, method, path)
        assert.is_truthy(result, what .. tostring(err))
        local received = gateway:received()
        assert.equal(1, #received, what)
        local request = received[1]
        assert.equal(method, request.method, what)
        assert.equal(path, request.path, what)
        assert.equal(query or "", request.query or "", what)
        assert.equal(KEY, request.headers["d360-api-key"], what)
        if type(call.body) == "table" then
          assert.same(call.body, core.decode(request.body), what)
          assert.equal("application/json", request.headers["content-type"], what)
        else
          assert.equal("", request.body or "", what)
        end
      end
    end)
  end)
end
