-- The object that `waba.emulator.start` returns, and the process of the emulator: its start, its calls and its end.

local emulators = require "waba.emulator"
local process = require "spec.support.process"
local support = require "spec.support.emulator"

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function alive(pid)
  return os.execute(("kill -0 %d 2>/dev/null"):format(pid)) == true or
    os.execute(("kill -0 %d 2>/dev/null"):format(pid)) == 0
end

local function command(text)
  local pipe = io.popen(text)
  local output = pipe:read("*a")
  pipe:close()
  return output
end

describe("waba.emulator", function()
  it("starts a gateway that responds over TLS", function()
    local emulator = assert(emulators.start())
    assert.matches("^https://127%.0%.0%.1:%d+$", emulator.url)
    local status, body = support.request(emulator, "GET", "/v1/configs/phone_number")
    assert.equal(200, status)
    assert.equal(emulator.number, body.phone_number)
    emulator:stop()
  end)

  it("leaves no process and no file after its end", function()
    local emulator = assert(emulators.start())
    local folder = emulator.ca_file:match("^(.*)/")
    assert.is_true(alive(emulator.pid))
    emulator:stop()
    assert.is_false(alive(emulator.pid))
    assert.is_false(exists(emulator.ca_file))
    assert.equal("", command("ls -d " .. folder .. " 2>/dev/null"))
    emulator:stop()
    assert.equal("waba.Emulator (stopped)", tostring(emulator))
  end)

  it("ends a process that does not respond", function()
    local emulator = assert(emulators.start({ tls = false }))
    local folder = emulator.started.folder
    os.execute("kill -9 " .. emulator.pid)
    emulator:stop()
    assert.is_false(alive(emulator.pid))
    assert.equal("", command("ls -d " .. folder .. " 2>/dev/null"))
  end)

  it("is not stopped by a second handle that has connected to it", function()
    local emulator = assert(emulators.start({ tls = false, numbers = { { number = "4930555019" }, { number = "4930555020" } } }))
    local joined = assert(emulators.connect(emulator.started.control, emulator.started.token))
    local id = assert(joined:customer("491511234567"):text("Hi"))
    assert.equal("Hi", emulator:message(id).content.body)
    assert.equal(emulator.numbers["4930555020"].api_key, joined.numbers["4930555020"].api_key)
    assert.equal(emulator.cloud.url, joined.cloud.url)
    joined:stop()
    joined:stop()
    assert.equal("waba.Emulator (stopped)", tostring(joined))
    joined = assert(emulators.connect(emulator:page()))
    assert.same(1, #joined:messages())
    joined:stop()
    assert.equal(1, #emulator:messages())
    local refused, err = emulators.connect(emulator.started.control, "wrong")
    assert.is_nil(refused)
    assert.matches("the token is wrong", err.message)
    local page = emulator:page()
    emulator:stop()
    assert.matches("the call of the emulator failed", select(2, emulators.connect(page)).message)
    for _, url in ipairs({ "x", "https://127.0.0.1:1/?token=t", "http://gateway.example/?token=t", "http://127.0.0.1:1/" }) do
      local none, reason = emulators.connect(url)
      assert.is_nil(none)
      assert.matches("expected http://127.0.0.1:PORT/?token=TOKEN", reason.message, 1, true)
    end
  end)

  it("returns an error for calls after the end", function()
    local emulator = assert(emulators.start())
    emulator:stop()
    local list, err = emulator:received()
    assert.is_nil(list)
    assert.equal("unavailable", err.kind)
    assert.is_nil((emulator:customer("491511"):text("Hi")))
  end)

  it("ends with a program that does not stop it", function()
    for _, ending in ipairs { "", "os.exit(3, true)", "error \"x\"" } do
      local code = ("local emulator = assert(require('waba').emulator.start()) print(emulator.pid) io.stdout:flush() %s"):format(ending)
      local pid = process.run(("timeout 20 %s -e %s 2>/dev/null; echo $?"):format(process.interpreter(), process.quote(code)))
      assert.not_matches("124$", pid, ending) -- 124: timeout(1) has ended the program
      support.run(function()
        support.eventually(function() return not alive(tonumber(pid:match "^%d+")) end)
      end)
    end
  end)

  it("ends with the program, also if the program is killed", function()
    local code = [[
      local emulator = assert(require("waba.emulator").start())
      print(emulator.pid, emulator.ca_file)
      io.stdout:flush()
      io.stdin:read("*a")]]
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local fifo = os.tmpname()
    os.remove(fifo)
    os.execute("mkfifo " .. fifo)
    local program = io.popen(("exec %s -e '%s' < %s & echo $!; exec 3> %s; wait"):format(
      interpreter, code:gsub("'", "'\\''"), fifo, fifo))
    local program_pid = tonumber(program:read("*l"))
    local pid, ca_file = program:read("*l"):match("^(%d+)%s+(.*)$")
    assert.is_true(alive(pid))
    os.execute("kill -9 " .. program_pid)
    program:close()
    os.remove(fifo)
    support.run(function()
      support.eventually(function() return not alive(pid) end)
      support.eventually(function() return not exists(ca_file) end)
    end)
  end)

  it("uses the key and the number of its options, and does not show the key", function()
    local emulator = assert(emulators.start({ api_key = "THE-VERY-KEY", number = "4940123456" }))
    assert.equal("THE-VERY-KEY", emulator.api_key)
    support.request(emulator, "GET", "/v1/health")
    local shown = require("cjson").encode((emulator:received())) .. tostring(emulator)
    assert.is_nil(shown:find("THE-VERY-KEY", 1, true))
    assert.is_truthy(shown:find("(hidden)", 1, true))
    local processes = command("ps axww -o args")
    assert.is_nil(processes:find("THE-VERY-KEY", 1, true))
    emulator:stop()
  end)

  it("returns the options of a client", function()
    local emulator = assert(emulators.start())
    local options = emulator:options({ timeout = 5 })
    assert.same({ api_key = emulator.api_key, base_url = emulator.url, ca_file = emulator.ca_file, timeout = 5 },
      options)
    emulator:stop()
  end)

  it("runs several gateways at the same time", function()
    local first, second = assert(emulators.start()), assert(emulators.start())
    assert.not_equal(first.url, second.url)
    assert.not_equal(first.api_key, second.api_key)
    local status = support.request(first, "GET", "/v1/health", nil, { key = second.api_key })
    assert.equal(401, status)
    first:stop()
    assert.equal(200, (support.request(second, "GET", "/v1/health")))
    second:stop()
  end)

  it("raises an error for an unknown option and names the nearest one", function()
    assert.has_error(function() emulators.start({ api_kye = "x" }) end,
      "waba.emulator.start: unknown option api_kye (did you mean api_key?)")
    assert.has_error(function() emulators.start({ webhooks = { timout = 1 } }) end)
    assert.has_error(function() emulators.start({ cloud = { phone_number = "1" } }) end)
    assert.has_error(function() emulators.start({ cloud = { seed = 1 } }) end)
    assert.has_error(function() emulators.start({ cloud = { webhooks = { timout = 1 } } }) end)
  end)

  it("raises an error for a value that an option can't have", function()
    for _, case in ipairs {
      { { number = "abc" }, 'option number must be the digits of a phone number, not "abc"' },
      { { client_version = "abc" }, 'option client_version must be a version such as 2.53.1, not "abc"' },
      { { recipient_id = "middle" }, 'option recipient_id must be "message", "top" or "both", not "middle"' },
      { { webhooks = { duplicates = 3 } }, "webhooks: option duplicates must be a share from 0 to 1, not 3" },
      { { cloud = { webhooks = { reorder = -1 } } }, "cloud: webhooks: option reorder must be a share from 0 to 1, not -1" },
      { { webhooks = { url = "not a url" } }, 'webhooks: option url must be an http or https URL, not "not a url"' },
      { { webhooks = { ca_file = "/nowhere.pem" } }, 'option ca_file must be a PEM file that can be read, not "/nowhere.pem"' },
      { { api_key = "" }, "option api_key must be a text of one line that is not empty" },
      { { cloud = { api_key = "a\nb" } }, "cloud: option api_key must be a text of one line that is not empty" },
      { { statuses = { snt = 1 } }, 'option statuses has the unknown name "snt" (did you mean sent?)' },
      { { statuses = { sent = "soon" } }, 'option statuses must have a number of at least 0 in sent, not "soon"' },
      { { cloud = { media_block = { error = 1 } } }, 'option media_block has the unknown name "error" (did you mean errors?)' },
      { { rate_limits = { messages = 3 } }, "rate_limits has an invalid value in messages, which must be a table" },
      { { review = -1 }, "option review must be seconds of at least 0, not -1" },
      { { keep = 0 }, "option keep must be an integer of at least 1, not 0" },
      { { port = 65536 }, "option port must be 0 to 65535, not 65536" },
      { { templates = { { name = "x" } } }, "option templates must be a list of templates: in template 1 the field language" },
      { { templates = { { name = "x", language = "en", components = { {} } } } }, "each component must be a table with a type" },
      { { templates = { name = "x", language = "en" } }, "option templates must be a list of templates, not a table" },
      { { numbers = { { number = "492", review = -1 } } }, "numbers[1]: option review must be seconds of at least 0" },
    } do
      local ok, message = pcall(emulators.start, case[1])
      assert.is_false(ok)
      assert.matches("waba.emulator.start: ", message, 1, true)
      assert.matches(case[2], message, 1, true)
    end
    local emulator, err = emulators.start { templates = "/etc" }
    assert.is_nil(emulator)
    assert.equal("templates", err.path)
    assert.matches("the folder /etc has no templates", err.message, 1, true)
    emulator = assert(emulators.start())
    assert.error_matches(function() emulator:configure { statuses = { red = 1 } } end,
      'emulator:configure: option statuses has the unknown name "red" .did you mean re')
    emulator:stop()
  end)

  it("reports why it can't start", function()
    local emulator = assert(emulators.start())
    local port = tonumber(emulator.url:match("(%d+)$"))
    local second, err = emulators.start({ port = port })
    assert.is_nil(second)
    assert.equal("unavailable", err.kind)
    assert.matches("cannot listen on 127.0.0.1 port " .. port, err.message, 1, true)
    emulator:stop()
  end)

  it("reports a missing interpreter", function()
    local emulator, err = emulators.start({ interpreter = "/nowhere/lua" })
    assert.is_nil(emulator)
    assert.matches("there is no interpreter /nowhere/lua", err.message, 1, true)
  end)

  it("runs in another Lua than the program, with this Lua's C modules", function()
    local other = rawget(_G, "jit") and "lua5.4" or "luajit"
    local emulator = assert(emulators.start({ interpreter = other }))
    assert.matches(other, command("readlink /proc/" .. emulator.pid .. "/exe"), 1, true)
    assert.equal(200, (support.request(emulator, "GET", "/v1/configs/phone_number")))
    emulator:stop()
  end)

  it("reports another Lua that has no modules of the library", function()
    local other = rawget(_G, "jit") and "lua5.4" or "luajit"
    local folder = command("mktemp -d"):match("%S+")
    local file = assert(io.open(folder .. "/lua", "w"))
    file:write("#!/bin/sh\nLUA_CPATH= LUA_CPATH_5_4= exec " .. other .. ' "$@"\n')
    file:close()
    os.execute("chmod +x " .. folder .. "/lua")
    local before = package.cpath
    package.cpath = folder .. "/?.so"
    local emulator, err = emulators.start({ interpreter = folder .. "/lua" })
    package.cpath = before
    os.execute("rm -r " .. folder)
    assert.is_nil(emulator)
    assert.matches("option interpreter: waba is not installed for " .. other, err.message, 1, true)
  end)

  it("reports a missing library, and how to install it", function()
    local before = package.path
    -- The file in the first folder of package.path hides the installed library.
    local folder = command("mktemp -d"):match("%S+")
    local file = assert(io.open(folder .. "/cqueues.lua", "w"))
    file:write("error('no such library here', 0)")
    file:close()
    package.path = folder .. "/?.lua;" .. before
    local emulator, err = emulators.start()
    package.path = before
    os.execute("rm -r " .. folder)
    assert.is_nil(emulator)
    assert.matches('rock "cqueues", Debian package "lua-cqueues"', err.message, 1, true)
  end)

  it("runs from a shell until it is interrupted", function()
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local program = io.popen(("exec %s emulator/waba/emulator/main.lua --number 4940777 --api-key=SHELL-KEY"
      .. " --cloud-number 4940888 --cloud-secret s 2>&1 & "
      .. "echo $!; wait"):format(interpreter))
    local pid = tonumber(program:read("*l"))
    finally(function() os.execute(("kill -TERM %d 2>/dev/null"):format(pid)) end)
    local lines, words = {}, {}
    repeat
      lines[#lines + 1] = program:read("*l")
      local name, value = lines[#lines]:match("^export ([%w_]+)=(.*)$")
      if name then words[name] = value end
    until lines[#lines]:find("Ctrl%-C")
    assert.matches("On%-Premise hosting, the number 4940777", lines[1])
    assert.equal("SHELL-KEY", words.D360_API_KEY)
    assert.equal("on_premise", words.WABA_HOSTING)
    local url, ca_file = words.WABA_BASE_URL, words.WABA_CA_FILE
    local cloud_url, cloud_key = words.WABA_CLOUD_BASE_URL, words.D360_API_KEY
    local status, body = support.request({ url = url, ca_file = ca_file, api_key = "SHELL-KEY" }, "GET",
      "/v1/configs/phone_number")
    assert.equal(200, status)
    assert.equal("4940777", body.phone_number)
    status, body = support.request({ url = cloud_url, ca_file = ca_file, api_key = cloud_key }, "GET",
      "/health_status?fields=display_phone_number")
    assert.equal(200, status)
    assert.equal("4940888", (body.display_phone_number:gsub("%D", "")))
    os.execute("kill -TERM " .. pid)
    program:read("*a")
    program:close()
    assert.is_false(exists(ca_file))
  end)

  it("refuses wrong arguments in a shell", function()
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local output = command(interpreter .. " emulator/waba/emulator/main.lua --prot 1 2>&1; echo $?")
    assert.matches("unknown argument %-%-prot: waba emulator %-%-help lists all arguments\n2\n$", output)
    assert.matches("unknown argument %-%-cloud%-seed: waba emulator %-%-help lists all arguments\n2\n$",
      command(interpreter .. " emulator/waba/emulator/main.lua --cloud-seed 1 2>&1; echo $?"))
    assert.matches("%-%-seed needs a value: integer, not 1.5\n2\n$",
      command(interpreter .. " emulator/waba/emulator/main.lua --seed 1.5 2>&1; echo $?"))
    assert.matches("%-%-namespace needs a value: string\n2\n$",
      command(interpreter .. " emulator/waba/emulator/main.lua --namespace 2>&1; echo $?"))
    assert.matches("%-%-cloud%-waba%-id", command(interpreter .. " emulator/waba/emulator/main.lua --help"))
    local help = command(interpreter .. " emulator/waba/emulator/main.lua --help")
    assert.matches("^Usage: waba emulator", help)
    assert.matches("%-%-client%-version", help)
    for line in help:gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
  end)

  it("raises an error for commands and filters without effect", function()
    local emulator = assert(emulators.start())
    for _, order in ipairs { {}, { times = 2 }, { path = "/v1/media" }, { drop = "befor" }, { status = 99 }, { status = 600 },
      { status = 500, share = 2 }, { status = 500, times = 0 }, { delay = -1 } } do
      assert.error_matches(function() emulator:fail_next(order) end, "emulator:fail_next: .*option")
    end
    assert.error_matches(function() emulator:fail_next() end, "emulator:fail_next: one of the options status, code")
    assert.error_matches(function() emulator:wait() end, "emulator:wait: the argument must be a table of counts or a function")
    assert.error_matches(function() emulator:advance(math.huge) end, "emulator:advance: seconds")
    assert.error_matches(function() emulator:messages(5) end, "a filter must be a table or a function")
    assert.error_matches(function() emulator:received "POST" end, "a filter must be a table or a function")
    assert.error_matches(function() emulator:messages { typ = "text" } end, "emulator:messages: unknown option typ .did you mean type")
    assert.error_matches(function() emulator:received { method = 5 } end, "emulator:received: option method must be string")
    assert.error_matches(function() emulator:webhooks { atempt = 1 } end, "emulator:webhooks: unknown option atempt")
    assert.error_matches(function() emulator:customer() end, "emulator:customer: the number must be a phone number, not nil")
    assert.error_matches(function() emulator:customer "Eva" end, "emulator:customer: the number must be a phone number, not Eva")
    assert.error_matches(function() emulator:options "cloud" end, "emulator:options: the options must be a table")
    emulator:stop()
  end)

  it("waits for counts and for conditions", function()
    local emulator = assert(emulators.start())
    emulator:customer("4915100"):text "Hi"
    assert.is_true(emulator:wait({ messages = 1, pending = 0 }, 5))
    assert.equal("text", emulator:wait(function(it) return it:messages()[1].type end))
    local result, err = emulator:wait({ messages = 99 }, 0.05)
    assert.is_nil(result)
    assert.equal("timeout", err.kind)
    assert.has_error(function() emulator:wait({ mesages = 1 }) end)
    emulator:stop()
  end)

  it("removes its records between two tests, and keeps the gateway's state", function()
    local emulator = assert(support.start({ statuses = false, window = true }))
    local eva = emulator:customer("4915112345678", { name = "Eva" })
    local id = assert(eva:text("before"))
    support.send(emulator, "text", { body = "before" })
    emulator:fail_next({ status = 500, times = 5 })
    assert.is_true(emulator:forget())
    assert.same({}, emulator:messages())
    assert.same({}, emulator:received())
    assert.equal(0, emulator:counts().messages)
    assert.equal(201, (support.send(emulator, "text", { body = "after" }))) -- `forget` does not close the customer's window
    local messages = emulator:messages({ since = 0 })
    assert.equal(1, #messages)
    assert.equal("after", messages[1].content.body)
    assert.equal(1, #emulator:received(function() return true end))
    assert.is_true(emulator:wait({ messages = 1, requests = 1 }, 5))
    assert.equal("before", emulator:message(id).content.body)
    assert.same({}, emulator.cloud:messages())
    emulator:stop()
    local forgotten, err = emulator:forget()
    assert.is_nil(forgotten)
    assert.equal("unavailable", err.kind)
  end)

  it("lets a server of the program run while it waits", function()
    local emulator = assert(support.start())
    local turns = 0
    emulator.sleep = function() turns = turns + 1 end
    assert.is_true(emulator:wait(function() return turns == 3 end))
    emulator:stop()
  end)

  it("keeps only the newest requests with the option keep", function()
    local emulator = assert(emulators.start({ keep = 3 }))
    for i = 1, 5 do support.request(emulator, "GET", "/v1/health?n=" .. i) end
    local list = emulator:received()
    assert.equal(3, #list)
    assert.equal("3", list[1].query.n)
    assert.equal(5, emulator:counts().requests)
    assert.equal(1, #emulator:received({ since = 4 }))
    emulator:stop()
  end)

  it("returns bytes that are not text unchanged", function()
    local emulator = assert(emulators.start())
    local bytes = "\255\216\255\0 picture"
    support.request(emulator, "POST", "/v1/messages", bytes)
    assert.equal(bytes, emulator:received({ path = "/v1/messages" })[1].body)
    emulator:stop()
  end)

  it("shows bodies that are not text", function()
    local emulator = assert(emulators.start({ tls = false }))
    local jpeg = "\255\216\255\0%41"
    support.request(emulator, "POST", "/v1/settings/profile/photo", jpeg, { headers = { ["content-type"] = "image/jpeg" } })
    assert.equal(jpeg, emulator:received()[1].body)
    emulator:stop()
  end)

  it("returns the received requests by filter", function()
    local emulator = assert(emulators.start())
    support.send(emulator, "text", { body = "Hallo" })
    support.send(emulator, "text", {})
    support.request(emulator, "GET", "/v1/health")
    assert.equal(2, #emulator:received({ method = "post", path = "/v1/messages" }))
    assert.equal(1, #emulator:received({ status = 400 }))
    assert.equal(3, #emulator:received(function(request) return request.protocol == "HTTP/1.1" end))
    local request = emulator:received({ path = "^/v1/mess" })[1]
    assert.equal("Hallo", request.json.text.body)
    assert.equal("HTTP/1.1", request.protocol)
    assert.equal("spec", request.headers["user-agent"])
    assert.is_true(request.answered)
    emulator:stop()
  end)
end)
