-- `make install-openresty` into a folder with OpenResty's layout, and programs that run there.

local documents = require "spec.support.documents"
local openresty = require "spec.support.openresty"
local process = require "spec.support.process"
local waba = require "waba"

local quote = process.quote

if not rawget(_G, "jit") then return end -- OpenResty uses LuaJIT only

describe("make install-openresty", function()
  local folder, root, output

  -- Runs a shell command. Returns the output of the command, followed by the exit code.
  local function run(command)
    return process.run(("cd / && env -u LUA_PATH -u LUA_CPATH %s 2>&1; echo \"exit $?\""):format(command))
  end

  -- An invalid curl.h hides libcurl, because the installation must not need libcurl.
  setup(function()
    folder = process.folder()
    root = folder:file "openresty"
    openresty.lay_out(root)
    process.run("mkdir -p " .. quote(folder:file "curl"))
    folder:file("curl/curl.h", "#error not needed")
    output = process.run(("make install-openresty OPENRESTY=%s CFLAGS=-O0 CPPFLAGS=%s 2>&1; echo \"exit $?\""):format(quote(root),
      quote("-I" .. folder.path)))
  end)

  teardown(function() folder:remove() end)

  it("installs library and core in OpenResty's folders, without libcurl", function()
    assert.matches("exit 0$", output)
    assert.is_nil(output:find("libcurl", 1, true), output)
    for _, path in ipairs { "site/lualib/waba/init.lua", "site/lualib/waba/core.so", "bin/waba" } do
      assert.truthy(output:find("  install " .. root .. "/" .. path .. "\n", 1, true), path)
    end
    assert.equal("core.so", process.run(("cd %s/site/lualib && find waba -name '*.so' | sed 's|.*/||'"):format(quote(root))))
  end)

  it("reports what is wrong with another folder", function()
    local said = run(("make -C %s install-openresty OPENRESTY=/nowhere"):format(quote(process.run "pwd")))
    assert.matches("OPENRESTY=/nowhere has no luajit/include/luajit%-2%.1: expected the folder of an OpenResty", said)
    assert.is_nil(said:find("exit 0", 1, true))
  end)

  it("runs the command through resty, with nginx's sockets and TLS", function()
    local gateway = assert(waba.emulator.start { statuses = false })
    local function command(arguments, ca_file)
      return run(("D360_API_KEY=%s WABA_BASE_URL=%s WABA_HOSTING= WABA_CA_FILE=%s %s/bin/waba %s"):format(gateway.api_key,
        gateway.url, ca_file or gateway.ca_file, quote(root), arguments))
    end
    assert.equal("waba 1.0.0\nexit 0", command "--version")
    assert.matches("^sent  %S+\nexit 0$", command "send text +491511234567 'Hello from nginx'")
    assert.equal("Hello from nginx", gateway:messages()[1].content.body)
    assert.matches("to has 2 digits.*exit 2$", command "send text 12 Hello")
    -- this command gets no certificate authority, so nginx does not trust the emulator
    assert.matches("lua_ssl_trusted_certificate.*exit 1$", command("send text +491511234567 Hello", ""))
    gateway:stop()
  end)

  -- Runs the commands in the section on OpenResty of docs/guides/webhooks-in-nginx.md, with another port and another
  -- folder. The example's files are changed as the guide describes.
  it("is followed by the guide's other commands, up to the first reply", function()
    local port, example = process.free_port(), folder:file "nginx"
    process.run(("cp -R examples/nginx %s && chmod 755 %s && ln -s ../nginx/sbin/nginx %s/bin/openresty"):format(quote(example),
      quote(folder.path), quote(root)))
    process.run(("sed -i 's/listen 8443/listen 127.0.0.1:%d/; s/:8443/:%d/' %s/server.conf %s/try.sh"):format(port, port,
      quote(example), quote(example)))
    local script, server = { "set -eu", "PATH=" .. quote(root .. "/bin") .. ":$PATH" }, nil
    local section = documents.section("docs/guides/webhooks-in-nginx.md", "OpenResty, from install to first reply")
    for written in section:gmatch "\n%$ ([^\n]+)" do
      local line = written:gsub("^sudo ", ""):gsub("/usr/local/openresty", root):gsub("^cd examples/nginx$", "cd " .. quote(example))
      if line:find "^waba emulator" then
        script[#script + 1] = "exec " .. line
      elseif line:find "^D360_API_KEY" then
        server = line:gsub("…", "word") -- `…` in the guide's command stands for an API key
      elseif not line:find "^apt%-get" and not line:find "^make" then
        script[#script + 1] = line
      end
    end
    assert.equal(7, #script)
    folder:file("script", table.concat(script, "\n"))
    local emulator = process.start("env -u LUA_PATH -u LUA_CPATH sh " .. quote(folder:file "script"), folder:file "log")
    process.wait_for(function() return emulator:output():find("text to 491511234567: You wrote: Hello", 1, true) end,
      "the reply in the emulator's log", 60)
    emulator:stop()
    folder:file("start", ("PATH=%s:$PATH; cd %s && exec env %s -g 'daemon off;'"):format(quote(root .. "/bin"), quote(example),
      server))
    local nginx = process.start("sh " .. quote(folder:file "start"), folder:file "log")
    process.wait_for(function() return process.listens(port) end, "nginx to listen")
    nginx:stop()
  end)

  it("is removed by make uninstall-openresty", function()
    process.run(("make uninstall-openresty OPENRESTY=%s"):format(quote(root)))
    assert.equal("", (process.run(("cd %s && find site bin -name '*waba*'"):format(quote(root)))))
  end)
end)
