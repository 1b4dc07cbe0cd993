-- How the C modules are built and loaded.

local process = require "spec.support.process"

local INTERPRETER = rawget(_G, "jit") and "luajit" or _VERSION:gsub("Lua ", "lua")

describe("the C modules", function()
  for _, name in ipairs { "core", "curl" } do
    local module = ("build/%s/waba/%s.so"):format(INTERPRETER, name)

    it("are built with protections against memory errors: waba." .. name, function()
      local dynamic, segments = process.run("readelf -d " .. module), process.run("readelf -lW " .. module)
      assert.matches("NOW", dynamic)
      assert.matches("GNU_RELRO", segments)
      local symbols = process.run("readelf -W --dyn-syms " .. module)
      assert.matches("__stack_chk_fail", symbols)
      assert.matches("__snprintf_chk", symbols)
    end)
  end

  it("refuse a libcurl that is too old, by its version", function()
    local folder = process.folder()
    process.run(("cc -shared -fPIC $(pkg-config --cflags libcurl) -o %s/old.so spec/support/old_curl.c"):format(folder.path))
    local output = process.run(("LD_PRELOAD=%s/old.so %s -e 'print(select(2, pcall(require, \"waba.curl\")))' 2>&1")
      :format(folder.path, INTERPRETER))
    folder:remove()
    assert.matches("waba.curl needs libcurl 7%.85%.0 or newer; this program has loaded libcurl 7%.74%.0", output)
  end)
end)
