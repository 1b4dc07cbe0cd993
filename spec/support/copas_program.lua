-- A program that calls copas.step() itself. As in copas 4, `copas.running` is false, because copas.loop() does not run.
-- Prints the result of a send, and whether other coroutines ran during the send. Arguments: URL of the gateway; where
-- the client is made ("main": outside of copas, "thread": in a coroutine of copas); the client's option `loop`, or "".

package.path = "./?.lua;" .. package.path

local copas = require "copas"
local waba = require "waba"

if copas.running == nil then copas.running = false end

local url, where, loop = ...

local function new_client()
  return waba.client { api_key = "key", base_url = url, loop = loop ~= "" and loop or nil, retry = false }
end

local client = where == "main" and new_client()

local function send(note)
  local sent, err = client:send("491511234567", waba.text "Hello")
  print((sent and "sent" or err.kind .. ": " .. err.message) .. ", " .. note())
end

local is_over, is_waiting, has_gone_on = false, false, false

copas.addthread(function()
  client = client or new_client()
  is_waiting = true
  send(function() return has_gone_on and "the program went on" or "the program waited" end)
  is_waiting, is_over = false, true
end)
repeat
  copas.step(0.01)
  has_gone_on = has_gone_on or is_waiting
until is_over

if loop == "" then -- sends from a coroutine that the program created itself
  coroutine.wrap(function() send(function() return "in a coroutine of its own" end) end)()
end
os.exit(0)
