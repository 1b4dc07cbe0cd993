-- A bulk run whose process is killed repeatedly: no message is sent twice, and every uncertain result is reported.

local emulators = require "spec.support.emulator"
local process = require "spec.support.process"
local support = require "spec.support.bulk"

local function start(folder, gateway, count)
  return process.start(("%s spec/support/bulk_program.lua %s %s %s %d %s"):format(process.interpreter(), gateway.url,
    process.quote(gateway.api_key), process.quote(folder:file "journal"), count, process.quote(folder:file "log")),
    folder:file "output")
end

describe("a bulk run that is killed at random", function()
  it("sends one message to each recipient", function()
    local COUNT, KILLS = 2000, 6
    math.randomseed(20240412)
    local folder = process.folder()
    local gateway = assert(emulators.start { statuses = false })
    folder:file("log", "")

    local kills = 0
    for _ = 1, KILLS do
      local program = start(folder, gateway, COUNT)
      local at = math.random(0, math.floor(COUNT / KILLS / 2)) -- the program is killed after this number of further results
      local before = select(2, folder:read("log"):gsub("\n", ""))
      process.wait_for(function()
        return select(2, folder:read("log"):gsub("\n", "")) >= before + at or not program:is_alive()
      end, "results")
      if program:is_alive() then kills = kills + 1 end
      program:stop "KILL"
      if folder:read("log"):find "end " then break end
    end
    local program = start(folder, gateway, COUNT)
    process.wait_for(function() return not program:is_alive() end, "the last run", 30)
    assert.matches("end " .. COUNT .. "\n$", folder:read "log" .. folder:read "output")

    local received, twice = {}, 0
    for _, message in ipairs(gateway:messages { direction = "outbound" }) do
      if received[message.wa_id] then twice = twice + 1 end
      received[message.wa_id] = true
    end
    assert.equal(0, twice)
    local states, counts = support.states(folder:read "journal")
    local uncertain = {}
    for position in folder:read("log"):gmatch "maybe (%d+) " do uncertain[position] = true end
    for position = 1, COUNT do
      local to, state = support.recipient(position), states[tostring(position)]
      if state == "sent" then
        assert.is_true(received[to], "written down as sent, but it was not: " .. position)
      else
        assert.equal("maybe", state)
        assert.is_true(uncertain[tostring(position)], "no uncertain result was reported for message " .. position)
      end
    end
    assert.equal(COUNT, counts.sent + counts.maybe)
    -- Each kill leaves at most 16 messages in flight, and 8 messages of a batch that the journal already marks as
    -- begun.
    assert.is_true(counts.maybe <= kills * (16 + 8))
    assert.is_true(kills > 0)
    gateway:stop()
    folder:remove()
  end)

  it("leaves a complete journal at Ctrl-C", function()
    local folder = process.folder()
    local gateway = assert(emulators.start { statuses = false })
    folder:file("log", "")
    local program = start(folder, gateway, 100000)
    process.wait_for(function() return folder:read("log"):find "sent 66 " end, "the first messages")
    program:stop "INT"
    assert.matches("interrupted!", program:output())
    local states, counts = support.states(folder:read "journal")
    assert.is_true(counts.sent > 66 - 16) -- the results of the 16 messages in flight may be missing
    -- At most 16 messages were in flight, and 8 messages of a batch were recorded but not sent. The journal marks all
    -- other messages as withdrawn.
    assert.is_true(counts.begun <= 16 + 8)
    for _, message in ipairs(gateway:messages { direction = "outbound" }) do
      local state = states[tostring(tonumber(message.wa_id:sub(6)))]
      assert.is_true(state == "sent" or state == "begun" or state == "maybe", state)
    end
    gateway:stop()
    folder:remove()
  end)
end)
