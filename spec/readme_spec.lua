local core = require "waba.core"
local waba = require "waba"
local documents = require "spec.support.documents"
local folder = require "spec.support.folder"
local process = require "spec.support.process"
local documentation_reader = require "spec.support.documentation_reader"

local COVERED = "docs/guides/what-is-covered.md"
local NUMBER = "4915112345678"

describe("the README", function()
  local emulator, client, cloud, inboxes

  setup(function()
    inboxes = folder.new()
    local nowhere = { backoff = 0.01, timeout = 0.5 } -- the README's webhook URL can't be reached, so its failures must be short
    emulator = assert(waba.emulator.start { statuses = false, webhooks = nowhere })
    client = waba.client(emulator:options { pace = false }) -- the README's table makes a hundred requests
    cloud = waba.client(emulator:options { hosting = "cloud", pace = false })
  end)

  teardown(function()
    client:close()
    cloud:close()
    emulator:stop()
    inboxes:remove()
  end)

  -- Returns the globals that the README's code uses.
  local function names()
    local options = documentation_reader.names(emulator, inboxes, {})
    options.client, options.cloud = client, cloud
    options.number, options.numbers, options.message = NUMBER, { NUMBER, "4915112345679" }, waba.text "Hi"
    options.event = { id = emulator:customer(NUMBER):text "Hallo" }
    return options
  end

  describe("guide to what is covered", function()
    local place, template_id

    setup(function()
      place = folder.new()
      template_id = assert(cloud.templates:create { name = "old_one", language = "en", category = "UTILITY",
        components = { { type = "BODY", text = "Gone soon" } } }).id
      assert(emulator.cloud:review_template("old_one", "APPROVED"))
      assert(place:write("blue.jpg", "\255\216\255 not quite a picture"))
      assert(client.templates:create { name = "old_one", language = "en", category = "UTILITY",
        components = { { type = "BODY", text = "Gone soon" } } })
    end)

    teardown(function() place:remove() end)

    local function table_names()
      local options = names()
      options.to, options.wa_id = NUMBER, NUMBER
      options.message_id = options.event.id
      options.media_id = assert(client.media:upload { data = "0000", type = "video/mp4" }).id
      emulator:customer(NUMBER):text "Hi"
      emulator:customer("491511234567"):text "Hi"
      options.hash = assert(client.contacts:identity(NUMBER)).hash
      options.template_id, options.components = template_id, { { type = "BODY", text = "Still here" } }
      options.template = { name = "new_one", language = "en", category = "UTILITY",
        components = { { type = "BODY", text = "Hello" } } }
      return options
    end

    for _, row in ipairs(documents.rows(COVERED)) do
      for quoted in row.cells[2]:gmatch "`([^`]+)`" do
        it(("line %d: %s"):format(row.line, row.cells[1]), function()
          local code = documentation_reader.with_files(quoted, place)
          local is_statement = code:match "^for "
          local result, err = documents.run(COVERED,
            { line = row.line, code = is_statement and code or "return " .. code }, table_names())
          if err and row.cells[1] == "number, health" then
            assert.equal("auth", err.kind) -- the API key does not belong to the number in this row
          elseif not is_statement then
            assert(result, tostring(err))
          end
        end)
      end
    end
  end)

  local blocks = documents.blocks("README.md", "lua")

  it("shows a bot first, in under 15 lines, and names the hosting of a new number", function()
    local text = documents.read "README.md"
    local lines, place = select(2, blocks[1].code:gsub("[^\n]+", "")), blocks[1].line
    assert.is_true(lines < 15 and place < 10, lines)
    assert.matches("event:reply", blocks[1].code)
    local first_screen = text:sub(1, (text:find("## Contents", 1, true)))
    assert.matches('Cloud hosting.-hosting = "cloud"', first_screen)
  end)

  it("lists its sections", function()
    local text = documents.read "README.md"
    local contents = text:match "## Contents\n(.-)\n## "
    for title in text:gmatch "\n## ([^\n]+)" do
      if title ~= "Contents" then assert(contents:find("[" .. title .. "]", 1, true), title) end
    end
    assert.is_true(select(2, text:gsub("\n", "")) < 200)
  end)

  it("has a bot that replies to a customer with waba emulator", function()
    local command = documents.read "README.md":match "\n(waba emulator [^\n]*lua5%.4 bot%.lua)\n"
    local code = blocks[1].code:gsub("port = 8080", "port = 0"):gsub('"inbox.db"', ("%q"):format(inboxes:file "bot.db"))
    local bot, pid, said = inboxes:write("bot.lua", code), inboxes:file "pid", inboxes:file "said"
    local program = ("sh -c 'echo $$ >%s; exec %s %s'"):format(pid, process.interpreter():gsub("'", ""), bot)
    local line = command:gsub("^waba", function() return process.interpreter() .. " cli/bin/waba" end)
      :gsub("lua5%.4 bot%.lua", function() return program end)
    os.execute(("{ %s; } >%s 2>&1 &"):format(line, said))
    local replied = pcall(process.wait_for, function()
      return (inboxes:read "said" or ""):find("text to +491511234567: You said: Hello", 1, true)
    end, "the reply")
    os.execute("kill " .. (inboxes:read "pid" or ""))
    assert(replied, inboxes:read "said")
  end)

  it("has settings for editors, and names the file that they read", function()
    local settings = core.decode(documents.read ".luarc.json")
    assert.matches("^%-%-%-@meta", documents.read(settings["workspace.library"][1] .. "/waba.lua"))
    local block = documents.blocks("README.md", "json")[1]
    assert.matches("/waba$", core.decode(block.code)["workspace.library"][1])
  end)

  it("contains code", function() assert.is_true(#blocks >= 3) end)

  for i, block in ipairs(blocks) do
    it(("block %d (line %d) runs and sends a request to the gateway"):format(i, block.line), function()
      local before = #emulator:received() + #emulator.cloud:received()
      documents.run("README.md", { line = block.line, code = documentation_reader.with_files(block.code, inboxes) }, names())
      local has_its_own = block.code:find("waba.emulator.start", 1, true)
      assert.is_true(has_its_own ~= nil or #emulator:received() + #emulator.cloud:received() > before)
      for _, request in ipairs(emulator:received()) do assert.is_true(request.status < 300, request.path) end
    end)
  end
end)
