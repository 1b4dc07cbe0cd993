-- Rate limits that processes share through a real Redis, and that workers of a real nginx share. Two store objects in
-- one program act as two processes.

local core = require "waba.core"
local nginx = require "spec.support.nginx"
local pace = require "waba.pace"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local runners = require("spec.support.transports").runners
local waba = require "waba"

local KEY = "a-key-that-nobody-else-may-see"
local EVA, ADA = "4915112345678", "4915112345679"

describe("shared rates", function()
  local emulator, gateway, server

  setup(function()
    emulator = assert(waba.emulator.start { tls = false, cloud = { api_key = KEY, statuses = false } })
    gateway, server = emulator.cloud, redis.start()
  end)
  teardown(function()
    emulator:stop()
    server:stop()
  end)
  before_each(function()
    gateway:forget()
    process.run(("redis-cli -p %d flushall"):format(server.port))
  end)

  local clients = {}
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    clients = {}
  end)

  -- Starts a process that sends with the shared rate.
  local function new_client(rates, options, settings)
    local address = { port = server.port }
    for name, value in pairs(settings or {}) do address[name] = value end
    local all = { messages = { rate = 50, burst = 8 }, pair = false, store = pace.redis(address) }
    for name, value in pairs(rates or {}) do all[name] = value end
    local complete = { api_key = KEY, base_url = gateway.url, hosting = "cloud", pace = all, retry = false }
    for name, value in pairs(options or {}) do complete[name] = value end
    local client = waba.client(complete)
    clients[#clients + 1] = client
    return client
  end

  local function send(client, to, options) return client:send(to or EVA, waba.text "Hi", options) end

  describe("in Redis", function()
    for name, run in pairs(runners) do
      it("limit the messages of several processes together in " .. name, function()
        local loop = name == "luv" and "luv" or nil
        local functions, sent = {}, 0
        for number = 1, 3 do
          -- If tokens are taken in batches, replies get at most 6 of the 8 tokens of the burst.
          local client = new_client({ messages = { rate = 0.001, burst = 8 } }, { loop = loop, timeout = 0.3 })
          for each = 1, 4 do
            functions[#functions + 1] = function()
              local result = send(client, ("49151%02d%02d000"):format(number, each))
              if result then sent = sent + 1 end
            end
          end
        end
        run(functions)
        assert.is_true(sent >= 6 and sent <= 8, sent)
      end)
    end

    it("are not exceeded by four processes, also if a fifth one is killed", function()
      local limited = assert(waba.emulator.start { tls = false, cloud = { api_key = KEY, statuses = false, rate_limits = true } })
      local folder, programs = process.folder(), {}
      for number = 1, 5 do
        programs[number] = process.start(("%s bench/support/pace_sender.lua %s %s %d %d 40 0 80/80"):format(
          process.interpreter(), limited.cloud.url, KEY, server.port, number == 5 and 60 or 5), folder:file("log" .. number))
      end
      process.wait_for(function() return limited.cloud:counts().requests > 40 end, "the first messages")
      programs[5]:stop("KILL")
      local sent = {}
      for number = 1, 4 do
        process.wait_for(function() return not programs[number]:is_alive() end, "the end of a sender", 30)
        local count, failed = folder:read("log" .. number):match "^(%d+) (%d+)"
        sent[number] = tonumber(count)
        assert.equal("0", failed)
        assert.is_true(sent[number] > 0, number)
      end
      local requests = limited.cloud:received()
      for _, request in ipairs(requests) do assert.equal(200, request.status) end
      -- The senders reach at least half of the allowed rate of 80 per second.
      local passed = requests[#requests].at - requests[1].at
      assert.is_true(#requests >= 80 * passed / 2, #requests)
      limited:stop()
      folder:remove()
    end)

    it("have names without the key and without recipients", function()
      local client = new_client { pair = { rate = 1, burst = 5 } }
      assert(send(client))
      client.delivery.pace:pause_pair(EVA, core.clock() + 5, core.clock())
      client.delivery.pace:pause(core.clock() + 5)
      local names = process.run(("redis-cli -p %d keys '*'"):format(server.port))
      assert.matches("waba:pace:{%x+}:messages", names)
      assert.matches("waba:pace:{%x+}:to:%x+", names)
      assert.matches("waba:pace:{%x+}:paused", names)
      local dump = names
      for name in names:gmatch "[^\n]+" do
        dump = dump .. process.run(("redis-cli -p %d get %s"):format(server.port, process.quote(name)))
        assert.is_true(tonumber(process.run(("redis-cli -p %d pttl %s"):format(server.port, process.quote(name)))) > 0)
      end
      for _, secret in ipairs { KEY, EVA, EVA:sub(3) } do assert.is_nil(dump:find(secret, 1, true)) end
    end)

    it("are separate for different keys and prefixes", function()
      local rates = { messages = { rate = 0.001, burst = 1 } }
      assert(send(new_client(rates)))
      assert.is_nil((send(new_client(rates, { timeout = 0.1 }))))
      assert(send(new_client(rates, { timeout = 0.1 }, { prefix = "other" })))
      local _, err = send(new_client(rates, { timeout = 0.1, api_key = "another-key" }))
      assert.equal("auth", err.kind)
    end)

    it("pause all processes if the gateway refuses one", function()
      local first, second = new_client(), new_client(nil, { timeout = 1 })
      assert(send(second))
      gateway:fail_next { status = 429, body = "{}", headers = { ["Retry-After"] = "30" } }
      local _, err = send(first)
      assert.equal("rate_limited", err.kind)
      process.sleep(1) -- the tokens of the other process expire
      _, err = send(second)
      assert.equal("rate_limited", err.kind)
      assert.matches("the gateway has reported that this key is too fast", err.message)
      assert.equal(2, #gateway:received())
    end)

    it("pause all processes if one recipient has received too many messages", function()
      for _, pair in ipairs { { rate = 1, burst = 10 }, false } do
        local first, second = new_client { pair = pair }, new_client({ pair = pair }, { timeout = 0.5 })
        assert(send(second))
        gateway:fail_next { code = 131056 }
        local _, err = send(first)
        assert.equal("pair", err.scope)
        first.delivery.pace:pause_pair(EVA, core.clock() + 30, core.clock())
        process.sleep(1)
        _, err = send(second)
        assert.equal("rate_limited", err.kind)
        assert.matches("that this recipient is too fast", err.message)
        assert(send(second, ADA))
        process.run(("redis-cli -p %d flushall"):format(server.port))
      end
    end)

    it("are taken in batches of tokens, not for each message", function()
      local function calls(command)
        local statistics = process.run(("redis-cli -p %d info commandstats"):format(server.port))
        return tonumber(statistics:match("cmdstat_" .. command .. ":calls=(%d+)")) or 0
      end
      local client = new_client { messages = { rate = 200, burst = 500 }, pair = { rate = 1, burst = 45 } }
      local before, scripts = calls "evalsha", calls "script|?%a*"
      local functions = {}
      for number = 1, 500 do
        functions[number] = function() assert(send(client, ("49151%08d"):format(number))) end
      end
      waba.run((table.unpack or unpack)(functions))
      local asked = calls "evalsha" - before
      assert.is_true(asked <= 100, asked) -- a slow machine needs more batches, because tokens expire
      assert.equal(scripts + 1, calls "script|?%a*") -- the first call loads the script
    end)

    it("are used in part while Redis cannot be reached, also from the start", function()
      local failures = {}
      local client = new_client({ messages = { rate = 0.001, burst = 8 } }, { timeout = 0.2 }, {
        port = process.free_port(), share = 0.5, on_error = function(err) failures[#failures + 1] = err end,
      })
      for _ = 1, 4 do assert(send(client)) end
      local _, err = send(client)
      assert.equal("timeout", err.kind)
      assert.equal("unavailable", failures[1].kind)
      assert.matches("^the Redis of waba.pace.redis %(127.0.0.1:%d+%) cannot be reached: .*refused", failures[1].message)
    end)

    it("are not used while Redis cannot be reached, if the option requires this", function()
      local client = new_client(nil, { timeout = 0.2 }, { port = process.free_port(), unreachable = "wait" })
      local sent, err = send(client)
      assert.is_nil(sent)
      assert.equal("unavailable", err.kind)
      assert.is_true(err.retryable)
      assert.is_nil(tostring(err):find(KEY, 1, true))
      assert.equal(0, #gateway:received())
    end)

    it("are used in part while Redis does not respond, or reports an error", function()
      local listener = assert(require("socket").bind("127.0.0.1", 0))
      local _, port = listener:getsockname()
      local settings = { port = tonumber(port), timeout = 0.05, on_error = function() error "a mistake" end }
      for _, address in ipairs { settings, { password = "wrong" } } do
        local client = new_client({ messages = { rate = 0.001, burst = 8 } }, { timeout = 0.5 }, address)
        for _ = 1, 2 do assert(send(client)) end
        local _, err = send(client)
        assert.equal("timeout", err.kind)
      end
      listener:close()
    end)

    it("are used in part if the server does not respond as Redis does", function()
      local folder, failures = process.folder(), {}
      local path = folder:file "socket"
      local program = process.start(("%s spec/support/refusing_redis.lua %s +OK"):format(process.interpreter(), path),
        folder:file "log")
      process.wait_for(function() return process.run("ls " .. path .. " 2>/dev/null") ~= "" end, "the socket")
      local settings = { path = path, on_error = function(err) failures[#failures + 1] = err.message end }
      local ok, sent, err = pcall(send, new_client(nil, nil, settings))
      program:stop()
      folder:remove()
      assert.is_true(ok, sent)
      assert.is_nil(err)
      assert.matches("cannot be reached: the server does not respond as Redis does$", failures[1])
    end)

    it("apply to all clients of a process that have the store", function()
      local store = pace.redis { port = server.port }
      local one, other = new_client { store = store }, new_client { store = store }
      assert(send(one))
      assert(send(other))
      assert.equal(one.delivery.pace:queue("messages").limiter, other.delivery.pace:queue("messages").limiter)
    end)

    it("continue after Redis has lost its data", function()
      local client = new_client()
      assert(send(client))
      server:restart()
      process.sleep(1)
      for _ = 1, 10 do assert(send(client)) end
    end)
  end)

  describe("in a dictionary of nginx", function()
    local CONTENT = [[
      local client = require "client"
      local arguments = ngx.req.get_uri_args()
      if arguments.lock then
        local count
        for _, name in ipairs(ngx.shared.rates:get_keys()) do
          name, count = name:gsub(":messages$", ":lock")
          if count > 0 then ngx.shared.rates:set(name, true) end
        end
        return ngx.print "locked"
      end
      local sent, err = client:send(arguments.to, require("waba").text "Hi")
      ngx.print(ngx.worker.pid(), " ", sent and "sent" or err.kind .. " " .. err.message)
    ]]

    local CLIENT = [[
      local waba = require "waba"
      return waba.client {
        api_key = "%s", base_url = "%s", hosting = "cloud", retry = false, timeout = 0.3,
        pace = { messages = { rate = 0.001, burst = 40 }, store = waba.pace.shared_dict "rates" },
      }
    ]]

    local folder, program, plain

    local function start(client)
      folder, plain = process.folder(), process.free_port()
      local port = process.free_port()
      nginx.certify(folder)
      folder:file("client.lua", client)
      program = nginx.start(folder, nginx.configuration {
        port = port, plain = plain, workers = 4, content = CONTENT, http = "lua_shared_dict rates 1m;",
      }, port)
    end

    after_each(function()
      program:stop()
      folder:remove()
    end)

    local function get(to)
      local status, _, text = nginx.request(("http://127.0.0.1:%d/?to=%s"):format(plain, to), { method = "GET" })
      return status, text
    end

    it("limit the messages of all workers together", function()
      start(CLIENT:format(KEY, gateway.url))
      local sent, workers, count = 0, {}, 0
      for number = 1, 60 do
        local status, text = get(("49151%08d"):format(number))
        assert.equal(200, status, folder:read "error.log")
        local pid, result = text:match "^(%d+) (.*)$"
        if not workers[pid] then workers[pid], count = true, count + 1 end
        if result == "sent" then sent = sent + 1 end
      end
      -- The lower limit is below the burst, because a worker may keep tokens that it does not use.
      assert.is_true(sent >= 15 and sent <= 40, sent)
      assert.is_true(count > 1)
      assert.equal(sent, #gateway:received())
    end)

    it("pause all workers if the gateway refuses one", function()
      start(CLIENT:format(KEY, gateway.url))
      gateway:fail_next { status = 429, body = "{}", headers = { ["Retry-After"] = "60" } }
      local _, text = get(EVA)
      assert.matches("rate_limited", text)
      for _ = 1, 12 do
        _, text = get(EVA)
        assert.matches("rate_limited.*this key is too fast", text)
      end
      assert.equal(1, #gateway:received())
    end)

    it("are used in part while another worker keeps the lock", function()
      start((CLIENT:format(KEY, gateway.url):gsub('shared_dict "rates"', [[shared_dict {
        name = "rates", share = 0.5, on_error = function(err) ngx.log(ngx.ERR, tostring(err)) end,
      }]])))
      assert.matches("sent", select(2, get(EVA)))
      assert.matches("locked", select(2, get(EVA .. "&lock=1")))
      for _ = 1, 60 do
        if folder:read("error.log"):find("has not released its lock", 1, true) then break end
        assert.matches("sent", select(2, get(EVA)))
      end
      assert.matches('the dictionary "rates" of waba.pace.shared_dict cannot be reached: another worker has not released its lock',
        folder:read "error.log", 1, true)
    end)

    it("require a dictionary in nginx's configuration", function()
      start((CLIENT:format(KEY, gateway.url):gsub('"rates"', '"reates"')))
      assert.equal(500, (get(EVA)))
      assert.matches('waba.pace.shared_dict: nginx has no dictionary "reates": declare "lua_shared_dict reates 1m;" in its '
        .. 'http block; it has rates', folder:read "error.log", 1, true)
    end)
  end)

  it("require valid options", function()
    assert.error_matches(function() pace.redis { prefx = "x" } end,
      "^waba.pace.redis: unknown option prefx %(did you mean prefix%?%)")
    assert.error_matches(function() pace.redis { unreachable = "stop" } end,
      '^waba.pace.redis: option unreachable must be "continue" or "wait", not "stop"')
    assert.error_matches(function() pace.redis { share = 2 } end, "waba.pace.redis: option share must be at most 1")
    assert.error_matches(function() pace.shared_dict "rates" end,
      "^waba.pace.shared_dict works inside nginx only: use waba.pace.redis")
    assert.error_matches(function() pace.shared_dict {} end, "option name is required")
    assert.error_matches(function() waba.client { api_key = "k", pace = { store = {} } } end,
      "waba.client: pace: option store must be a value from waba.pace.shared_dict or waba.pace.redis")
    assert.error_matches(function() waba.client { api_key = "k", pace = { store = "redis" } } end,
      "waba.client: pace: option store must be table, not a string")
  end)
end)
