-- Runs senders whose option `client` is a function or a pool that raises an error, and prints the results of
-- `sender:work`. spec/sender_lookup_spec.lua runs this program with each version of Lua.

local waba = require "waba"

local function fail() error("database down", 0) end

-- Prints `name`, the results of `sender:work` and the number of entries that remain in the outbox.
local function work(name, client, concurrency)
  local outbox = waba.outbox.memory { retry = { base = 100 } }
  local sender = waba.sender { outbox = outbox, client = client }
  assert(outbox:put { to = "491511234567", number = "4930555019", message = waba.text "Hi" })
  local sent, failed, err = sender:work { concurrency = concurrency }
  print(("%s, concurrency %d: %s %s %s %s"):format(name, concurrency, tostring(sent), tostring(failed), tostring(err),
    tostring(outbox:depth())))
end

for _, concurrency in ipairs { 1, 2 } do
  for _, form in ipairs { "pool", "function" } do
    local client = form == "pool" and waba.clients { load = fail } or fail
    work(form, client, concurrency)
    waba.run(work, form .. " in waba.run", client, concurrency)
  end
end
