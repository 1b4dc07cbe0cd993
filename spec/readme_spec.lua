local waba = require "waba"
local documents = require "spec.support.documents"
local folder = require "spec.support.folder"

local NUMBER = "4915112345678"

describe("the README", function()
  local emulator, client, inboxes

  setup(function()
    inboxes = folder.new()
    emulator = assert(waba.emulator.start { statuses = false })
    client = waba.client(emulator:options {})
  end)

  teardown(function()
    client:close()
    emulator:stop()
    inboxes:remove()
  end)

  -- A server that runs until a customer's text was answered, on a free port and with its inbox elsewhere.
  local function server_for_a_while(given)
    given.port = 0
    local server = waba.webhook.server(given)
    local answered = #emulator:messages { direction = "outbound" } + 1
    return {
      url = function() return server:url() end,
      run = function()
        emulator:customer(NUMBER):text "Hallo"
        local deadline = os.time() + 10
        repeat server:step(0.05) until #emulator:messages { direction = "outbound" } >= answered or os.time() > deadline
        assert.is_true(#emulator:messages { direction = "outbound" } >= answered)
        server:close()
      end,
    }
  end

  -- The library as the reader has it, but for the gateway, which is the emulator.
  local function waba_here()
    return setmetatable({
      client = function(options)
        assert.is_table(options)
        return waba.client(emulator:options {})
      end,
      webhook = { server = server_for_a_while },
      inbox = { sqlite = function(name) return waba.inbox.sqlite(inboxes:file(name)) end },
    }, { __index = waba })
  end

  -- What a reader has at hand where a block uses it.
  local function names()
    local here = waba_here()
    return {
      os = { getenv = function(name) return name ~= "WEBHOOK_URL" and "secret" or nil end },
      waba = here, client = client, print = function() end,
      require = function(name) return name == "waba" and here or require(name) end,
      number = NUMBER, numbers = { NUMBER, "4915112345679" }, message = waba.text "Hi",
      event = { id = emulator:customer(NUMBER):text "Hallo" },
    }
  end

  describe("table of what is covered", function()
    local place

    setup(function()
      place = folder.new()
      assert(place:write("blue.jpg", "\255\216\255 not quite a picture"))
      assert(client.templates:create { name = "old_one", language = "en", category = "UTILITY",
        components = { { type = "BODY", text = "Gone soon" } } })
    end)

    teardown(function() place:remove() end)

    local function table_names()
      local given = names()
      given.to, given.wa_id = NUMBER, NUMBER
      given.message_id = given.event.id
      given.media_id = assert(client.media:upload { data = "0000", type = "video/mp4" }).id
      emulator:customer(NUMBER):text "Hi"
      emulator:customer("491511234567"):text "Hi"
      given.hash = assert(client.contacts:identity(NUMBER)).hash
      given.template = { name = "new_one", language = "en", category = "UTILITY",
        components = { { type = "BODY", text = "Hello" } } }
      return given
    end

    for _, row in ipairs(documents.rows "README.md") do
      for code in row.cells[2]:gmatch "`([^`]+)`" do
        it(("line %d: %s"):format(row.line, row.cells[1]), function()
          code = code:gsub('"(%a+%.jpg)"', function(name) return ("%q"):format(place.path .. "/" .. name) end)
          local is_statement = code:match "^for "
          local result, err = documents.run("README.md",
            { line = row.line, code = is_statement and code or "return " .. code }, table_names())
          if err and row.cells[1] == "number, health" then
            assert.equal("auth", err.kind) -- another number on purpose
          elseif not is_statement then
            assert(result, tostring(err))
          end
        end)
      end
    end
  end)

  local blocks = documents.blocks("README.md", "lua")

  it("has code", function() assert.is_true(#blocks >= 4) end)

  for i, block in ipairs(blocks) do
    it(("block %d (line %d) runs and reaches the gateway"):format(i, block.line), function()
      local before = #emulator:received()
      documents.run("README.md", block, names())
      assert.is_true(#emulator:received() > before)
      for _, request in ipairs(emulator:received()) do assert.is_true(request.status < 300, request.path) end
    end)
  end
end)
