-- An echo bot: replies to each text with the same text. Events are stored in echo.db, so no event is lost in a crash.
--   D360_API_KEY=… WEBHOOK_URL=https://bot.example/webhook WEBHOOK_PASSWORD=… lua5.4 echo_bot.lua

local waba = require "waba"
local server = require "waba.webhook.server"

local password = assert(os.getenv "WEBHOOK_PASSWORD", "WEBHOOK_PASSWORD is not set")

local client = waba.client {} -- reads the variables D360_API_KEY and WABA_HOSTING

local receiver = waba.receiver {
  user = "echo", password = password,
  client = client,
  inbox = waba.inbox.sqlite(os.getenv "ECHO_DB" or "echo.db"),
  on = {
    text = function(event) assert(event:reply(waba.text(event.text))) end,
    failed = function(event) print(event.id .. " could not be delivered: " .. tostring(event.errors[1])) end,
    error = function(_, err) print("error: " .. tostring(err)) end,
  },
}

local bot = assert(server { receiver = receiver, port = tonumber(os.getenv "PORT" or 8080), path = "/webhook" })
assert(client.webhook:set { url = os.getenv "WEBHOOK_URL" or bot:url(), user = "echo", password = password })
print("listening at " .. bot:url())
assert(bot:run()) -- runs until SIGTERM or Ctrl-C
