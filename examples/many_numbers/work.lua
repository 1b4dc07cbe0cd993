-- Handles the events of all numbers. Any number of these workers can run, on all machines that have the table of
-- numbers.
--   REDIS_HOST=… lua5.4 work.lua

local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/?.lua;" .. package.path

local waba = require "waba"
local numbers = require("numbers").open(os.getenv "NUMBERS_DB" or "numbers.db")

local receiver = waba.receiver {
  open = false, -- the worker receives no webhooks
  client = waba.clients {
    max = 1000,
    load = function(number)
      local row = numbers:by_number(number)
      return row and { api_key = row.api_key, hosting = row.hosting }
    end,
  },
  inbox = waba.inbox.redis { host = os.getenv "REDIS_HOST", port = tonumber(os.getenv "REDIS_PORT" or 6379) },
  on = {
    text = function(event) assert(event:reply(waba.text(("%s received: %s"):format(event.number, event.text)))) end,
    error = function(event, err) print(("error, number %s: %s"):format(event.number, tostring(err))) end,
  },
}

assert(receiver:work { forever = true, concurrency = 16 })
