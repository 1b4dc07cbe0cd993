-- Takes orders: a list of products, buttons for the number, and a confirmation. The state of each customer is in orders.db, so the
-- bot may be stopped at any time.
--   D360_API_KEY=… WEBHOOK_URL=https://bot.example/webhook WEBHOOK_PASSWORD=… lua5.4 order_bot.lua

local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/?.lua;" .. package.path

local waba = require "waba"
local conversation = require "conversation"
local shop = require("shop").open(os.getenv "SHOP_DB" or "orders.db")

local password = assert(os.getenv "WEBHOOK_PASSWORD", "WEBHOOK_PASSWORD is not set")

local client = waba.client {} -- D360_API_KEY, WABA_HOSTING

local function answer(event)
  local state, message, order = conversation.step(shop:customer(event.from), event)
  if order then shop:order(event.id, event.from, order) end
  local sent, err = event:reply(message)
  -- An event whose handler raises an error is handled again later, unless the reply may have been sent.
  if not sent and not err.maybe_sent then error(err) end
  shop:set_customer(event.from, state)
end

local receiver = waba.receiver {
  user = "shop", password = password,
  client = client,
  inbox = waba.inbox.sqlite(os.getenv "INBOX_DB" or "inbox.db"),
  on = { text = answer, reply = answer, error = function(_, err) print("error: " .. tostring(err)) end },
}

local bot = assert(waba.webhook.server { receiver = receiver, port = tonumber(os.getenv "PORT" or 8080) })
assert(client.webhook:set { url = os.getenv "WEBHOOK_URL" or bot:url(), user = "shop", password = password })
print("listening at " .. bot:url())
assert(bot:run()) -- until SIGTERM or Ctrl-C
