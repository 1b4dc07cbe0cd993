-- Runs each example as a program with an emulator. spec/webhook/nginx_spec.lua tests examples/nginx, and
-- spec/demo_spec.lua tests examples/demo.lua.

local emulators = require "waba.emulator"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local sqlite = require "spec.support.sqlite"
local waba = require "waba"

local EVA = "4915112345678"

describe("examples", function()
  local gateway, client, folder, program

  setup(function()
    gateway = assert(emulators.start { statuses = false })
    client = waba.client(gateway:options {})
  end)

  before_each(function() folder = process.folder() end)

  after_each(function()
    if program then program:stop "KILL" end
    program = nil
    folder:remove()
  end)

  teardown(function()
    client:close()
    gateway:stop()
  end)

  -- Returns the shell command that runs an example with the emulator as its gateway.
  local function command(path, environment)
    local words = { "env" }
    local all = { D360_API_KEY = gateway.api_key, WABA_BASE_URL = gateway.url, WABA_CA_FILE = gateway.ca_file }
    for name, value in pairs(environment or {}) do all[name] = value end
    for name, value in pairs(all) do words[#words + 1] = name .. "=" .. process.quote(value) end
    words[#words + 1] = process.interpreter()
    words[#words + 1] = "examples/" .. path
    return table.concat(words, " ")
  end

  local function sent_since(sequence)
    return gateway:messages { direction = "outbound", since = sequence }
  end

  local function last_sequence()
    local list = gateway:messages()
    return #list > 0 and list[#list].sequence or 0
  end

  -- Starts an example that receives webhooks, and waits until it has registered its webhook URL.
  local function start_bot(path, environment, knows)
    local port = process.free_port()
    environment.PORT, environment.WEBHOOK_PASSWORD = port, "word"
    program = process.start(command(path, environment), folder:file "log")
    process.wait_for(function()
      assert.is_true(program:is_alive(), program:output())
      local address = (knows or client).webhook:get()
      return address and address.url and address.url:find(":" .. port, 1, true)
    end, "the bot to register")
  end

  it("all have a README", function()
    local index = assert(io.open "examples/README.md"):read "*a"
    local names = process.run "cd examples && ls -d */"
    for name in names:gmatch "([^/\n]+)/" do
      assert(index:find(("](%s)"):format(name), 1, true), name .. " is not in examples/README.md")
      local file = assert(io.open(("examples/%s/README.md"):format(name)), name .. " has no README.md")
      file:close()
    end
  end)

  describe("hello", function()
    it("sends a text and prints its id", function()
      local plain = assert(emulators.start { statuses = false, tls = false })
      local output = process.run(command("hello/hello.lua '+49 151 12345678'",
        { D360_API_KEY = plain.api_key, WABA_BASE_URL = plain.url }))
      local sent = plain:messages()[1]
      plain:stop()
      assert.equal(sent.id, output)
      assert.equal("Hello", sent.content.body)
    end)

    it("has three lines", function()
      assert.equal("3", (process.run "wc -l < examples/hello/hello.lua"))
    end)
  end)

  describe("echo_bot", function()
    it("replies to a text with the same text, and ends on SIGTERM", function()
      start_bot("echo_bot/echo_bot.lua", { ECHO_DB = folder:file "echo.db" })
      local before = last_sequence()
      gateway:customer(EVA, { name = "Eva" }):text "Guten Tag"
      local sent = process.wait_for(function() return sent_since(before)[1] end, "the echo")
      assert.equal(EVA, sent.wa_id)
      assert.equal("Guten Tag", sent.content.body)
      program:stop "TERM"
      assert.is_nil(program:output():find("traceback", 1, true), program:output())
    end)

    it("has thirty lines", function()
      local count = 0
      for line in io.lines "examples/echo_bot/echo_bot.lua" do
        if line:find "%S" then count = count + 1 end
      end
      assert.is_true(count <= 30, count .. " lines")
    end)
  end)

  describe("order_bot", function()
    local customer, sequence, places

    local function start() start_bot("order_bot/order_bot.lua", places) end

    before_each(function()
      places = { SHOP_DB = folder:file "orders.db", INBOX_DB = folder:file "inbox.db" }
      customer, sequence = gateway:customer(EVA, { name = "Eva" }), last_sequence()
    end)

    -- Waits for the bot's next message, and returns it.
    local function response()
      local message = process.wait_for(function() return sent_since(sequence)[1] end, "a response")
      sequence = message.sequence
      return message, message.content.body
    end

    local function orders()
      local connection = sqlite.open(places.SHOP_DB)
      connection:execute "PRAGMA busy_timeout = 5000"
      local list = connection:execute "SELECT customer || ' ' || product || ' ' || count FROM orders"
      for index, row in ipairs(list) do list[index] = row[1] end
      connection:close()
      return list
    end

    it("completes an order with a list and buttons, across a restart", function()
      start()
      assert(customer:text "Hello")
      local list = response()
      assert.equal("list", list.content.type)
      assert(customer:tap(list.id, "Monthly lenses"))
      local count, body = response()
      assert.equal("Monthly lenses: how many?", body.text)
      program:stop "TERM"
      start()
      assert(customer:tap(count.id, "2"))
      local last, question = response()
      assert.equal("2 x Monthly lenses. Shall we send them?", question.text)
      assert.same({}, orders())
      assert(customer:tap(last.id, "Yes, please"))
      local _, thanks = response()
      assert.equal("Thank you! Your order is on its way.", thanks)
      assert.same({ EVA .. " monthly 2" }, orders())
      assert(customer:tap(last.id, "Yes, please")) -- the customer taps the button of the answered question again
      assert.equal("list", response().content.type)
      assert.same({ EVA .. " monthly 2" }, orders())
    end)

    it("runs on Cloud hosting without changes", function()
      local cloud = gateway.cloud
      local knows = waba.client(gateway:options { hosting = "cloud" })
      start_bot("order_bot/order_bot.lua", { SHOP_DB = places.SHOP_DB, INBOX_DB = places.INBOX_DB, WABA_HOSTING = "cloud",
        D360_API_KEY = cloud.api_key, WABA_BASE_URL = cloud.url }, knows)
      knows:close()
      local eva = cloud:customer(EVA, { name = "Eva" })
      assert(eva:text "Hello")
      local list = process.wait_for(function() return cloud:messages({ type = "interactive" })[1] end, "a response")
      assert(eva:tap(list.id, "Daily lenses"))
      local buttons = process.wait_for(function() return cloud:messages({ type = "interactive", direction = "outbound" })[2] end,
        "the next question")
      assert.equal("Daily lenses: how many?", buttons.content.body.text)
    end)

    it("completes the order of a customer who hides the phone number, shows it, and hides it again", function()
      local cloud, number = gateway.cloud, "4915112345670"
      local knows = waba.client(gateway:options { hosting = "cloud" })
      local function start_on_cloud()
        start_bot("order_bot/order_bot.lua", { SHOP_DB = places.SHOP_DB, INBOX_DB = places.INBOX_DB, WABA_HOSTING = "cloud",
          D360_API_KEY = cloud.api_key, WABA_BASE_URL = cloud.url }, knows)
      end
      local function as(hidden)
        return cloud:customer(number, { name = "Eva", user_id = "DE.1349", hidden = hidden })
      end
      -- Waits for a question, and returns the message. A question may be sent twice, because the bot is killed at
      -- random.
      local function question(words)
        return process.wait_for(function()
          for _, message in ipairs(cloud:messages { type = "interactive", direction = "outbound" }) do
            if message.wa_id == number and message.content.body.text:find(words, 1, true) then return message end
          end
        end, "the question " .. words)
      end
      start_on_cloud()
      assert(as(true):text "Hello")
      assert(as(false):tap(question("").id, "Daily lenses"))
      local how_many = question "how many?"
      program:stop "KILL"
      start_on_cloud()
      assert(as(true):tap(how_many.id, "2"))
      assert(as(false):tap(question("Shall we send them?").id, "Yes, please"))
      process.wait_for(function() return orders()[1] end, "the order")
      assert.same({ "DE.1349 daily 2" }, orders())
      knows:close()
    end)

    it("keeps a state for each customer, and repeats the question after an unknown reply", function()
      start()
      local jonas = gateway:customer("4915112345679", { name = "Jonas" })
      assert(customer:text "Hello")
      assert(customer:tap(response().id, "Daily lenses"))
      response()
      assert(jonas:text "Hello")
      assert.equal("list", response().content.type)
      assert(customer:text "What?")
      local again = response()
      assert.equal(EVA, again.wa_id)
      assert.equal("Daily lenses: how many?", again.content.body.text)
      assert(customer:tap(again.id, "3"))
      assert(customer:tap(response().id, "No"))
      local _, farewell = response()
      assert.matches("^Nothing was ordered", farewell)
      assert.same({}, orders())
    end)
  end)

  describe("redis_worker", function()
    it("handles events that another receiver stored in Redis", function()
      local server = redis.start()
      program = process.start(command("redis_worker/redis_worker.lua",
        { REDIS_HOST = "127.0.0.1", REDIS_PORT = server.port }), folder:file "log")
      local receiver = waba.receiver { open = true, inbox = waba.inbox.redis { port = server.port } }
      local before = last_sequence()
      local status = receiver:handle { method = "POST", headers = {},
        body = '{"messages":[{"from":"4915112345678","id":"m1","type":"text","text":{"body":"Hi"}}]}' }
      assert.equal(200, status)
      local sent = process.wait_for(function() return sent_since(before)[1] end, "the worker's reply")
      assert.equal("You wrote: Hi", sent.content.body)
      process.wait_for(function() return receiver.inbox:depth() == 0 end, "the acknowledgement")
      assert.is_true(program:is_alive(), program:output())
      receiver.inbox:close()
      server:stop()
    end)
  end)

  describe("many_numbers", function()
    local numbers, server, running

    before_each(function()
      server, running = redis.start(), {}
      numbers = assert(emulators.start { statuses = false, numbers = {
        { number = "4930555019" }, { number = "4930555020" }, { number = "4930555021" },
      } })
    end)

    after_each(function()
      for _, one in ipairs(running) do one:stop "KILL" end
      numbers:stop()
      server:stop()
    end)

    it("replies to the customers of each number with this number's key, in several workers", function()
      local port = process.free_port()
      local function start(name, environment)
        environment.NUMBERS_DB, environment.PORT = folder:file "numbers.db", port
        environment.REDIS_HOST, environment.REDIS_PORT = "127.0.0.1", server.port
        environment.WABA_BASE_URL, environment.WABA_CLOUD_BASE_URL = numbers.url, numbers.cloud.url
        environment.WABA_CA_FILE = numbers.ca_file
        environment.D360_API_KEY = environment.D360_API_KEY or "" -- only add.lua reads the key from this variable
        return command("many_numbers/" .. name, environment)
      end
      -- Runs examples/many_numbers/add.lua for a business number with the given hosting.
      local function add(number, hosting)
        local key = hosting == "cloud" and numbers.numbers[number].cloud.api_key or numbers.numbers[number].api_key
        local words = ("%s %s %s 2>&1"):format(start("add.lua", { D360_API_KEY = key,
          WEBHOOK_URL = "http://127.0.0.1:" .. port }), number, hosting)
        assert.equal("added " .. number, process.run(words))
      end
      running[1] = process.start(start("receive.lua", {}), folder:file "log")
      for index = 2, 3 do running[index] = process.start(start("work.lua", {}), folder:file("log" .. index)) end
      process.wait_for(function() return process.listens(port) end, "the receiver to listen")
      local hostings = { ["4930555019"] = "on_premise", ["4930555020"] = "cloud", ["4930555021"] = "on_premise" }
      for number, hosting in pairs(hostings) do add(number, hosting) end
      for number, hosting in pairs(hostings) do
        local phone = hosting == "cloud" and numbers.numbers[number].cloud or numbers.numbers[number]
        assert(phone:customer(EVA):text "Hi")
        assert(phone:customer("4915112345679"):text "Hi")
      end
      for number, hosting in pairs(hostings) do
        local phone = hosting == "cloud" and numbers.numbers[number].cloud or numbers.numbers[number]
        local sent = process.wait_for(function()
          local list = phone:messages { direction = "outbound" }
          return #list == 2 and list
        end, "the replies of " .. number)
        for _, message in ipairs(sent) do assert.equal(number .. " received: Hi", message.content.body) end
      end
      for _, one in ipairs(running) do
        assert.is_true(one:is_alive(), one:output())
        assert.is_nil(one:output():find("error", 1, true), one:output())
      end
    end)
  end)

  describe("reminders", function()
    it("sends one reminder to each recipient in several runs", function()
      local before = last_sequence()
      local function run()
        return process.run(("%s examples/reminders/appointments.csv %s 2>%s"):format(
          command "reminders/reminders.lua", process.quote(folder:file "journal"), process.quote(folder:file "progress")))
      end
      local output = run()
      assert.matches("^a%-1043: not reminded: invalid: to starts with 0", output)
      assert.matches("3 reminded, 1 not, 0 uncertain; 0 were done before$", output)
      assert.matches("4, %d+ per second", folder:read "progress")
      assert.matches("0 reminded, 0 not, 0 uncertain; 4 were done before$", run())
      local numbers = {}
      for _, message in ipairs(sent_since(before)) do
        assert.equal("appointment_reminder", message.content.name)
        numbers[#numbers + 1] = message.wa_id
      end
      table.sort(numbers)
      assert.same({ "4915112345670", EVA, "4915112345679" }, numbers)
    end)
  end)
end)
