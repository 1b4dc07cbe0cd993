-- `require "waba"` loads only modules that are used.

local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"

local function loaded_by(program)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write([[
    local before = {}
    for name in pairs(package.loaded) do before[name] = true end
  ]], program, [[

    for name in pairs(package.loaded) do if not before[name] then print(name) end end
  ]])
  file:close()
  local pipe = assert(io.popen(interpreter .. " " .. path))
  local names = {}
  for line in pipe:lines() do names[line] = true end
  pipe:close()
  os.remove(path)
  return names
end

describe("require \"waba\"", function()
  it("loads itself and its version, and no other module", function()
    assert.same({ ["waba"] = true, ["waba.version"] = true }, loaded_by 'require "waba"')
  end)

  it("loads no optional library to build, check and read", function()
    local names = loaded_by [[
      local waba = require "waba"
      assert(waba.check(waba.text "Hello"))
      assert(waba.events '{"statuses":[]}')
      waba.receiver { user = "u", password = "p" }
      waba.explain(470)
    ]]
    for _, name in ipairs { "cqueues", "http.server", "luv", "copas", "socket", "ssl", "dbd.sqlite3", "redis",
      "argparse", "waba.curl", "waba.emulator" } do
      assert.is_nil(names[name], name)
    end
    assert.is_true(names["waba.core"])
  end)

  it("loads no outbox to send and to receive", function()
    local names = loaded_by [[
      local waba = require "waba"
      waba.receiver { user = "u", password = "p" }
      local client = waba.client { api_key = "a-key", base_url = "http://127.0.0.1:1", retry = false }
      client:send_all(function() end)
      client:close()
    ]]
    for name in pairs(names) do assert.is_nil(name:match "^waba%.outbox" or name:match "^waba%.sender", name) end
    assert.is_nil(names["waba.bulk.outbox_run"])
    assert.is_true(names["waba.bulk"])
  end)

  it("loads no event loop to send", function()
    local names = loaded_by [[
      local waba = require "waba"
      local client = waba.client { api_key = "a-key", base_url = "http://127.0.0.1:1", retry = false }
      client:send("491511234567", waba.text "Hello")
      client:close()
    ]]
    for _, name in ipairs { "cqueues", "luv", "copas", "socket", "ssl", "argparse", "waba.emulator" } do
      assert.is_nil(names[name], name)
    end
    assert.is_true(names["waba.curl"])
  end)

  -- Modules of resources, error codes and rare types of messages are loaded when they are first used.
  for _, hosting in ipairs { "on_premise", "cloud" } do
    it("loads at most 45 files and 230 KB to send a text on " .. hosting, function()
      local names = loaded_by(([[
        local waba = require "waba"
        local client = waba.client { api_key = "a-key", base_url = "http://127.0.0.1:1", retry = false, hosting = "%s" }
        client:send("+49 151 1234567", waba.text "Hello")
        client:close()
      ]]):format(hosting))
      local files, bytes = 0, 0
      for name in pairs(names) do
        local file = io.open("lua/" .. name:gsub("%.", "/") .. ".lua") or io.open("lua/" .. name:gsub("%.", "/") .. "/init.lua")
        if file then
          files, bytes = files + 1, bytes + file:seek "end"
          file:close()
        end
      end
      assert.is_true(files > 20 and files <= 45, files .. " files")
      assert.is_true(bytes <= 230000, bytes .. " bytes")
    end)
  end
end)
