-- The resources conversational_automation, commerce_settings and qr_codes of Cloud hosting.

local core = require "waba.core"
local scripted_transport = require "spec.support.scripted_transport"

local BASE = "https://waba-v2.360dialog.io"

local cloud = scripted_transport.cloud_client

local function e(count) return ("ä"):rep(count) end

local OK = { body = '{"success":true}' }

describe("client.conversational_automation", function()
  local STORED = '{"conversational_automation":{"enable_welcome_message":true,"prompts":["Hours"],"commands":'
    .. '[{"command_name":"status","command_description":"Order status"}]},"id":"1"}'
  local READ = {
    enable_welcome_message = true, prompts = { "Hours" },
    commands = { { command_name = "status", command_description = "Order status" } },
  }

  it("is read in every form", function()
    local client, transport = cloud {
      { body = STORED }, { body = '{"data":[' .. STORED .. "]}" }, { body = core.encode(READ) }, { body = "{}" },
      { status = 404, body = '{"error":{"message":"x","code":100,"error_subcode":33}}' },
      { body = '{"conversational_automation":{"prompts":null}}' }, { status = 401, body = "{}" },
    }
    for _ = 1, 3 do assert.same(READ, client.conversational_automation:get()) end
    for _ = 1, 3 do
      assert.same({ enable_welcome_message = false, prompts = {}, commands = {} }, client.conversational_automation:get())
    end
    assert.equal("auth", select(2, client.conversational_automation:get()).kind)
    assert.equal(BASE .. "/conversational_automation", transport.requests[1].url)
  end)

  it("is written as a whole, with the fields that are not set", function()
    local client, transport = cloud { { body = STORED }, OK }
    assert.same({ enable_welcome_message = true, prompts = { "Hours", "Where?" }, commands = READ.commands },
      client.conversational_automation:set { prompts = { "Hours", "Where?" } })
    assert.same({ enable_welcome_message = true, prompts = { "Hours", "Where?" }, commands = READ.commands },
      core.decode(transport.requests[2].body))
  end)

  it("is cleared with empty lists", function()
    local client, transport = cloud { OK }
    assert(client.conversational_automation:set { enable_welcome_message = false, prompts = {}, commands = {} })
    assert.equal(1, #transport.requests)
    local body = transport.requests[1].body
    for _, member in ipairs { '"enable_welcome_message":false', '"prompts":[]', '"commands":[]' } do
      assert.is_truthy(body:find(member, 1, true), body)
    end
    assert.equal("application/json", transport.requests[1].headers["Content-Type"])
  end)

  it("accepts values up to the limits", function()
    local commands = {}
    for i = 1, 30 do commands[i] = { command_name = ("c"):rep(30) .. ("%02d"):format(i), command_description = e(256) } end
    local good = { enable_welcome_message = true, prompts = { e(80), "b", "c", "d" }, commands = commands }
    local client, transport = cloud { OK }
    assert.is_truthy(client.conversational_automation:set(good))
    for _, fault in ipairs {
      { "prompts", { prompts = { "a", "b", "c", "d", "e" } } },
      { "prompts[1]", { prompts = { e(81) } } },
      { "prompts[1]", { prompts = { "" } } },
      { "prompts[1]", { prompts = { "Hi \240\159\145\141" } } },
      { "commands[1].command_name", { commands = { { command_name = e(33), command_description = "x" } } } },
      { "commands[1].command_description", { commands = { { command_name = "x", command_description = e(257) } } } },
      { "commands[1].command_description", { commands = { { command_name = "x" } } } },
      { "commands[2].command_name", { commands = {
        { command_name = "x", command_description = "y" }, { command_name = "x", command_description = "z" },
      } } },
    } do
      local stored, err = client.conversational_automation:set(fault[2])
      assert.is_nil(stored)
      assert.equal(fault[1], err.path)
    end
    commands[31] = { command_name = "x", command_description = "y" }
    assert.equal("commands has 31 elements; at most 30 are allowed",
      select(2, client.conversational_automation:set { commands = commands }).message)
    assert.equal(1, #transport.requests)
    assert.error_matches(function() client.conversational_automation:set {} end, "at least one field")
  end)
end)

describe("client.commerce_settings", function()
  it("are read, and set by the query", function()
    local client, transport = cloud {
      { body = '{"data":[{"id":"1","is_cart_enabled":true,"is_catalog_visible":false}]}' }, { body = '{"data":[]}' }, OK, OK,
    }
    assert.same({ is_cart_enabled = true, is_catalog_visible = false }, client.commerce_settings:get())
    assert.same({}, client.commerce_settings:get())
    assert.is_true(client.commerce_settings:set { is_cart_enabled = true, is_catalog_visible = false })
    assert.is_true(client.commerce_settings:set { is_cart_enabled = false })
    assert.equal(BASE .. "/whatsapp_commerce_settings?is_cart_enabled=true&is_catalog_visible=false",
      transport.requests[3].url)
    assert.equal("POST", transport.requests[3].method)
    assert.equal("", transport.requests[3].body)
    assert.error_matches(function() client.commerce_settings:set {} end, "is_cart_enabled or is_catalog_visible is required")
    assert.error_matches(function() client.commerce_settings:set { is_cart_enabled = "yes" } end, "must be boolean")
  end)
end)

describe("client.qr_codes", function()
  local CODE = '{"code":"ABCDEFGHIJKLM7","prefilled_message":"Hello","deep_link_url":"https://wa.me/message/ABCDEFGHIJKLM7",'
    .. '"qr_image_url":"https://scontent.example/q.png"}'
  local READ = {
    code = "ABCDEFGHIJKLM7", prefilled_message = "Hello", deep_link_url = "https://wa.me/message/ABCDEFGHIJKLM7",
    qr_image_url = "https://scontent.example/q.png",
  }

  it("are made, changed, read and deleted", function()
    local client, transport = cloud {
      { body = CODE }, { body = CODE }, { body = '{"data":[' .. CODE .. "]}" }, { body = CODE }, OK,
      { body = '{"data":[]}' }, { body = "{}" },
    }
    assert.same(READ, client.qr_codes:create { prefilled_message = "Hello", generate_qr_image = "PNG" })
    assert.same({ prefilled_message = "Hello", generate_qr_image = "PNG" }, core.decode(transport.requests[1].body))
    assert.same(READ, client.qr_codes:edit("ABCDEFGHIJKLM7", { prefilled_message = "Hello" }))
    assert.same({ code = "ABCDEFGHIJKLM7", prefilled_message = "Hello" }, core.decode(transport.requests[2].body))
    assert.same(READ, client.qr_codes:get "ABCDEFGHIJKLM7")
    assert.same(READ, client.qr_codes:get "ABCDEFGHIJKLM7")
    assert.is_true(client.qr_codes:delete "ABCDEFGHIJKLM7")
    assert.equal("DELETE", transport.requests[5].method)
    assert.equal(BASE .. "/message_qrdls/ABCDEFGHIJKLM7", transport.requests[5].url)
    assert.equal("not_found", select(2, client.qr_codes:get "ABCDEFGHIJKLM7").kind)
    local code, err = client.qr_codes:create { prefilled_message = "x" }
    assert.is_nil(code)
    assert.equal("protocol", err.kind)
    assert.is_true(err.maybe_sent)
  end)

  it("are listed", function()
    local client, transport = cloud {
      { body = '{"data":[' .. CODE .. '],"paging":{"cursors":{"after":"A"},"next":"x"}}' }, { body = '{"data":[' .. CODE .. "]}" },
    }
    local count = 0
    for code in client.qr_codes:each() do
      assert.same(READ, code)
      count = count + 1
    end
    assert.equal(2, count)
    assert.equal(BASE .. "/message_qrdls?after=A", transport.requests[2].url)
  end)

  it("accept values up to the limits", function()
    local client, transport = cloud { { body = CODE } }
    assert(client.qr_codes:create { prefilled_message = e(140), generate_qr_image = "SVG" })
    assert.equal("prefilled_message has 141 characters; at most 140 are allowed",
      select(2, client.qr_codes:create { prefilled_message = e(141) }).message)
    assert.equal("prefilled_message", select(2, client.qr_codes:create()).path)
    assert.equal("generate_qr_image",
      select(2, client.qr_codes:create { prefilled_message = "x", generate_qr_image = "GIF" }).path)
    assert.equal("code", select(2, client.qr_codes:delete "../x").path)
    assert.equal("code", select(2, client.qr_codes:get "").path)
    assert.equal(1, #transport.requests)
    assert.error_matches(function() client.qr_codes:get() end, "the code must be a string")
  end)
end)

describe("resources that only Cloud hosting has", function()
  it("are refused on On-Premise hosting before anything is sent", function()
    local client, transport = scripted_transport.client {}
    local calls = {
      { client.conversational_automation, "get" }, { client.conversational_automation, "set", { prompts = { "x" } } },
      { client.commerce_settings, "get" }, { client.commerce_settings, "set", { is_cart_enabled = true } },
      { client.qr_codes, "create", { prefilled_message = "x" } }, { client.qr_codes, "get", "A" },
      { client.qr_codes, "edit", "A", { prefilled_message = "x" } }, { client.qr_codes, "delete", "A" },
      { client.qr_codes, "list" }, { client.webhook, "account" }, { client.webhook, "destinations" },
      { client.webhook, "set_account", { url = "https://a.example" } },
      { client.webhook, "set_destinations", { destinations = {} } },
      { client.webhook, "add_destination", { name = "a", url = "https://a.example" } },
      { client.webhook, "update_destination", { name = "a", url = "https://a.example" } },
    }
    for i, call in ipairs(calls) do
      local result, err = call[1][call[2]](call[1], call[3], call[4])
      assert.is_nil(result, i)
      assert.equal("invalid", err.kind, i)
      assert.truthy(err.message:find("Cloud hosting only", 1, true), i .. err.message)
    end
    assert.equal(0, #transport.requests)
  end)
end)
