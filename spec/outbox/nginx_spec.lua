-- The outbox in a real nginx: requests put messages, and senders in both worker processes send them.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

-- The Lua module `site`, which each worker process of nginx loads.
local SITE = [[
local waba = require "waba"
local prefix = ngx.config.prefix()
local site = { outbox = %s }
local client = waba.client { hosting = "cloud", api_key = "%s", base_url = "%s", pace = false, retry = false }
site.sender = waba.sender { outbox = site.outbox, client = client, on_result = function(entry, sent)
  local file = assert(io.open(prefix .. "results", "a"))
  file:write(entry.key, " ", tostring(sent ~= nil), "\n")
  file:close()
end }

function site.put()
  local number = ngx.var.arg_n
  local to = "4915112345" .. (10 + number %% 17)
  ngx.print(site.outbox:put { to = to, message = waba.text(number), key = number } or "nothing")
end

function site.put_in_header()
  ngx.header["X-Result"] = tostring(select(2, site.outbox:put { to = "491511234567", message = waba.text "Hi" }))
end

return site
]]

local HEADER = [[location = /header {
  content_by_lua_block { ngx.print "ok" }
  header_filter_by_lua_block { require("site").put_in_header() }
}]]

local PLACES = {
  sqlite = 'waba.outbox.sqlite { file = prefix .. "outbox.db", sync = false, hosting = "cloud" }',
  redis = 'waba.outbox.redis { port = %d, hosting = "cloud" }',
}

for _, backend in ipairs { "sqlite", "redis" } do
  describe("the outbox in nginx with " .. backend, function()
    it("gets messages from requests, and both worker processes send them, each once and in order", function()
      local server = backend == "redis" and redis.start() or nil
      local emulator = waba.emulator.start { cloud = {}, tls = false, statuses = false }
      local folder, port, plain = process.folder(), process.free_port(), process.free_port()
      nginx.certify(folder)
      local place = PLACES[backend]:format(server and server.port)
      folder:file("site.lua", SITE:format(place, emulator.cloud.api_key, emulator.cloud.url))
      local program = nginx.start(folder, nginx.configuration {
        port = port, plain = plain, content = 'require("site").put()', server = HEADER,
        http = 'init_worker_by_lua_block { require("waba.outbox.nginx").start(require("site").sender, { interval = 0.02 }) }',
      }, port)
      local function put(number)
        local status, _, body = nginx.request(("http://127.0.0.1:%d/?n=%d"):format(plain, number), {})
        assert.equal(200, status, folder:read "error.log")
        return body
      end

      local ids = {}
      for number = 1, 100 do ids[number] = put(number) end
      if backend == "redis" then -- a put in Redis must wait for the reply
        local _, headers = nginx.request(("http://127.0.0.1:%d/header"):format(plain), {})
        assert.matches("^unavailable: the outbox's Redis: code in nginx's phase header_filter can't wait: ", headers:get "x-result")
      end
      assert.equal(ids[7], put(7)) -- a second call with the same key returns the id of the first call
      process.wait_for(function() return emulator.cloud:counts().messages >= 100 end, "all messages", 30)
      process.wait_for(function() return select(2, (folder:read "results" or ""):gsub("true\n", "")) == 100 end, "results")
      local last, count = {}, 0
      for _, message in ipairs(emulator.cloud:messages()) do
        local number = tonumber(message.content.body)
        assert.is_true(number > (last[message.to] or 0))
        last[message.to], count = number, count + 1
      end
      assert.equal(100, count)
      program:stop "QUIT"
      assert.is_nil(folder:read("error.log"):find("[error]", 1, true))
      emulator:stop()
      if server then server:stop() end
      folder:remove()
    end)
  end)
end
