-- Receives the webhooks of all numbers and stores their events in Redis. Each number has its own webhook URL and
-- password.
--   REDIS_HOST=… lua5.4 receive.lua

local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/?.lua;" .. package.path

local waba = require "waba"
local numbers = require("numbers").open(os.getenv "NUMBERS_DB" or "numbers.db")

local receiver = waba.receiver {
  number = function(request)
    local row = numbers:by_path(request.path)
    return row and { number = row.number, user = row.number, password = row.password }
  end,
  inbox = waba.inbox.redis { host = os.getenv "REDIS_HOST", port = tonumber(os.getenv "REDIS_PORT" or 6379) },
}

local server = assert(waba.webhook.server {
  -- 0: this program handles no events; the workers handle them
  receiver = receiver, port = tonumber(os.getenv "PORT" or 8080), concurrency = 0,
})
print("listening at " .. server:url())
assert(server:run()) -- runs until SIGTERM or Ctrl-C
