-- Runs the bot of docs/guides/conversations.md on both hostings, as a program and in nginx, with each inbox. Customers
-- hide, show and change their number, windows end, and the bot is killed several times. The test compares the texts
-- that the customers have read.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

-- The bot. The two `%s` are replaced by the options of the bot's client and by the bot's inbox.
local BOT = [[
local waba = require "waba"
local client = waba.client { %s }
local receiver

local function ask_size(event)
  assert(event:ask(waba.buttons { body = event.customer.name .. ": which size?",
    buttons = { { id = "S", title = "Small" }, { id = "L", title = "Large" } } }, "size"))
end

-- Sends the shop's messages to a customer by name.
local function send_news(to)
  assert(client:send(to, waba.text "News", { window = receiver, otherwise = waba.template { name = "news", language = "en",
    namespace = "n" } }))
end

local function send_offer(to)
  local offer = waba.template { name = "offer", language = "en", namespace = "n" }
  assert(client:send_all(function()
    local recipient = to
    to = nil
    if recipient then return recipient, offer end
  end, { suppress = receiver, marketing = true }))
end

receiver = waba.receiver {
  open = true, client = client, inbox = %s, gather = 0.1, quiet_while = { echo = 3600, standby = true },
  on = {
    text = function(event)
      local command, to = event.text:match "^(%%a+) to (%%S+)$"
      if command == "news" then send_news(to) elseif command == "offer" then send_offer(to) end
      waba.sleep(0.03)
      if not command then ask_size(event) end
      waba.sleep(0.03)
    end,
    step = {
      size = function(event)
        if not event.reply.id then return ask_size(event) end
        event.state.orders = (event.state.orders or 0) + 1
        assert(event:reply(waba.text(("%%s: order %%d, size %%s, %%d changes"):format(event.customer.name, event.state.orders,
          event.reply.id, event.state.changes or 0))))
        waba.sleep(0.03)
      end,
    },
    customer_changed = function(event) event.state.changes = (event.state.changes or 0) + 1 end,
    standby = function(event) event.state.missed = (event.state.missed or 0) + 1 end,
  },
}
return receiver
]]

local PROGRAM = [[
local server = assert(require("waba").webhook.server { receiver = require "bot", port = tonumber(arg[1]), interval = 0.05 })
assert(server:run())
]]

local NGINX = [[init_worker_by_lua_block { require("waba.webhook.nginx").start(require "bot", { interval = 0.05 }) }]]

-- For each way to run the bot, a function that starts the bot on a port and returns a function that kills the bot.
local runners = {
  ["a program"] = function(folder)
    folder:file("run.lua", PROGRAM)
    local path = process.quote(folder.path .. "/?.lua;" .. package.path)
    local command = ("env LUA_PATH=%s %s %s"):format(path, process.interpreter(), process.quote(folder:file "run.lua"))
    return function(port)
      local program = process.start(("%s %d"):format(command, port), folder:file "bot.log")
      process.wait_for(function() return process.listens(port) end, "the bot to listen")
      return function() program:stop "KILL" end
    end
  end,
  nginx = function(folder)
    nginx.certify(folder)
    return function(port)
      local tls = process.free_port()
      local program = nginx.start(folder, nginx.configuration { port = tls, plain = port, http = NGINX, workers = 1,
        content = 'require("waba.webhook.nginx").serve(require "bot")' }, tls)
      return function()
        local workers = process.run(("ps -o pid= --ppid %d | tr '\\n' ' '"):format(program.pid))
        process.run(("kill -KILL %d %s"):format(program.pid, workers))
        program:stop "KILL"
      end
    end
  end,
}

local inboxes = {
  memory = function() return "waba.inbox.memory()" end,
  sqlite = function(folder)
    process.run("mkdir " .. process.quote(folder:file "store"))
    return ("waba.inbox.sqlite { file = %q, sync = false, retry = { base = 0.1 } }"):format(folder:file "store/inbox.db")
  end,
  redis = function(_, server) return ("waba.inbox.redis { port = %d, retry = { base = 0.1 } }"):format(server.port) end,
}

for _, hosting in ipairs { "on_premise", "cloud" } do
  for runner, prepare in pairs(runners) do
    for _, backend in ipairs { "memory", "sqlite", "redis" } do
      describe(("a bot on %s hosting in %s with an inbox in %s"):format(hosting, runner, backend), function()
        local emulator, gateway, folder, server, client, start, kill

        -- Kills the bot after some seconds and starts it again. A bot with an inbox in memory is not killed, because it
        -- would lose its events.
        local function restart(seconds)
          if backend == "memory" then return end
          process.sleep(seconds)
          kill()
          local port = process.free_port()
          kill = start(port)
          assert(client.webhook:set { url = ("http://127.0.0.1:%d/"):format(port) })
        end

        setup(function()
          emulator = assert(waba.emulator.start {
            tls = false, window = true, statuses = { sent = 0 }, webhooks = { backoff = 0.02, max_backoff = 0.1 },
          })
          gateway = hosting == "cloud" and emulator.cloud or emulator
          folder = process.folder()
          server = backend == "redis" and redis.start() or nil
          local options = emulator:options { hosting = hosting }
          client = waba.client(options)
          local text = {}
          for name, value in pairs(options) do text[#text + 1] = ("%s = %q"):format(name, value) end
          folder:file("bot.lua", BOT:format(table.concat(text, ", "), inboxes[backend](folder, server)))
          start = prepare(folder)
          local port = process.free_port()
          kill = start(port)
          assert(client.webhook:set { url = ("http://127.0.0.1:%d/"):format(port) })
        end)

        teardown(function()
          kill()
          client:close()
          emulator:stop()
          if server then server:stop() end
          folder:remove()
        end)

        -- Returns the texts that a customer has read. A text that repeats the previous one is left out, because a bot
        -- that was killed after a send sends its text again.
        local function read_by(name)
          local texts, last = {}, nil
          for _, message in ipairs(gateway:messages { direction = "outbound" }) do
            local body = message.content.body
            body = type(body) == "table" and body.text or body
            if type(body) == "string" and body:find(name .. ": ", 1, true) == 1 then
              if body ~= texts[#texts] then texts[#texts + 1] = body end
              last = message
            end
          end
          return texts, last
        end

        -- Waits until a customer has read `count` texts, and returns the last message.
        local function wait_for(name, count)
          return process.wait_for(function()
            local texts, last = read_by(name)
            return #texts >= count and last
          end, ("text %d of %s: %s"):format(count, name, table.concat(read_by(name), "; ")), 20)
        end

        local function count_of(kind)
          return #gateway:messages { direction = "outbound", type = kind }
        end

        -- Places an order with the bot. `change` changes the customer's ids after the bot's question and before the
        -- customer's reply.
        local function order(customer, number, change)
          assert(customer:text "Hello")
          if number % 2 == 1 then restart(0.05 * number) end
          local question = wait_for(customer.name, 2 * number - 1)
          if change then assert(change(customer)) end
          assert(gateway:wait({ pending = 0 }, 20)) -- a bot that has not handled the change yet can't find the customer
          assert(customer:tap(question.id, "Large"))
          if number % 2 == 0 then restart(0.03 * number) end
          wait_for(customer.name, 2 * number)
        end

        -- Sends a text from the shop's owner, whose texts the bot handles as commands.
        local function command(text)
          assert(gateway:customer("4930111111", { name = "Boss" }):text(text))
        end

        it("recognizes its customers after every change of their ids", function()
          local changes = hosting == "on_premise" and {
            [2] = function(customer) return customer:change_number "4915155555" end,
          } or {
            [1] = function(customer) return customer:hide_number() end,
            [2] = function(customer) return customer:show_number() end,
            [3] = function(customer) return customer:change_number("4915155555", "DE.2") end,
            [4] = function(customer) return customer:change_user_id "DE.3" end,
          }
          local eva = gateway:customer("491511234567", { name = "Eva", user_id = hosting == "cloud" and "DE.1" or nil })
          local jo = gateway:customer("491519999999", { name = "Jo" })
          local expected, changed = {}, 0
          for number = 1, 4 do
            order(eva, number, changes[number])
            if changes[number] and (number > 2 or hosting == "on_premise") then changed = changed + 1 end
            expected[#expected + 1] = "Eva: which size?"
            expected[#expected + 1] = ("Eva: order %d, size L, %d changes"):format(number, changed)
          end
          order(jo, 1)
          assert.same(expected, (read_by "Eva"))
          assert.same({ "Jo: which size?", "Jo: order 1, size L, 0 changes" }, (read_by "Jo"))
          if backend == "memory" then assert.equal(10, count_of(nil)) end -- a bot that was not killed sends no text twice
        end)

        it("sends only what the customers' windows and opt-outs allow", function()
          local eva = gateway:customer("4915155555", { name = "Eva", user_id = hosting == "cloud" and "DE.3" or nil })
          local texts, templates = count_of "text", count_of "template"
          command "news to 4915155555"
          process.wait_for(function() return count_of "text" > texts end, "the news")
          gateway:advance(25 * 3600)
          command "news to 4915155555"
          process.wait_for(function() return count_of "template" > templates end, "the template")
          if hosting == "on_premise" then return end
          -- The bot sends nothing for an hour after an employee has written to the customer.
          assert(eva:echo "I have a question")
          assert(eva:text "Yes?")
          restart(0.1)
          gateway:advance(3700)
          local count = #read_by "Eva"
          assert(eva:text "Hello?")
          wait_for("Eva", count + 1)
          assert.equal("Eva: which size?", read_by("Eva")[count + 1])
          assert(eva:preference "stop")
          templates = count_of "template"
          command "offer to DE.3"
          restart(0.1)
          assert(eva:preference "resume")
          command "offer to DE.3"
          process.wait_for(function() return count_of "template" > templates end, "the offer")
          assert.equal(templates + 1, count_of "template")
        end)
      end)
    end
  end
end
