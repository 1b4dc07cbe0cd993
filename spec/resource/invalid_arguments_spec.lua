-- Methods of resources with an invalid argument: each returns nil and an error that names the argument, and sends
-- nothing.

local errors = require "waba.errors"
local scripted_transport = require "spec.support.scripted_transport"

local NUMBER, ID, URL = "+4915112345678", "7781230045", "https://a.example/hook"
local PNG = "\137PNG\r\n\26\n" .. ("y"):rep(100)

local function numbers(count)
  local list = {}
  for index = 1, count do list[index] = NUMBER end
  return list
end

local function ids(count)
  local list = {}
  for index = 1, count do list[index] = tostring(1000 + index) end
  return list
end

local function destination(more)
  local options = { name = "a", url = URL }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

-- Columns: hosting or "both", resource and method, path of the error, arguments.
local ROWS = {
  { "cloud", "block_list.block", "users", {} }, { "cloud", "block_list.block", "users", numbers(1001) },
  { "cloud", "block_list.block", "users[2]", { NUMBER, "12" } },
  { "cloud", "block_list.block", "users[1]", { { group_id = "Y2Fwa" } } },
  { "cloud", "block_list.unblock", "users", {} }, { "cloud", "block_list.unblock", "users[1]", { "12" } },
  { "both", "contacts.block", "number", "12" }, { "cloud", "contacts.block", "reason", NUMBER, "offers" },
  { "on_premise", "contacts.block", "reason", NUMBER, ("x"):rep(61) },
  { "both", "contacts.check", "contacts", {} }, { "both", "contacts.check", "contacts[2]", { NUMBER, "12" } },
  { "both", "contacts.identity", "wa_id", "12" }, { "both", "contacts.acknowledge", "wa_id", "12", "hash" },
  { "cloud", "conversational_automation.set", "prompts[1]", { prompts = { ("x"):rep(81) } } },
  { "cloud", "conversational_automation.set", "commands[2].command_name", { commands = {
    { command_name = "a", command_description = "x" }, { command_name = "a", command_description = "y" } } } },
  { "both", "media.upload", "type", { data = "x", type = "jpeg" } }, { "both", "media.upload", "type", { data = PNG } },
  { "both", "media.upload", "size", { data = "", type = "image/png" } },
  { "both", "media.upload", "size", { data = "x", size = 2, type = "image/png" } },
  { "both", "media.upload", "file", { file = "/nonexistent/a.png" } },
  { "cloud", "media.upload", "ttl_minutes", { data = PNG, type = "image/png", ttl_minutes = 59 } },
  { "cloud", "media.upload", "ttl_minutes", { data = PNG, type = "image/png", ttl_minutes = 43201 } },
  { "on_premise", "media.upload", "ttl_minutes", { data = PNG, type = "image/png", ttl_minutes = 60 } },
  { "both", "media.download", "sha256", ID, { sha256 = "x" }, requests = { cloud = 1 } },
  { "both", "media.download", "file", ID, { file = "/nonexistent/a.png" }, requests = { cloud = 1 } },
  { "on_premise", "media.download", "url", ID, { url = URL } },
  { "cloud", "media.resumable", "type", { data = "x", type = "text/plain" } },
  { "cloud", "media.resumable", "size", { data = "", type = "image/png" } },
  { "cloud", "media.resumable", "upload", { data = PNG, type = "image/png", upload = "a b" } },
  { "cloud", "media.resumable", "upload", { data = PNG, type = "image/png", upload = "" } },
  { "cloud", "profile.set_about", "about", ("x"):rep(140) }, { "on_premise", "profile.set_about", "text", ("x"):rep(140) },
  { "both", "profile.set_business", "email", { email = "eva" } },
  { "both", "profile.set_business", "address", { address = ("x"):rep(257) } },
  { "both", "profile.set_photo", "type", { data = "GIF89a", type = "image/gif" } },
  { "both", "profile.set_photo", "type", { data = "odd" } },
  { "both", "profile.set_photo", "size", { data = "", type = "image/png" } },
  { "cloud", "qr_codes.create", "prefilled_message", { prefilled_message = "" } }, { "cloud", "qr_codes.create", "prefilled_message", {} },
  { "cloud", "qr_codes.create", "generate_qr_image", { prefilled_message = "x", generate_qr_image = "GIF" } },
  { "cloud", "qr_codes.edit", "prefilled_message", "A7", { prefilled_message = ("x"):rep(141) } },
  { "cloud", "qr_codes.get", "code", "" }, { "cloud", "qr_codes.edit", "code", "", { prefilled_message = "x" } },
  { "cloud", "qr_codes.delete", "code", "" },
  { "cloud", "templates.archive", "ids", {} }, { "cloud", "templates.archive", "ids", ids(101) },
  { "cloud", "templates.archive", "ids[2]", { ID, "x" } }, { "cloud", "templates.archive", "ids[1]", { -1 } },
  { "cloud", "templates.archive", "ids[1]", { 0 } }, { "cloud", "templates.archive", "ids[1]", { 1.5 } },
  { "cloud", "templates.archive", "ids[1]", { true } },
  { "cloud", "templates.unarchive", "ids", {} }, { "cloud", "templates.delete_ids", "ids[1]", { "x" } },
  { "cloud", "templates.compare", "id", "x", ID }, { "cloud", "templates.compare", "other", ID, "x" },
  { "cloud", "templates.compare", "days", ID, "2", { days = 8 } },
  { "cloud", "templates.delete", "id", "a", { id = "x" } }, { "on_premise", "templates.delete", "id", "a", { id = ID } },
  { "cloud", "templates.edit", "id", "x", { category = "UTILITY" } }, { "cloud", "templates.get", "id", "x" },
  { "cloud", "templates.edit", "components", ID, { components = {} } },
  { "both", "templates.create", "name", { name = "A B", language = "en", category = "UTILITY",
    components = { { type = "BODY", text = "x" } } } },
  { "both", "webhook.set", "url", { url = "x" } }, { "both", "webhook.set", "url", { url = "http://a.example/" } },
  { "cloud", "webhook.set", "url", { url = "https://a_b.example/" } },
  { "cloud", "webhook.set", "url", { url = "https://a.example:8443/" } },
  { "both", "webhook.set", "password", { url = URL, user = "u" } }, { "both", "webhook.set", "user", { url = URL, password = "p" } },
  { "both", "webhook.set", "user", { url = URL, user = "a:b", password = "p" } },
  { "both", "webhook.set", "headers.Authorization", { url = URL, user = "u", password = "p", headers = { authorization = "x" } } },
  { "both", "webhook.set", "headers.a", { url = URL, headers = { a = 1 } } },
  { "both", "webhook.set", "headers.1", { url = URL, headers = { "x" } } },
  { "both", "webhook.set", "headers.a", { url = URL, headers = { a = "x\r\ny" } } },
  { "cloud", "webhook.set_account", "url", { url = "x" } }, { "cloud", "webhook.set_account", "password", { url = URL, user = "u" } },
  { "cloud", "webhook.add_destination", "url", destination { url = "x" } },
  { "cloud", "webhook.add_destination", "name", destination { name = "" } },
  { "cloud", "webhook.update_destination", "headers.a", destination { headers = { a = "\0" } } },
  { "cloud", "webhook.set_destinations", "destinations",
    { destinations = { destination(), destination(), destination(), destination() } } },
  { "cloud", "webhook.set_destinations", "destinations[2].name", { destinations = { destination(), destination() } } },
  { "cloud", "webhook.set_destinations", "destinations[1].url", { destinations = { destination { url = "x" } } } },
  { "cloud", "webhook.set_destinations", "destinations[1].user",
    { destinations = { destination { url = URL, password = "p" } } } },
}

-- Calls with valid arguments of methods that only one hosting supports.
local UNSUPPORTED = {
  { "on_premise", "block_list.block", { NUMBER } }, { "on_premise", "block_list.list" },
  { "cloud", "contacts.check", { NUMBER } }, { "cloud", "contacts.identity", NUMBER },
  { "cloud", "contacts.acknowledge", NUMBER, "hash" },
  { "on_premise", "media.resumable", { data = PNG, type = "image/png" } }, { "on_premise", "media.info", ID },
  { "on_premise", "qr_codes.list" }, { "on_premise", "qr_codes.get", "A7" }, { "on_premise", "qr_codes.delete", "A7" },
  { "on_premise", "templates.archive", { ID } }, { "on_premise", "templates.edit", ID, { category = "UTILITY" } },
  { "on_premise", "templates.get", ID }, { "on_premise", "templates.library" }, { "cloud", "templates.namespace" },
  { "on_premise", "templates.list", { after = "x" } }, { "cloud", "templates.list", { offset = 1 } },
  { "on_premise", "webhook.account" }, { "on_premise", "webhook.destinations" },
  { "on_premise", "calling_settings.get" }, { "on_premise", "commerce_settings.get" },
  { "on_premise", "conversational_automation.get" },
}

for _, hosting in ipairs { "on_premise", "cloud" } do
  describe("on " .. hosting .. " hosting", function()
    local function call(name, ...)
      local resource, method = name:match "^([%w_]+)%.([%w_]+)$"
      local client, transport = scripted_transport.client({ { body = '{"url":"https://lookaside.fbsbx.com/a"}' } },
        { hosting = hosting, retry = false })
      local result, err = client[resource][method](client[resource], ...)
      client:close()
      return result, err, #transport.requests
    end

    for index, row in ipairs(ROWS) do
      if row[1] == "both" or row[1] == hosting then
        it(("%s refuses an invalid %s (%d)"):format(row[2], row[3], index), function()
          local result, err, requests = call(row[2], row[4], row[5], row[6])
          assert.is_nil(result)
          assert.is_true(errors.is_error(err))
          assert.same({ "invalid", row[3] }, { err.kind, err.path }, tostring(err))
          assert.equal(row.requests and row.requests[hosting] or 0, requests)
        end)
      end
    end

    it("a file may be kept for the shortest and the longest time", function()
      if hosting ~= "cloud" then return end
      for _, minutes in ipairs { 60, 43200 } do
        local client, transport = scripted_transport.cloud_client { { body = '{"id":"1"}' } }
        assert.same({ id = "1" }, client.media:upload { data = PNG, type = "image/png", ttl_minutes = minutes })
        assert.truthy(transport.requests[1].body:find('name="ttl_minutes"\r\n\r\n' .. minutes .. "\r\n", 1, true))
      end
    end)

    it("text that is not UTF-8 is refused with validate = false, too", function()
      local calls = {
        function(client) return client.conversational_automation:set { prompts = { "\255" }, commands = {},
          enable_welcome_message = true } end,
        function(client) return client.qr_codes:create { prefilled_message = "\255" } end,
        function(client) return client.profile:set_about "\255" end,
        function(client) return client.calling_settings:set { status = "\255" } end,
        function(client) return client.contacts:block(NUMBER, hosting == "on_premise" and "\255" or "x") end,
        function(client) return client.webhook:set_destinations { destinations = { destination { name = "\255" } } } end,
      }
      for index, call_method in ipairs(calls) do
        local client, transport = scripted_transport.client({}, { hosting = hosting, retry = false, validate = false })
        local result, err = call_method(client)
        assert.is_nil(result, index)
        assert.equal("invalid", err.kind, index)
        assert.equal(0, #transport.requests)
      end
    end)

    it("a method or an option of the other hosting is refused", function()
      for _, row in ipairs(UNSUPPORTED) do
        if row[1] == hosting then
          local result, err, requests = call(row[2], row[3], row[4], row[5])
          assert.is_nil(result, row[2])
          assert.equal("invalid", err.kind, row[2])
          assert.equal(0, requests, row[2])
        end
      end
    end)
  end)
end
