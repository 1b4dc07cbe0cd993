-- An emulator with a journal that is killed and started again: its clients continue, and the emulator still has all
-- accepted data.

local core = require "waba.core"
local emulators = require "waba.emulator"
local process = require "spec.support.process"
local waba = require "waba"

local function read_record(folder)
  local messages = {}
  for line in folder:read("record"):gmatch "[^\n]+" do messages[#messages + 1] = core.decode(line) end
  return messages
end

describe("an emulator that is killed and started again", function()
  local folder

  lazy_setup(function() folder = process.folder() end)
  lazy_teardown(function() folder:remove() end)

  it("is the same for its clients, and has recorded what it accepted", function()
    local port = process.free_port()
    local options = {
      authority = folder.path .. "/it's kept", record = folder:file "record", api_key = "kept-key", port = port,
      statuses = false, cloud = { api_key = "other-key" },
    }
    local emulator = assert(emulators.start(options))
    local client = waba.client(emulator:options())
    local cloud_client = waba.client(emulator:options { hosting = "cloud" })
    local first = assert(client:send("+4915112345678", waba.text "one"))
    local second = assert(cloud_client:send("+4915112345678", waba.text "two"))

    os.execute("kill -9 " .. emulator.pid)
    emulator:stop()
    local _, err = client:send("+4915112345678", waba.text "lost", { timeout = 0.2 })
    assert.equal("network", err.kind)
    assert.is_false(err.maybe_sent)
    emulator = assert(emulators.start(options))
    finally(function() emulator:stop() end)

    local third = assert(client:send("+4915112345678", waba.text "three"))
    local messages = read_record(folder)
    assert.equal(3, #messages)
    for i, expected in ipairs {
      { first.id, "on_premise", "one" }, { second.id, "cloud", "two" }, { third.id, "on_premise", "three" },
    } do
      assert.same(expected, { messages[i].id, messages[i].hosting, messages[i].content.body })
    end
    assert.equal(tonumber("600", 8), core.file_mode(folder:file "record"))
    assert.equal(folder.path .. "/it's kept/authority.pem", emulator.ca_file)
    assert.equal("-rw-------", process.run("ls -l " .. process.quote(folder.path .. "/it's kept/authority.key")):sub(1, 10))
  end)

  it("reports why it can't start if a file cannot be written", function()
    for option, path in pairs { record = "/proc/none/record", authority = "/proc/none" } do
      local emulator, err = emulators.start { [option] = path }
      assert.is_nil(emulator)
      assert.matches(option, err.message)
    end
  end)
end)
