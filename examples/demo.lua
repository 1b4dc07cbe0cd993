-- Sends messages to an emulator of the gateway over TLS, and receives the webhooks of the emulator with a receiver that
-- requires a user name and a password. `make demo` runs this program.

local waba = require "waba"
local server = require "waba.webhook.server"

local CUSTOMER = "4915112345678"
local PATIENCE = 15 -- seconds until the demo fails

local function show(...)
  print(("%-9s %s"):format(..., table.concat({ select(2, ...) }, " ")))
end

-- Prints the reason and ends the program if a step has failed.
local function must(value, err)
  if value == nil then
    io.stderr:write("failed: ", tostring(err), "\n")
    os.exit(1)
  end
  return value
end

local emulator = must(waba.emulator.start {})
local client = waba.client(emulator:options {})
show("gateway", emulator.url, "number", must(client:phone_number()))

-- The events that must arrive: three statuses for each sent message, and the customer's message.
local awaited = {}

local receiver = waba.receiver {
  user = "testuser", password = "testpass",
  on = {
    status = function(event)
      show("status", event.id, event.status)
      awaited[event.id .. " " .. event.status] = nil
    end,
    text = function(event)
      show("message", ("%s (%s): %s"):format(event.customer.name, event.customer.key, event.text))
      awaited[event.id] = nil
    end,
  },
}
local hook = server.new { receiver = receiver }
must(client.webhook:set { url = hook:url(), user = "testuser", password = "testpass" })
show("webhook", hook:url(), "asks for user and password")

for _, message in ipairs {
  waba.text "Your order 118 is ready.",
  waba.image { link = "https://cdn.example/blue.jpg", caption = "Model Blue" },
  waba.template { name = "order_update", language = "en", body = { "Eva", "118" } },
} do
  local sent = must(client:send("+49 151 12345678", message))
  show("sent", sent.id, message.type)
  for _, status in ipairs { "sent", "delivered", "read" } do awaited[sent.id .. " " .. status] = true end
end

awaited[must(emulator:customer(CUSTOMER, { name = "Eva" }):text "Thank you!")] = true

local deadline = os.time() + PATIENCE
while next(awaited) and os.time() < deadline do hook:step(0.1) end

local missing = {}
for what in pairs(awaited) do missing[#missing + 1] = what end
client:close()
hook:close()
emulator:stop()
if #missing > 0 then
  io.stderr:write("did not arrive within ", PATIENCE, " seconds: ", table.concat(missing, ", "), "\n")
  os.exit(1)
end
show("done", "3 messages, their 9 statuses and 1 customer's message went all the way")
show("next", "try a bot in your browser: eval \"$(make -s env)\" && waba emulator --ui")
show("guide", "docs/guides/trying-your-bot.md")
