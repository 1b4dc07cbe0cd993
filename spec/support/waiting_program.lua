-- Runs senders whose option `on_result` waits, and whose outbox another coroutine locks. spec/sender_waiting_spec.lua
-- runs this program with each version of Lua. The argument is the path of a new SQLite file.

local waba = require "waba"

local client = { hosting = { name = "cloud" }, delivery = {} }
function client.send(_, _, _, options)
  local marked, err = options.before_attempt()
  if not marked then return nil, err end
  return { id = "wamid.1" }
end
client.mark_read = client.send

local function fill(outbox)
  for index = 1, 3 do assert(outbox:put { to = "49151123456" .. index, message = waba.text "Hi" }) end
end

-- Prints `name`, the results of `sender:work`, and how many calls of `on_result` have ended.
local function work(name, concurrency)
  local outbox, ended = waba.outbox.memory { hosting = "cloud" }, 0
  local sender = waba.sender { outbox = outbox, client = client, on_result = function()
    waba.sleep(0.01)
    ended = ended + 1
  end }
  fill(outbox)
  local sent, failed = sender:work { concurrency = concurrency }
  print(("%s, concurrency %d: %d %d %d"):format(name, concurrency, sent, failed, ended))
end

for _, concurrency in ipairs { 1, 2 } do
  work("alone", concurrency)
  waba.run(work, "in waba.run", concurrency)
end

-- The lock is released by a coroutine of the same program, so a sender that blocks the program gets an error.
local outbox = waba.outbox.sqlite { file = arg[1], hosting = "cloud", busy_timeout = 1, retry = { attempts = 1 } }
fill(outbox)
local database = assert(require("dbd.sqlite3").New(arg[1]))
database:autocommit(true)
local function run(sql)
  local statement = assert(database:prepare(sql))
  assert(statement:execute())
  statement:close()
end

waba.run(function()
  local sender = waba.sender { outbox = outbox, client = function()
    run "BEGIN IMMEDIATE"
    waba.spawn(function() -- the sender waits for the lock before it marks the entry
      waba.sleep(0.05)
      run "COMMIT"
    end)
    return client
  end }
  print("locked:", sender:work { concurrency = 1 })
end)
