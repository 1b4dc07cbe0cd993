-- The emulator's page in Chromium, with the bot of the guide: browser.mjs uses it, and prints a line for each step.

local documents = require "spec.support.documents"
local process = require "spec.support.process"
local support = require "spec.support.emulator"
local waba = require "waba"

local MODULES = process.run "pwd" .. "/build/browser"
local MESSAGES = 10000

-- Why the page cannot be opened here, or nil.
local function reason_to_skip()
  if jit then return "it runs under Lua 5.4: the page is the same" end
  if process.run "command -v node" == "" then return "node is not installed" end
  if process.run "command -v chromium" == "" then return "chromium is not installed" end
  if process.run("test -d " .. process.quote(MODULES .. "/node_modules/playwright-core") .. " && echo yes") ~= "yes" then
    return "playwright-core is not installed: scripts/install-browser"
  end
end

describe("the emulator's page in a browser", function()
  local reason = reason_to_skip()
  if reason then
    it("is used by a developer", function() return pending(reason) end)
    return
  end

  local emulator, client, bot, browser, folder

  -- What the browser asks for.
  local actions = {
    voice = function()
      local sent = emulator:messages { direction = "inbound", type = "voice" }[1]
      assert.equal("audio/ogg; codecs=opus", sent.content.mime_type)
      local file = assert(client.media:download(sent.content.id))
      assert.equal("OggS", file.data:sub(1, 4))
      assert.equal("OpusHead", file.data:sub(29, 36))
    end,
    refusal = function() client:send("4915112345601", waba.text "") end,
    typing = function()
      local cloud = waba.client(emulator:options { hosting = "cloud" })
      local asked = assert(emulator.cloud:wait(function() return emulator.cloud:messages { direction = "inbound" }[1] end))
      assert(cloud:mark_read(asked.id, { typing = true }))
      cloud:close()
    end,
    messages = function()
      local eva = emulator.cloud:customer "4915112345601"
      for i = 1, MESSAGES do assert(eva:text(("Text %d"):format(i))) end
    end,
    ["end"] = function() emulator:stop() end,
  }

  setup(function()
    folder = process.folder()
    emulator = assert(support.start())
    client = waba.client(emulator:options { validate = false, retry = false })
    folder:write("bot.lua", documents.files("docs/guides/trying-your-bot.md")["bot.lua"])
    bot = process.start(("env D360_API_KEY=%s WABA_HOSTING=on_premise WABA_BASE_URL=%s %s %s"):format(
      process.quote(emulator.api_key), emulator.url, process.interpreter(), process.quote(folder:file "bot.lua")),
      folder:file "bot.log")
    assert(emulator:wait { requests = 1 })
    browser = process.start(("timeout 200 node spec/page/browser.mjs %s %s %s"):format(process.quote(MODULES),
      process.quote(process.run "command -v chromium"), process.quote(assert(emulator:page()))), folder:file "browser.log")
  end)

  teardown(function()
    if browser and browser:is_alive() then browser:stop() end
    if bot then bot:stop "KILL" end
    if client then client:close() end
    if emulator then emulator:stop() end
    if folder then folder:remove() end
  end)

  it("is used by a developer", function()
    local done = {}
    process.wait_for(function()
      for action in browser:output():gmatch "want (%l+)\n" do
        if not done[action] then
          done[action] = true
          actions[action]()
        end
      end
      return not browser:is_alive()
    end, "the browser", 210)
    local output = browser:output()
    assert.is_nil(output:match "not ok[^\n]*", output .. bot:output())
    assert.matches("\nend\n?$", output)
  end)
end)
