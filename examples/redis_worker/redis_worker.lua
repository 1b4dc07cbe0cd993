-- A worker that handles the events that receivers have stored in Redis. Any number of workers can run on any number of
-- machines. The events of each customer are handled one at a time and in order. When a worker ends unexpectedly, other
-- workers handle its events.
--   REDIS_HOST=… D360_API_KEY=… lua5.4 redis_worker.lua

local waba = require "waba"

local receiver = waba.receiver {
  open = false, -- the worker receives no webhooks
  client = waba.client {}, -- reads the variables D360_API_KEY and WABA_HOSTING
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
