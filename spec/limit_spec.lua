-- A program or a worker of nginx that has no free file descriptor or connection: the error names the resource and its
-- limit, `maybe_sent` is false, and the client works again when the resource is free.

local core = require "waba.core"
local folder = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local server = require "spec.support.server"
local webhooks = require "spec.support.webhooks"

local LIMIT = 100
local LIMIT_TEXT = "too many open files: this process may have " .. LIMIT .. " (ulimit -n)"

local function limited(command)
  return process.run(("ulimit -n %d; timeout 30 %s 2>&1"):format(LIMIT, command))
end

-- Returns whether a library is installed. Another process loads the library, because loaded modules change the results
-- of other specs.
local function has(library)
  return process.run(("%s -e 'print((pcall(require, %q)))'"):format(process.interpreter(), library)) == "true"
end

describe("too many open files", function()
  local gateway, files, upload

  setup(function()
    files = folder.new()
    upload = files:write("image", "bytes")
    gateway = server.start {}
    gateway:respond("/v1/messages", { status = 201, body = '{"messages":[{"id":"gBEG"}]}' })
    gateway:respond("/v1/media", { status = 201, body = '{"media":[{"id":"1"}]}' })
  end)
  teardown(function()
    gateway:stop()
    files:remove()
  end)

  -- Returns two lists: the results of messages that are sent while few descriptors are free, and the results of later
  -- messages that are sent while enough descriptors are free.
  local function results_of(loop, path)
    local output = limited(("%s spec/support/limit_program.lua %s %s %s %s"):format(process.interpreter(), loop,
      gateway.url, gateway.ca_file, process.quote(path or "")))
    local few, enough = {}, {}
    for line in output:gmatch "[^\n]+" do
      local list = #few > #enough and enough or few
      list[#list + 1] = line
    end
    assert.equal("done", table.remove(few), output)
    return few, enough
  end

  local function assert_limited(result)
    if result == "sent" then return end
    assert.matches("no connection can be opened: " .. LIMIT_TEXT, result, 1, true)
    assert.matches("kind network, retryable true, maybe_sent false", result, 1, true)
  end

  for loop, library in pairs { blocking = "waba", native = "waba", cqueues = "cqueues", luv = "luv", copas = "copas" } do
    if has(library) then
      it("are reported as an error in " .. loop, function()
        local few, enough = results_of(loop)
        assert.not_equal("sent", few[1])
        assert.equal("sent", few[#few])
        for _, result in ipairs(few) do assert_limited(result) end
        for _, result in ipairs(enough) do assert.equal("sent", result) end
      end)
    end
  end

  it("are reported by a receiver and by all methods of a client", function()
    local webhook = files:write("webhook", webhooks.texts "a")
    local output = limited(("%s -e %s"):format(process.interpreter(), process.quote(([[
      local waba = require "waba"
      local client = waba.client { api_key = "key", base_url = "%s", ca_file = "%s", retry = false, hosting = "cloud" }
      local receiver = waba.receiver { user = "u", password = "p", client = client, on = {
        text = function() print(client:send("4915112345678", waba.text "Hi", { ordered = true })) end } }
      local message, held = waba.text "Hi", {}
      local file = io.open(%q)
      local request = { method = "POST", path = "/", headers = { authorization = "Basic dTpw" }, body = file:read "*a" }
      file:close()
      for file in function() return io.open "/dev/null" end do held[#held + 1] = file end
      print(pcall(receiver.handle, receiver, request))
      print(pcall(receiver.handle, receiver, { method = "POST", path = "/", headers = request.headers, body = '{"entry":[]}' }))
      print(pcall(receiver.work, receiver, {}))
      print(pcall(client.health, client))
    ]]):format(gateway.url, gateway.ca_file, webhook))))
    local lines = {}
    for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.matches("^true\t200", lines[1], nil, output)
    assert.matches("^true\t200", lines[2], nil, output)
    assert.matches(LIMIT_TEXT, lines[3], 1, true)
    assert.matches("^true", lines[4], nil, output)
    assert.matches(LIMIT_TEXT, lines[5], 1, true)
  end)

  it("are reported when a file is sent", function()
    local few, enough = results_of("blocking", upload)
    local named = 0
    for _, result in ipairs(few) do
      if result ~= "sent" then
        assert.matches(LIMIT_TEXT, result, 1, true)
        assert.matches("maybe_sent false", result, 1, true)
        if result:find(upload, 1, true) then named = named + 1 end
      end
    end
    assert.is_true(named > 0)
    for _, result in ipairs(enough) do assert.equal("sent", result) end
  end)

  it("are reported when a webhook server starts: nil and the limit", function()
    local output = limited(process.interpreter() .. " -e " .. process.quote [[
      local waba = require "waba"
      local receiver = waba.receiver { user = "u", password = "p", on = { text = function() end } }
      local options = { receiver = receiver, port = 0 }
      waba.webhook.server(options):close()
      local held, results = {}, {}
      for _ = 1, 200 do held[#held + 1] = io.open "/dev/null" end
      for _, count in ipairs { 0, 1, 2, 3, #held - 6 } do
        for _ = 1, count do table.remove(held):close() end
        collectgarbage()
        local fine, server, message = pcall(waba.webhook.server, options)
        results[#results + 1] = fine and (server and "started" or message) or "raised: " .. tostring(server)
        if fine and server then server:close() end
      end
      print(table.concat(results, "\n"))
    ]])
    assert.is_nil(output:find("raised", 1, true), output)
    assert.matches(LIMIT_TEXT, output, 1, true)
    assert.matches("started\n*$", output)
  end)

  it("are reported when a SQLite inbox is opened", function()
    local program = ([[local waba = require "waba"
      local _, held = waba.inbox.memory(), {}
      require "dbd.sqlite3"
      require "waba.store.sqlite"
      for file in function() return io.open "/dev/null" end do held[#held + 1] = file end
      local made, message = pcall(waba.inbox.sqlite, %q)
      for _, file in ipairs(held) do file:close() end
      print(made, message)]]):format(files:file "limited.db")
    assert.matches(LIMIT_TEXT, limited(("%s -e %s"):format(process.interpreter(), process.quote(program))), 1, true)
  end)

  it("are reported with the limit by core.system_error", function()
    assert.matches("^too many open files: this process may have %d+ %(ulimit %-n%)$", core.system_error(24))
    assert.matches("whole system", core.system_error(23), 1, true)
    assert.equal("No such file or directory", core.system_error(2))
  end)
end)

describe("a worker of nginx", function()
  local gateway

  setup(function()
    gateway = server.start {}
    gateway:respond("/v1/messages", { status = 201, body = '{"messages":[{"id":"gBEG"}]}',
      headers = { { "Connection", "close" } } })
  end)
  teardown(function() gateway:stop() end)

  -- Returns the result of a send while `exhaust` uses up a resource of nginx, and of a send afterwards. In the
  -- configuration `to` replaces the pattern `change`.
  local function results_of(exhaust, change, to)
    local files, port = folder.new(), process.free_port()
    nginx.certify(files)
    local configuration = nginx.configuration {
      port = port, workers = 1,
      http = ([[
        lua_ssl_trusted_certificate %s;
        lua_ssl_verify_depth 3;
        lua_socket_log_errors off;
        init_worker_by_lua_block {
          local waba = require "waba"
          client = waba.client { api_key = "key", base_url = "%s", retry = false, pace = false }
          require "waba.transport.ngx"
        }
      ]]):format(gateway.ca_file, gateway.url),
      content = ([[
        local waba, held = require "waba", {}
        local function send()
          local fine, sent, err = pcall(client.send, client, "4915112345678", waba.text "Hi")
          if not fine then return "raised: " .. tostring(sent) end
          return sent and "sent" or err.message .. "; " .. tostring(err.retryable) .. " " .. tostring(err.maybe_sent)
        end
        assert(send() == "sent") -- loads all modules before the test, and leaves no open connection
        local port = %d
        %s
        local result = send()
        for _, each in ipairs(held) do each:close() end
        ngx.sleep(0.05)
        ngx.print(result, "\n", send())
      ]]):format(gateway.port, exhaust),
    }
    local changed, count = configuration:gsub(change, to, 1)
    assert.equal(1, count)
    local program = nginx.start(files, changed, port)
    local _, _, body = nginx.request(("https://localhost:%d/"):format(port), { ca_file = files:file "ca.pem", method = "GET" })
    program:stop()
    files:remove()
    return tostring(body):match "^(.*)\n(.*)$"
  end

  it("without a free connection reports the directive, and continues later", function()
    local result, later = results_of([[
      for i = 1, 20 do
        local socket = ngx.socket.tcp()
        if not socket:connect("127.0.0.1", port) then break end
        held[i] = socket
      end
    ]], "worker_connections %d+", "worker_connections 8")
    assert.matches("no connection is left in this worker; raise the limit by the directive worker_connections; true false",
      result, 1, true)
    assert.equal("sent", later)
  end)

  it("without a free descriptor reports the directive, and continues later", function()
    local result, later = results_of([[
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        held[#held + 1] = file
      end
    ]], "worker_processes", "worker_rlimit_nofile 64;\nworker_processes")
    assert.matches("too many open files; raise the limit of open files by the directive worker_rlimit_nofile; true false",
      result, 1, true)
    assert.equal("sent", later)
  end)
end)
