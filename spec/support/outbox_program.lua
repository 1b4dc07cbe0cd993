-- A program that spec/outbox/crash_spec.lua kills. Arguments: the task ("send" or "receive"), backend, place (file or
-- port of Redis), URL of the gateway, its key, seconds of the option settle, port for webhooks, concurrency.

local waba = require "waba"

local what, backend, place, url, key, settle, port = arg[1], arg[2], arg[3], arg[4], arg[5], tonumber(arg[6]),
  tonumber(arg[7])
local concurrency = tonumber(arg[8])

local outbox
if backend == "sqlite" then
  outbox = waba.outbox.sqlite { file = place, hosting = "cloud", retry = { base = 0.01, attempts = 1000 } }
else
  outbox = waba.outbox.redis { port = tonumber(place), hosting = "cloud", retry = { base = 0.01, attempts = 1000 } }
end

if what == "receive" then
  local receiver = waba.receiver { open = true }
  outbox:watch(receiver)
  assert(assert(waba.webhook.server { receiver = receiver, port = port }):run())
else
  local client = waba.client {
    hosting = "cloud", api_key = key, base_url = url, pace = false, retry = { attempts = 3, base = 0.01 }, timeout = 5,
  }
  local sender = waba.sender { outbox = outbox, client = client, settle = settle }
  assert(sender:work { forever = true, concurrency = concurrency, interval = 0.02, lease = 2 })
end
