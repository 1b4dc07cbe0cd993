-- `make install` and `luarocks make` install the same files. A program that can't read the checkout sends a message
-- with the installed files.

local interpreter = jit and "luajit" or "lua" .. _VERSION:match("%d.%d")
local lua_api = _VERSION:match("%d.%d")
local luajit_headers = jit and "LUA_INCDIR=\"$(pkg-config --variable=includedir luajit)\"" or ""

--- Runs a shell command. Returns the output of the command, or raises an error with the output.
local function run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1; echo \"exit $?\"", "r"))
  local output = pipe:read("*a")
  pipe:close()
  local text, code = output:match("^(.-)exit (%d+)\n$")
  if code ~= "0" then
    error(("%s\nended with %s:\n%s"):format(command, tostring(code), text or output), 2)
  end
  return text
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- All files that a program can load from an installed tree, sorted, without LuaRocks' own files.
local function installed_files(tree)
  return run(("cd %s && find share/lua lib/lua bin -type f 2>/dev/null | sort; true"):format(quote(tree)))
end

--- All files of a source tree, sorted, without the build folder.
local function source_files(tree)
  return run(("cd %s && find . -name build -prune -o -type f -print | sort"):format(quote(tree)))
end

local PACKAGES = { "waba", "waba-cli", "waba-emulator" }

describe("the installation", function()
  local folder, source, made, rocked, files_before, printed

  setup(function()
    folder = run("mktemp -d"):gsub("\n", "")
    source, made, rocked = folder .. "/the source", folder .. "/by make", folder .. "/by luarocks"
    run(("mkdir %s && cp -Rp Makefile LICENSE annotations lua cli emulator src rockspec docs %s"):format(
      quote(source), quote(source)))
    -- `make install` uses the files that `make` has built; LuaRocks compiles all files.
    run(("mkdir %s/build && cp -Rp build/%s %s/build 2>/dev/null; true"):format(quote(source), interpreter, quote(source)))
    files_before = source_files(source)

    -- Without optimisation the compiler takes less time.
    local inside = "cd " .. quote(source) .. " && "
    printed = run(inside .. ("make install LUA=%s CFLAGS=-O0 PREFIX= DESTDIR=%s"):format(interpreter, quote(made)))
    for _, package_name in ipairs(PACKAGES) do
      run(inside .. ("luarocks --lua-version=%s --tree=%s make --deps-mode=none CFLAGS=-O0 %s rockspec/%s-scm-1.rockspec"):format(
        lua_api, quote(rocked), luajit_headers, package_name))
    end
  end)

  teardown(function() run("rm -rf " .. quote(folder)) end)

  it("installs the same files with make and with LuaRocks", function()
    local files = installed_files(made)
    assert.equal(files, installed_files(rocked))
    for _, file in ipairs { "share/lua/%s/waba/init.lua", "lib/lua/%s/waba/core.so", "lib/lua/%s/waba/curl.so" } do
      assert.truthy(files:find(file:format(lua_api), 1, true), file)
    end
  end)

  it("installs the types for editors", function()
    for _, tree in ipairs { made, rocked } do
      for _, name in ipairs { "waba", "core", "curl" } do
        local first = run(("head -1 %s/share/lua/%s/waba/annotations/%s.lua"):format(quote(tree), lua_api, name))
        assert.matches("^%-%-%-@meta", first, name)
      end
    end
  end)

  it("installs the files of the emulator's page", function()
    for path in run("cd emulator && find waba/emulator/page -type f"):gmatch "[^\n]+" do
      for _, tree in ipairs { made, rocked } do
        run(("cmp %s %s"):format(quote("emulator/" .. path), quote(("%s/share/lua/%s/%s"):format(tree, lua_api, path))))
      end
    end
  end)

  it("prints where each file is installed", function()
    local files = run(("cd %s && find . -type f | sed 's/^.//' | sort"):format(quote(made)))
    local lines = {}
    for path in printed:gmatch "  install ([^\n]+)\n" do lines[#lines + 1] = path:sub(#made + 1) end
    table.sort(lines)
    assert.equal(files, table.concat(lines, "\n") .. "\n")
  end)

  -- Loads a completion as its shell does: bash-completion and fish source their file, zsh calls a function in its file.
  it("installs completions that run the command", function()
    local share, command = made .. "/share", quote(made .. "/bin")
    local program = [[
      export LUA_PATH=%s LUA_CPATH=%s PATH=%s:"$PATH"
      . %s/bash-completion/completions/waba
      COMP_WORDS=(waba expl) COMP_CWORD=1 && _waba && echo "${COMPREPLY[@]}"
    ]]
    assert.equal("explain\n", run("bash -c " .. quote(program:format(quote(package.path), quote(package.cpath), command,
      quote(share)))))
    for _, file in ipairs { "zsh/site-functions/_waba", "fish/vendor_completions.d/waba.fish" } do
      assert.matches("waba completion", run(("cat %s/%s"):format(quote(share), file)))
    end
  end)

  it("leaves only the build folder in the source tree", function()
    assert.equal(files_before, source_files(source))
  end)

  it("has rockspecs that LuaRocks accepts, equal except for version and tag", function()
    for _, package_name in ipairs(PACKAGES) do
      local released, scm = "rockspec/" .. package_name .. "-1.0.0-1.rockspec", "rockspec/" .. package_name .. "-scm-1.rockspec"
      run("luarocks lint " .. released)
      run("luarocks lint " .. scm)
      assert.equal('< version = "1.0.0-1"\n---\n> version = "scm-1"\n<   tag = "v1.0.0",\n',
        run(("diff %s %s | grep -v '^[0-9]' || true"):format(released, scm)))
    end
    assert.equal("1.0.0", require "waba.version")
  end)

  it("can be packed as a source rock and as a binary rock", function()
    local packed = folder .. "/packed"
    -- Makes a Git repository with the tag of the release. Git uses this repository in place of the rockspec's URL.
    run(("mkdir %s && cp -R %s/. %s/repository && cd %s/repository && rm -rf build && git init -q && git add -A "
      .. "&& git -c user.name=x -c user.email=x@example.com commit -q -m x && git tag v1.0.0"):format(
      quote(packed), quote(source), quote(packed), quote(packed)))
    local elsewhere = ("GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=%s GIT_CONFIG_VALUE_0=%s"):format(
      quote("url.file://" .. packed .. "/repository.insteadOf"), quote "https://waba.example/waba.git")
    run(("cd %s && %s luarocks --lua-version=%s pack %s/rockspec/waba-1.0.0-1.rockspec"):format(quote(packed),
      elsewhere, lua_api, quote(source)))
    assert.matches("/lua/waba/init%.lua", run(("unzip -l %s/waba-1.0.0-1.src.rock >/dev/null && cd %s && unzip -q "
      .. "waba-1.0.0-1.src.rock && find . -path '*lua/waba/init.lua'"):format(quote(packed), quote(packed))))
    run(("cd %s && luarocks --lua-version=%s --tree=%s pack waba"):format(quote(packed), lua_api, quote(rocked)))
    assert.matches("waba%-scm%-1%.%S+%.rock", run(("ls %s"):format(quote(packed))))
  end)

  -- Debian without compilers.
  for way, command in pairs {
    make = "make modules LUA=" .. interpreter .. " BUILD=build/none",
    LuaRocks = ("luarocks --lua-dir=/usr --lua-version=%s --tree=%s make --deps-mode=none %s rockspec/waba-scm-1.rockspec"):format(
      lua_api, quote "../not here", luajit_headers),
  } do
    it("reports with " .. way .. " what is missing where there is no compiler", function()
      local programs = run("mktemp -d"):gsub("\n", "")
      run(("ln -s /usr/bin/* /usr/local/bin/* %s 2>/dev/null; cd %s && rm -f *gcc* *clang* *g++* cc c99 c89 *cpp tcc"):format(
        programs, programs))
      run(("cd %s && mv build/rock build/kept"):format(quote(source)))
      local pipe = io.popen(("cd %s && PATH=%s %s 2>&1"):format(quote(source), programs, command))
      local output = pipe:read "*a"
      pipe:close()
      run(("rm -r %s && cd %s && rm -rf build/rock && mv build/kept build/rock"):format(programs, quote(source)))
      assert.matches("waba requires a C compiler", output)
      assert.matches("apt%-get install gcc", output)
    end)
  end

  for _, way in ipairs { "make", "LuaRocks" } do
    it("sends a message with only what " .. way .. " installed", function()
      local tree = way == "make" and made or rocked
      local program = folder .. "/program.lua"
      local file = assert(io.open(program, "w"))
      file:write [[
        local waba = require "waba"
        local emulator = require("waba.emulator").start {}
        local client = waba.client(emulator:options {})
        local sent = assert(client:send("+49 151 1234567", waba.text "Hi"))
        print("sent as " .. sent.id)
        for name in pairs(package.loaded) do
          if name:find("^waba") then print("loaded " .. name) end
        end
        client:close()
        emulator:stop()
      ]]
      file:close()

      local share, lib = tree .. "/share/lua/" .. lua_api, tree .. "/lib/lua/" .. lua_api
      local path = share .. "/?.lua;" .. share .. "/?/init.lua;;"
      if not jit then
        path = path .. "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;"
          .. "/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
      end
      local output = run(("cd %s && LUA_PATH=%s LUA_CPATH=%s %s program.lua"):format(
        quote(folder), quote(path), quote(lib .. "/?.so;;"), interpreter))
      assert.truthy(output:match("sent as %S+"), output)

      local command = ("LUA_PATH=%s LUA_CPATH=%s %s"):format(quote(path), quote(lib .. "/?.so;;"),
        quote(tree .. "/bin/waba"))
      assert.equal("waba 1.0.0\n", run(("cd %s && %s --version"):format(quote(folder), command)))
      assert.matches("Re%-engagement", run(("cd %s && %s explain 470"):format(quote(folder), command)))
    end)

    it("finds with the command that " .. way .. " installed the library in the same tree", function()
      local command = quote((way == "make" and made or rocked) .. "/bin/waba")
      assert.equal("waba 1.0.0\n", run(("cd %s && env -u LUA_PATH -u LUA_CPATH %s --version"):format(quote(folder), command)))
    end)
  end

  it("runs the command from the checkout after make env", function()
    assert.equal("waba 1.0.0\n", run(([[
      cd %s && paths=$(make -s env LUA=%s CFLAGS=-O0) && unset LUA_PATH LUA_CPATH && eval "$paths" && cd / && waba --version
    ]]):format(quote(source), interpreter)))
  end)

  it("builds the core where libcurl has no headers, and names what is missing", function()
    local tree = folder .. "/without libcurl"
    run(("mkdir -p %s/curl && echo '#error' >%s/curl/curl.h"):format(quote(tree), quote(tree)))
    local inside = ("cd %s && CPPFLAGS=%s"):format(quote(source), quote("-I'" .. tree .. "'"))
    local output = run(inside .. (" make install LUA=%s CFLAGS=-O0 PREFIX= DESTDIR=%s"):format(
      interpreter, quote(tree .. "/root")))
    assert.matches("Built without libcurl", output)
    assert.matches("apt%-get install libcurl4%-openssl%-dev", output)
    local lib = tree .. "/root/lib/lua/" .. lua_api
    assert.equal("core.so\n", run(("ls %s/waba"):format(quote(lib))))
    local pipe = io.popen(("cd %s && LUA_PATH=%s LUA_CPATH=%s %s -e %s 2>&1"):format(quote(folder),
      quote(tree .. "/root/share/lua/" .. lua_api .. "/?.lua;" .. tree .. "/root/share/lua/" .. lua_api .. "/?/init.lua;;"),
      quote(lib .. "/?.so;;"), interpreter, quote 'require("waba").client { api_key = "k" }'))
    local message = pipe:read "*a"
    pipe:close()
    assert.matches("built without libcurl and can send inside nginx only", message)
  end)

  -- Runs a program that can read the installed files and the machine's libraries, but not the checkout.
  local function run_with(tree, program)
    local share, lib = tree .. "/share/lua/" .. lua_api, tree .. "/lib/lua/" .. lua_api
    return run(("cd %s && LUA_PATH=%s LUA_CPATH=%s %s -e %s"):format(quote(folder), quote(share .. "/?.lua;" .. share .. "/?/init.lua;;"),
      quote(lib .. "/?.so;;"), interpreter, quote(program)))
  end

  for way, command in pairs {
    make = "make install PACKAGES=waba LUA=" .. interpreter .. " CFLAGS=-O0 PREFIX= DESTDIR=%s",
    LuaRocks = ("luarocks --lua-version=%s --tree=%%s make --deps-mode=none CFLAGS=-O0 %s rockspec/waba-scm-1.rockspec"):format(lua_api,
      luajit_headers),
  } do
    it("installs the library alone with " .. way .. ", and names the rock of a package that is absent", function()
      local tree = folder .. "/library by " .. way
      run("cd " .. quote(source) .. " && " .. command:format(quote(tree)))
      assert.equal("waba\n", run(("ls %s/share/lua/%s"):format(quote(tree), lua_api)))
      for _, absent in ipairs { "emulator", "cli", "migrate" } do
        assert.equal("", run(("find %s -path '*lua*/waba/%s'"):format(quote(tree), absent)))
      end
      assert.equal("", run(("find %s -name 'waba.1' -o -path '*/bin/waba'"):format(quote(tree))))
      assert.equal("true\n", run_with(tree, [[
        local waba = require "waba"
        print(waba.check(waba.text "Hello", "cloud"))
      ]]))
      for name, rock in pairs { emulator = "waba-emulator", migrate = "waba-cli" } do
        assert.matches("waba%." .. name .. " is in the rock " .. rock:gsub("%-", "%%-") .. ", which is not installed",
          run_with(tree, ('print(select(2, pcall(function() return require("waba").%s end)))'):format(name)))
      end
    end)
  end

  it("names the packages if an unknown one is requested", function()
    assert.matches('PACKAGES: "waba%-clu" is not a package: expected waba, waba%-cli or waba%-emulator',
      run(("cd %s && make install PACKAGES=waba-clu LUA=%s PREFIX= DESTDIR=%s 2>&1 || true"):format(quote(source), interpreter,
        quote(folder .. "/none"))))
  end)

  it("removes all files with make uninstall", function()
    run(("cd %s && make uninstall LUA=%s PREFIX= DESTDIR=%s"):format(quote(source), interpreter, quote(made)))
    assert.equal("", installed_files(made))
  end)
end)
