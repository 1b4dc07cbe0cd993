-- A bot that takes orders: it sends a list of products, buttons for the quantity, and a confirmation. The open question
-- and the replies are stored with the webhooks in inbox.db, so the bot can be stopped at any time. The orders are in
-- orders.db.
--   D360_API_KEY=… WEBHOOK_URL=https://bot.example/webhook WEBHOOK_PASSWORD=… lua5.4 order_bot.lua

local waba = require "waba"

local password = assert(os.getenv "WEBHOOK_PASSWORD", "WEBHOOK_PASSWORD is not set")
local client = waba.client {} -- reads the variables D360_API_KEY and WABA_HOSTING

local orders = assert(require("dbd.sqlite3").New(os.getenv "SHOP_DB" or "orders.db"))
orders:autocommit(true) -- without autocommit the driver begins a transaction and never ends it

local function execute(sql, ...)
  local statement = assert(orders:prepare(sql))
  assert(statement:execute(...))
  statement:close()
end

execute "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT, product TEXT, count INTEGER)"

local PRODUCTS = {
  { id = "daily", title = "Daily lenses", description = "30 pieces, 19.90 EUR" },
  { id = "monthly", title = "Monthly lenses", description = "6 pieces, 24.90 EUR" },
  { id = "solution", title = "Lens solution", description = "360 ml, 9.90 EUR" },
}
local titles = {}
for _, product in ipairs(PRODUCTS) do titles[product.id] = product.title end

-- Each question sets the step that handles the customer's next message. An event whose
-- handler raises an error is handled again later.
local function ask_product(event)
  assert(event:ask(waba.list { header = "Kern Optics", body = "What may we send you?", button = "Choose",
    sections = { { title = "In stock", rows = PRODUCTS } } }, "product"))
end

local function ask_count(event)
  local buttons = {}
  for count = 1, 3 do buttons[count] = { id = tostring(count), title = tostring(count) } end
  assert(event:ask(waba.buttons { body = titles[event.state.product] .. ": how many?", buttons = buttons }, "count"))
end

local function ask_confirmation(event)
  local state = event.state
  assert(event:ask(waba.buttons {
    body = ("%d x %s. Shall we send them?"):format(state.count, titles[state.product]), footer = "Payment on account",
    buttons = { { id = "yes", title = "Yes, please" }, { id = "no", title = "No" } },
  }, "confirm"))
end

-- A customer can tap a button of an earlier question at any time. The bot then sends the open question again.
local step = {}

function step.product(event)
  local choice = event.reply.id
  if not titles[choice] then return ask_product(event) end
  event.state.product = choice
  ask_count(event)
end

function step.count(event)
  event.state.count = tonumber(event.reply.id)
  if not event.state.count then return ask_count(event) end
  ask_confirmation(event)
end

function step.confirm(event)
  local state, choice = event.state, event.reply.id
  if choice ~= "yes" and choice ~= "no" then return ask_confirmation(event) end
  -- an order has the id of the message as its key, so it is stored once even if the message is handled again
  if choice == "yes" then
    execute("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?)", event.id, event.customer.key, state.product,
      state.count)
  end
  event.state = nil
  assert(event:reply(waba.text(choice == "yes" and "Thank you! Your order is on its way."
    or "Nothing was ordered. Write to us whenever you like.")))
end

local bot = assert(waba.webhook.server {
  port = tonumber(os.getenv "PORT" or 8080),
  receiver = waba.receiver {
    user = "shop", password = password, client = client,
    inbox = waba.inbox.sqlite(os.getenv "INBOX_DB" or "inbox.db"),
    on = { text = ask_product, reply = ask_product, step = step,
      error = function(_, err) print("error: " .. tostring(err)) end },
  },
})
assert(client.webhook:set { url = os.getenv "WEBHOOK_URL" or bot:url(), user = "shop", password = password })
print("listening at " .. bot:url())
assert(bot:run()) -- runs until SIGTERM or Ctrl-C
