-- The emulator's web page in Chromium, with the bot of the guide docs/guides/trying-your-bot.md. browser.mjs operates
-- the page and prints a line for each step.

local documents = require "spec.support.documents"
local process = require "spec.support.process"
local support = require "spec.support.emulator"
local waba = require "waba"

local MODULES = process.run "pwd" .. "/build/browser"
local MESSAGES = 10000
local EVA = "4915112345601"

-- The spec needs Node and Chromium (scripts/install-browser). LuaJIT serves the same page, so the spec runs under PUC
-- Lua only.
local CAN_RUN = not rawget(_G, "jit") and process.run("command -v node && command -v chromium && test -d "
  .. process.quote(MODULES .. "/node_modules/playwright-core") .. " && echo installed"):find "installed$"
if not CAN_RUN then return end

describe("the emulator's page in a browser", function()
  local emulator, client, cloud, bot, browser, folder, port

  -- The commands that the browser script sends to this spec.
  local actions = {
    voice = function()
      local sent = emulator:messages { direction = "inbound", type = "voice" }[1]
      assert.equal("audio/ogg; codecs=opus", sent.content.mime_type)
      local file = assert(client.media:download(sent.content.id))
      assert.equal("OggS", file.data:sub(1, 4))
      assert.equal("OpusHead", file.data:sub(29, 36))
    end,
    refusal = function() client:send(EVA, waba.text "") end,
    late = function() client:send(EVA, waba.text "Too late") end,
    blocked = function() client:send(EVA, waba.text "Do you read this?") end,
    typing = function()
      local asked = assert(emulator.cloud:wait(function() return emulator.cloud:messages { direction = "inbound" }[1] end))
      assert(cloud:mark_read(asked.id, { typing = true }))
    end,
    questions = function()
      local asked = emulator.cloud:messages { direction = "inbound" }[1]
      for _, message in ipairs {
        waba.reaction { message_id = asked.id, emoji = "🎉" },
        waba.location_request { body = "Where are you?" },
        waba.request_contact_info { body = "Who are you?" },
        waba.flow { body = "Where would you like to sit?", flow_id = "4711", flow_cta = "Book a seat" },
        waba.call_permission { body = "May we call?" },
        waba.product { catalog_id = "4488", product_retailer_id = "SKU-1", body = "New" },
        waba.carousel { body = "Two rooms fit", cards = {
          { header = waba.image { link = "https://cdn.example/a.jpg" }, buttons = { { id = "a", title = "The first" } } },
          { header = waba.image { link = "https://cdn.example/b.jpg" }, buttons = { { id = "b", title = "The second" } } },
        } },
        waba.cta_url { body = "The shop", display_text = "Open the shop", url = "https://shop.example/" },
      } do assert(cloud:send(EVA, message)) end
    end,
    answers = function()
      local list = assert(emulator.cloud:wait(function()
        local all = emulator.cloud:messages { direction = "inbound" }
        return all[7] and all
      end))
      local kinds = {}
      for i = 2, #list do
        local content = list[i].content
        kinds[#kinds + 1] = list[i].type == "interactive" and content.type or list[i].type
      end
      assert.same({ "location", "contacts", "nfm_reply", "call_permission_reply", "order", "button_reply" }, kinds)
      assert.equal('{"seat":"4A"}', list[4].content.nfm_reply.response_json)
      assert.equal("b", list[7].content.button_reply.id)
    end,
    messages = function()
      local eva = emulator.cloud:customer(EVA)
      for i = 1, MESSAGES do assert(eva:text(("Text %d"):format(i))) end
    end,
    ["end"] = function() emulator:stop() end,
    restart = function() emulator = assert(support.start { ui = true, ui_port = port }) end,
  }

  setup(function()
    folder = process.folder()
    emulator = assert(support.start())
    client = waba.client(emulator:options { validate = false, retry = false })
    cloud = waba.client(emulator:options { hosting = "cloud" })
    process.run(("cd %s && truncate -s 100M large.pdf && truncate -s 101M larger.pdf"):format(folder.path))
    folder:write("bot.lua", documents.files("docs/guides/trying-your-bot.md")["bot.lua"])
    bot = process.start(("env D360_API_KEY=%s WABA_HOSTING=on_premise WABA_BASE_URL=%s %s %s"):format(
      process.quote(emulator.api_key), emulator.url, process.interpreter(), process.quote(folder:file "bot.lua")),
      folder:file "bot.log")
    assert(emulator:wait { requests = 1 })
    local address = assert(emulator:page())
    port = tonumber(address:match ":(%d+)/")
    browser = process.start(("timeout 300 node spec/page/browser.mjs %s %s %s %s"):format(process.quote(MODULES),
      process.quote(process.run "command -v chromium"), process.quote(address), folder.path), folder:file "browser.log")
  end)

  teardown(function()
    if browser and browser:is_alive() then browser:stop() end
    if bot then bot:stop "KILL" end
    if client then client:close() end
    if cloud then cloud:close() end
    if emulator then emulator:stop() end
    if folder then folder:remove() end
  end)

  it("works for a developer", function()
    local done = {}
    process.wait_for(function()
      for action in browser:output():gmatch "want (%l+)\n" do
        if not done[action] then
          done[action] = true
          actions[action]()
        end
      end
      return not browser:is_alive()
    end, "the browser", 310)
    local output = browser:output()
    local failed = {}
    for line in output:gmatch "not ok[^\n]*" do failed[#failed + 1] = line end
    assert.equal("", table.concat(failed, "\n"), output .. bot:output())
    assert.matches("\nend\n?$", output)
  end)
end)
