-- Wrong use raises an error with the line of the program that is wrong.

local waba = require "waba"

local client = waba.client { api_key = "no-key", base_url = "http://127.0.0.1:1", retry = false }
local cloud = waba.client { api_key = "no-key", base_url = "http://127.0.0.1:1", retry = false, hosting = "cloud" }
local receiver = waba.receiver { open = true }
local outbox = waba.outbox.memory()
local to, message = "+49 151 1234567", waba.text "Hello"

-- Each function returns after the wrong call, because a tail call would hide the line.
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
  ["explain for an unknown hosting"] = function() local _ = waba.explain(470, "cluod") end,
}

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
