-- In each event loop, sends messages from places in which a coroutine may not be able to yield, such as a callback of
-- string.gsub. Prints the result of each send: "sent", the kind of the error, or "raised". Argument: URL of the
-- gateway.

package.path = "./?.lua;" .. package.path

local waba = require "waba"

local url = ...
local runners = require "spec.support.runners"

-- Runs a coroutine until it has ended.
function runners.copas(functions)
  local copas, thread = require "copas", nil
  copas.addthread(function()
    thread = coroutine.running()
    functions[1]()
  end)
  repeat copas.step(0.01) until thread and coroutine.status(thread) == "dead"
end

local client

local function send() return client:send("491511234567", waba.text "Hello") end

local places = {}

function places.plain() return send() end

function places.pcall()
  local _, sent, err = assert(pcall(send))
  return sent, err
end

places["the callback of string.gsub"] = function()
  local sent, err
  string.gsub("x", ".", function() sent, err = send() end)
  return sent, err
end

places["the comparison of table.sort"] = function()
  local sent, err
  table.sort({ 1, 2 }, function(a, b)
    if not sent then sent, err = send() end
    return a < b
  end)
  return sent, err
end

places["an iterator"] = function()
  local result
  for _, this in function(_, last) if not last then return true, { send() } end end do result = this end
  return result[1], result[2]
end

places["a metamethod"] = function()
  local proxy = setmetatable({}, { __index = function() return { send() } end })
  local result = proxy.result
  return result[1], result[2]
end

local function send_all()
  local is_given = false
  return client:send_all(function()
    if is_given then return nil end
    is_given = true
    return "491511234567", waba.text "Hello"
  end)
end

places["a bulk run in pcall"] = function()
  local _, summary, err = assert(pcall(send_all))
  return summary, err
end

places["a bulk run in string.gsub"] = function()
  local summary, err
  string.gsub("x", ".", function() summary, err = send_all() end)
  return summary, err
end

local function handle_in_pcall(concurrency)
  local inbox, sent, failure = waba.inbox.memory(), nil, nil
  local receiver = waba.receiver {
    open = true, client = client, inbox = inbox,
    on = { text = function() sent, failure = send() end },
  }
  inbox:put { { kind = "message", type = "text", hosting = "on_premise", id = "a", from = "1", raw = {} } }
  local _, handled, err = assert(pcall(receiver.work, receiver, { concurrency = concurrency }))
  return handled and sent, not handled and err or failure
end

places["a handler in pcall"] = function() return handle_in_pcall(1) end
places["handlers in pcall"] = function() return handle_in_pcall(2) end

places["two handlers at once"] = function()
  local inbox, running, most = waba.inbox.memory(), 0, 0
  local receiver = waba.receiver { open = true, client = client, inbox = inbox, on = { text = function()
    running = running + 1
    most = math.max(most, running)
    for _ = 1, 50 do
      if most < 2 then client.transport:sleep(0.01) end
    end
    running = running - 1
  end } }
  for _, from in ipairs { "1", "2" } do
    inbox:put { { kind = "message", type = "text", hosting = "on_premise", id = from, from = from, raw = {} } }
  end
  assert(receiver:work { concurrency = 2 })
  if most < 2 then return nil, { kind = "alone", message = "cannot wait inside" } end
  return send()
end

-- Each place has a coroutine of its own, because in Lua 5.1 an error that can't be caught ends the coroutine, and some
-- loops do not report it.
local function try(loop, place)
  local reported
  pcall(runners[loop], { function()
    if place == "a metamethod" then reported = "raised" end
    local result, err = places[place]()
    reported = result and "sent" or err.kind
    if not result then assert(err.message:find("cannot wait inside", 1, true), err.message) end
  end })
  print(("%s, %s: %s"):format(loop, place, tostring(reported)))
end

for _, loop in ipairs { "native", "cqueues", "copas", "luv" } do
  client = waba.client {
    api_key = "key", base_url = url, loop = loop ~= "native" and loop or nil, retry = false,
    pace = { messages = { rate = 1000, burst = 1 }, pair = false }, -- the second message waits for its slot
  }
  for _, place in ipairs {
    "pcall", "the callback of string.gsub", "the comparison of table.sort", "an iterator", "a metamethod",
    "a bulk run in pcall", "a bulk run in string.gsub", "a handler in pcall", "handlers in pcall", "plain",
    "two handlers at once",
  } do
    try(loop, place)
  end
end
os.exit(0)
