-- Stores events of many business numbers in Redis, and starts worker processes that reply to them. The emulator records
-- the API keys of the replies.

local core = require "waba.core"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local numbers_events = {}

-- The number of events in one webhook, and the number of events after which the emulator's records are removed.
local WEBHOOK, STEP = 50, 10000

local function number_of(index) return ("49305%06d"):format(index) end

-- Returns the API key of a number. bench/support/numbers_program.lua computes the same key.
local function key_of(number) return ("benchmark-key-of-number-%08d"):format(tonumber(number)) end

-- Posts events to a receiver. Adjacent events have different business numbers.
local function post(receiver, count, first, last)
  for start = first, last, WEBHOOK do
    local changes = {}
    for position = start, math.min(start + WEBHOOK - 1, last) do
      local index = (position - 1) % count + 1
      changes[#changes + 1] = webhooks.change({ messages = ('{"from":"4915112345678","id":"m%d","type":"text",'
        .. '"text":{"body":"%d"}}'):format(position, position) }, number_of(index), tostring(400000 + index))
    end
    local status = receiver:handle { method = "POST", path = "/", headers = {}, body = webhooks.entry(changes) }
    assert(status == 200, status)
  end
end

-- Adds the replies that the emulator has recorded to the results, and removes them from the emulator.
local function collect(emulator, result)
  for number, handle in pairs(emulator.numbers) do
    for _, message in ipairs(handle.cloud:messages { direction = "outbound" }) do
      local owner, event = message.content.body:match "^(%d+) (%d+)$"
      result.replies = result.replies + 1
      if owner ~= number then result.wrong = result.wrong + 1 end
      if result.seen[event] then result.repeated = result.repeated + 1 end
      result.seen[event] = true
    end
    handle.cloud:forget()
  end
end

--- Runs workers that reply to events of many business numbers.
---@param interpreter string  quoted for the shell
---@param options { numbers: integer, events: integer, workers: integer, max: integer }  `max` is the number of open clients of a worker
---@return { replies: integer, wrong: integer, repeated: integer, set_aside: integer, seconds: number }
function numbers_events.run(interpreter, options)
  local list, programs, result = {}, {}, { replies = 0, wrong = 0, repeated = 0, seen = {} }
  for index = 1, options.numbers do
    list[index] = { number = number_of(index), api_key = key_of(number_of(index)) }
  end
  local server, folder = redis.start(), process.folder()
  local emulator = assert(waba.emulator.start { tls = false, statuses = false, window = false, numbers = list,
    start_timeout = 60 })
  local receiver = waba.receiver { open = true, inbox = waba.inbox.redis { port = server.port } }
  local ok, message = pcall(function()
    for index = 1, options.workers do
      programs[index] = process.start(("%s bench/support/numbers_program.lua work %d %s %d"):format(
        interpreter, server.port, emulator.cloud.url, options.max), folder:file("log" .. index))
    end
    local began = core.clock()
    for first = 1, options.events, STEP do
      post(receiver, options.numbers, first, math.min(first + STEP - 1, options.events))
      process.wait_for(function()
        for _, program in ipairs(programs) do assert(program:is_alive(), program:output()) end
        return receiver.inbox:depth() == 0
      end, "the workers", 600)
      collect(emulator, result)
    end
    result.seconds, result.set_aside = core.clock() - began, #receiver.inbox:set_aside()
  end)
  for _, program in ipairs(programs) do program:stop "KILL" end
  receiver.inbox:close()
  emulator:stop()
  server:stop()
  folder:remove()
  assert(ok, message)
  result.seen = nil
  return result
end

return numbers_events
