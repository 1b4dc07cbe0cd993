-- A worker that handles the events that receivers have stored in Redis. Start any number of workers, on any number of machines:
-- each customer's events are still handled one at a time and in order, and the other workers take over the events of one that
-- ends unexpectedly.
--   REDIS_HOST=… D360_API_KEY=… lua5.4 redis_worker.lua

local waba = require "waba"

local receiver = waba.receiver {
  open = false, -- takes no webhooks itself
  client = waba.client {}, -- D360_API_KEY, WABA_HOSTING
  inbox = waba.inbox.redis {
    host = os.getenv "REDIS_HOST", port = tonumber(os.getenv "REDIS_PORT" or 6379),
    password = os.getenv "REDIS_PASSWORD",
  },
  on = {
    text = function(event) assert(event:reply(waba.text("You wrote: " .. event.text))) end,
    error = function(_, err) print("error: " .. tostring(err)) end,
  },
}

receiver:work { forever = true }
