-- A call with wrong arguments raises an error that contains the line of the call.

local waba = require "waba"

local client = waba.client { api_key = "no-key", base_url = "http://127.0.0.1:1", retry = false }
local cloud = waba.client { api_key = "no-key", base_url = "http://127.0.0.1:1", retry = false, hosting = "cloud" }
local receiver = waba.receiver { open = true }
local outbox = waba.outbox.memory()
local to, message = "+49 151 1234567", waba.text "Hello"

-- Each function ends with a `return` after the wrong call, because a tail call would hide the line.
local WRONG = {
  ["client without a key"] = function() local _ = waba.client {} end,
  ["send without a message"] = function() local _ = client:send(to) end,
  ["send with an unknown option"] = function() local _ = client:send(to, message, { bluk = true }) end,
  ["send with a closed client"] = function()
    local closed = waba.client { api_key = "no-key" }
    closed:close()
    local _ = closed:send(to, message)
  end,
  ["send_all without a source"] = function() local _ = client:send_all() end,
  ["send_all with an unknown option"] = function() local _ = client:send_all(print, { jornal = "x" }) end,
  ["estimate without a number"] = function() local _ = client:estimate() end,
  ["mark_read without an id"] = function() local _ = client:mark_read() end,
  ["request without a path"] = function() local _ = client:request {} end,
  ["upload of nothing"] = function() local _ = client.media:upload {} end,
  ["upload of two things"] = function() local _ = client.media:upload { file = "a.jpg", data = "a" } end,
  ["upload of a negative size"] = function()
    local _ = client.media:upload { reader = print, size = -1, type = "image/png" }
  end,
  ["resumable upload of nothing"] = function() local _ = cloud.media:resumable {} end,
  ["photo of nothing"] = function() local _ = client.profile:set_photo {} end,
  ["download of nothing"] = function() local _ = client.media:download() end,
  ["contacts check of nothing"] = function() local _ = client.contacts:check() end,
  ["block of nothing"] = function() local _ = cloud.block_list:block() end,
  ["unblock of nothing"] = function() local _ = cloud.block_list:unblock() end,
  ["archive of nothing"] = function() local _ = cloud.templates:archive() end,
  ["unarchive of nothing"] = function() local _ = cloud.templates:unarchive() end,
  ["delete_ids of nothing"] = function() local _ = cloud.templates:delete_ids() end,
  ["list of no templates"] = function() local _ = client.templates:list { limit = 0 } end,
  ["webhook without an address"] = function() local _ = client.webhook:set {} end,
  ["receiver without credentials"] = function() local _ = waba.receiver {} end,
  ["handle of nothing"] = function() local _ = receiver:handle() end,
  ["handle of a body that is no text"] = function() local _ = receiver:handle { method = "POST", body = 5 } end,
  ["server without a receiver"] = function() local _ = waba.webhook.server {} end,
  ["server at an invalid port"] = function()
    local _ = waba.webhook.server { receiver = receiver, port = 70000 }
  end,
  ["emulator with an invalid Cloud port"] = function() local _ = waba.emulator.start { cloud = { port = 70000 } } end,
  ["inbox without a file"] = function() local _ = waba.inbox.sqlite {} end,
  ["emulator with an unknown option"] = function() local _ = waba.emulator.start { prot = 1 } end,
  ["emulator with an invalid port"] = function() local _ = waba.emulator.start { port = 70000 } end,
  ["ordered with a timeout and nothing that statuses come from"] = function()
    local _ = waba.client { api_key = "no-key", ordered = { timeout = 5 } }
  end,
  ["a message ordered with a timeout and nothing that statuses come from"] = function()
    local _ = client:send(to, message, { ordered = { timeout = 5 } })
  end,
  ["receiver with an unknown handler"] = function() local _ = waba.receiver { open = true, on = { txet = print } } end,
  ["receiver with an unknown option of an address"] = function()
    local _ = waba.receiver { open = true, number = { ["/a"] = { nmber = 1 } } }
  end,
  ["put of an unknown option"] = function() local _ = outbox:put { to = to, message = message, atx = 1 } end,
  ["put of a list with an unknown option"] = function()
    local _ = outbox:put { { to = to, message = message, atx = 1 } }
  end,
  ["put without a message"] = function() local _ = outbox:put { to = to } end,
  ["put with an unknown option of the message"] = function()
    local _ = outbox:put { to = to, message = message, options = { tiemout = 1 } }
  end,
  ["put with an empty key"] = function() local _ = outbox:put { to = to, message = message, key = "" } end,
  ["put with an endless time"] = function() local _ = outbox:put { to = to, message = message, at = math.huge } end,
  ["put with an invalid number"] = function() local _ = outbox:put { to = to, message = message, number = "x" } end,
  ["sender with an inbox"] = function() local _ = waba.sender { outbox = waba.inbox.memory(), client = client } end,
  ["estimate with an unknown option"] = function() local _ = client:estimate(1, { raet = 1 }) end,
  ["mark_read with an unknown option"] = function() local _ = client:mark_read("gBEG", { tpying = true }) end,
  ["request with an unknown option"] = function() local _ = client:request { pth = "/" } end,
  ["request of a path with a space"] = function() local _ = client:request { path = "/a b" } end,
  ["request with an invalid method"] = function() local _ = client:request { path = "/", method = "G-T" } end,
  ["verify without a number"] = function() local _ = client:verify() end,
  ["clients without load"] = function() local _ = waba.clients {} end,
  ["clients with an unknown option"] = function() local _ = waba.clients { lod = print } end,
  ["closed clients"] = function()
    local clients = waba.clients { load = print }
    clients:close()
    local _ = clients:get "4930555019"
  end,
  ["check for an unknown hosting"] = function() local _ = waba.check(message, "cluod") end,
  ["events of nothing"] = function() local _ = waba.events() end,
  ["split of nothing"] = function() local _ = waba.split() end,
  ["split with an unknown option"] = function() local _ = waba.split("a", { mx = 1 }) end,
  ["split with options that are no table"] = function() local _ = waba.split("a", 5) end,
  ["sleep of a text"] = function() local _ = waba.sleep "1" end,
  ["sleep of a negative time"] = function() local _ = waba.sleep(-1) end,
  ["shared rates with an unknown option"] = function() local _ = waba.pace.redis { prot = 1 } end,
  ["shared rates with an unknown policy"] = function() local _ = waba.pace.redis { unreachable = "stop" } end,
  ["shared rates with a share above 1"] = function() local _ = waba.pace.redis { share = 1.5 } end,
  ["shared dictionary without a name"] = function() local _ = waba.pace.shared_dict {} end,
  ["shared dictionary outside nginx"] = function() local _ = waba.pace.shared_dict "waba" end,
  ["put of a list with a text"] = function() local _ = outbox:put { { to = to, message = message }, "x" } end,
  ["sender with an invalid receiver"] = function()
    local _ = waba.sender { outbox = outbox, client = client, receiver = {} }
  end,
  ["sender with opt-outs that are none"] = function()
    local _ = waba.sender { outbox = outbox, client = client, suppress = {} }
  end,
  ["outbox apply of nothing"] = function() local _ = outbox:apply() end,
  ["tracker apply of nothing"] = function() local _ = waba.status_tracker():apply() end,
  ["tracker watch of no function"] = function() waba.status_tracker():watch(5) end,
  ["server step of a text"] = function()
    local server = waba.webhook.server { receiver = receiver }
    local ok, message_text = pcall(function() local _ = server:step "1" end)
    server:close()
    if not ok then error(message_text, 0) end
  end,
  ["outbox watch of nothing"] = function() outbox:watch() end,
  ["receiver watch of no function"] = function() receiver:watch "x" end,
  ["receiver with a list of clients"] = function() local _ = waba.receiver { open = true, client = { client } } end,
  ["server with a path without a slash"] = function()
    local _ = waba.webhook.server { receiver = receiver, path = "webhook" }
  end,
  ["server with a folder as certificate"] = function()
    local _ = waba.webhook.server { receiver = receiver, tls = { cert = "/tmp", key = "/tmp" } }
  end,
  ["fill without a name"] = function() local _ = client.templates:fill() end,
  ["explain for an unknown hosting"] = function() local _ = waba.explain(470, "cluod") end,
}

-- Invalid options of `waba.client`.
local INVALID_OPTIONS = {
  ["an unknown option"] = { tiemout = 1 },
  ["an empty key"] = { api_key = "" },
  ["a key with a line break"] = { api_key = "a\nb" },
  ["an unknown hosting"] = { hosting = "cluod" },
  ["an unknown loop"] = { loop = "libev" },
  ["an unknown transport"] = { transport = "crul" },
  ["a base_url that is no URL"] = { base_url = "waba" },
  ["a base_url with a query"] = { base_url = "https://waba.example/?a=b" },
  ["an unknown value of validate"] = { validate = "yes" },
  ["no connections"] = { max_connections = 0 },
  ["no time"] = { timeout = 0 },
  ["no time for a connection"] = { connect_timeout = -1 },
  ["no attempts"] = { retry = { attempts = 0 } },
  ["an unknown option of retry"] = { retry = { atempts = 2 } },
  ["an unknown class of pace"] = { pace = { mesages = false } },
  ["an invalid store of pace"] = { pace = { store = {} } },
  ["a rate of 0"] = { pace = { messages = { rate = 0, burst = 1 } } },
  ["a rate without burst"] = { pace = { messages = { rate = 1 } } },
  ["an unknown option of ordered"] = { ordered = { timeuot = 1 } },
  ["an invalid receiver of ordered"] = { ordered = { receiver = {} } },
  ["an invalid number"] = { expect_number = "x" },
}

for name, options in pairs(INVALID_OPTIONS) do
  WRONG["client with " .. name] = function()
    options.api_key = options.api_key or "no-key"
    local _ = waba.client(options)
  end
end

-- Invalid options of `client:send_all`.
for name, options in pairs {
  ["an empty journal"] = { journal = "" },
  ["an outbox and a journal"] = { outbox = outbox, campaign = "a", journal = "a" },
  ["an outbox without a campaign"] = { outbox = outbox },
  ["a campaign without a journal"] = { campaign = "a" },
  ["an empty campaign"] = { campaign = "", outbox = outbox },
  ["an invalid receiver of suppress"] = { suppress = {} },
  ["an unknown option of the messages"] = { send = { tiemout = 1 } },
} do
  WRONG["send_all with " .. name] = function() local _ = client:send_all(print, options) end
end

-- Invalid options of `client:send`.
for name, options in pairs {
  ["an invalid receiver of window"] = { window = {} },
  ["otherwise without window"] = { otherwise = waba.template { name = "a", language = "en" } },
  ["otherwise that is no template"] = { window = receiver, otherwise = message },
  ["an invalid receiver of ordered"] = { ordered = { receiver = {} } },
  ["an unknown option of ordered"] = { ordered = { timeuot = 1 } },
} do
  WRONG["send with " .. name] = function() local _ = client:send(to, message, options) end
end

-- Calls of a closed client.
for name, call in pairs {
  send_all = { print }, mark_read = { "gBEG" }, request = { { path = "/v1/x" } }, health = {}, phone_number = {},
  verify = { to },
} do
  WRONG[name .. " with a closed client"] = function()
    local closed = waba.client { api_key = "no-key" }
    closed:close()
    local _ = closed[name](closed, call[1])
  end
end

-- Calls of the resources of a closed client.
local closed = waba.client { api_key = "no-key", hosting = "cloud" }
closed:close()
for name, use in pairs {
  upload = function() local _ = closed.media:upload { data = "x", type = "image/png" } end,
  download = function() local _ = closed.media:download "1" end,
  resumable = function() local _ = closed.media:resumable { data = "x", type = "image/png" } end,
  photo = function() local _ = closed.profile:photo() end,
  ["list of templates"] = function() local _ = closed.templates:list() end,
  ["iteration over templates"] = function() local _ = closed.templates:each()() end,
  ["iteration over the block list"] = function() local _ = closed.block_list:each()() end,
  ["block list"] = function() local _ = closed.block_list:block { to } end,
  automation = function() local _ = closed.conversational_automation:set { prompts = { "x" } } end,
} do WRONG[name .. " with a closed client"] = use end

describe("wrong use", function()
  teardown(function()
    client:close()
    cloud:close()
  end)

  for name, use in pairs(WRONG) do
    it("reports the line: " .. name, function()
      local ok, said = pcall(use)
      assert.is_false(ok)
      assert.matches("^[^\n]*wrong_use_spec%.lua:%d+: ", said)
      assert.not_matches("lua/waba/", said, 1, true)
    end)
  end

  it("reports a dot in place of the colon", function()
    local ok, said = pcall(client.send, to, message)
    assert.is_false(ok)
    assert.matches("client:send must be called with a colon, not a dot", said, 1, true)
    ok, said = pcall(client.media.upload, { file = "blue.jpg" })
    assert.is_false(ok)
    assert.matches("client.media:upload must be called with a colon, not a dot", said, 1, true)
    for name, use in pairs {
      ["client.templates:list"] = function() local _ = client.templates.list() end,
      ["client.templates:delete_ids"] = function() local _ = cloud.templates.delete_ids { "1" } end,
      ["client.profile:about"] = function() local _ = client.profile.about() end,
      ["client:phone_number"] = function() local _ = client.phone_number() end,
      ["client:mark_read"] = function() local _ = client.mark_read "gBEG" end,
    } do
      ok, said = pcall(use)
      assert.is_false(ok)
      assert.matches("wrong_use_spec%.lua:%d+: " .. name .. " must be called with a colon, not a dot", said)
    end
  end)

  it("names the entry of a list, and the certificate that can't be read", function()
    local ok, said = pcall(outbox.put, outbox, { { to = to, message = message }, "x" })
    assert.is_false(ok)
    assert.matches("entry 2 of the list must be a table, not a string", said, 1, true)
    ok, said = pcall(waba.webhook.server, { receiver = receiver, tls = { cert = "/etc/hostname", key = "/etc/hostname" } })
    assert.is_false(ok)
    assert.matches("option tls: the certificate or the key is invalid: expected PEM", said, 1, true)
  end)

  it("suggests the right name", function()
    for meant, use in pairs {
      ["unknown option path (did you mean file?)"] = function() local _ = client.media:upload { path = "blue.jpg" } end,
      ["unknown option token (did you mean api_key?)"] = function() local _ = waba.client { token = "k" } end,
      ["not a string: such as waba.text(…)"] = function() local _ = client:send(to, "Hello") end,
    } do
      local ok, said = pcall(use)
      assert.is_false(ok)
      assert.matches(meant, said, 1, true)
    end
    for _, number in ipairs { "x", "0151 1234567", 12, {} } do
      local verified, err = client:verify(number)
      assert.is_nil(verified)
      assert.equal("invalid", err.kind)
      assert.equal("number", err.path)
      assert.matches("^number ", err.message)
    end
  end)
end)
