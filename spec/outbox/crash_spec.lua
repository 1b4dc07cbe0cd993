-- The outbox while its senders are killed at random and connections are cut at six points. No message is lost or sent
-- twice, and messages with an uncertain result have not arrived. `make proofs` runs this spec with more messages.
--
-- Two kinds of entries stay uncertain, because no process can know that their messages have not arrived: the proxy cut
-- the connection after the sender had written the request, and before the gateway had read it; or the sender was killed
-- after the store had set the mark, and before the request was written. Entries whose sender was killed are rare,
-- because little time passes between the mark and the request; on a loaded machine this time is longer.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local COUNT = tonumber(os.getenv "OUTBOX_MESSAGES") or 400
local KILLS = tonumber(os.getenv "OUTBOX_KILLS") or 12
-- Each sender is killed at a random time, up to this number of seconds after it has sent its share of the messages.
local MOMENT = 0.2
-- The proxy cuts the connection of every request whose number is a multiple of CUT.
local CUT = tonumber(os.getenv "OUTBOX_CUT") or 20
local POINTS = 6
local RECIPIENTS, SETTLE, LONGEST, CONCURRENCY = 40, 3, 60 + COUNT / 10, 8

for _, backend in ipairs { "sqlite", "redis" } do
  describe("the outbox in " .. backend, function()
    it("loses nothing and sends nothing twice when its senders are killed", function()
      local folder, server = process.folder(), backend == "redis" and redis.start() or nil
      local port, proxy_port = process.free_port(), process.free_port()
      local emulator = waba.emulator.start { tls = false, keep = 1e6, cloud = {
        statuses = { sent = 0.005, delivered = 0.05 },
        webhooks = { url = "http://127.0.0.1:" .. port, duplicates = 0.05, reorder = 0.05, batch = 20 },
      } }
      local cloud = emulator.cloud
      local place = server and tostring(server.port) or folder:file "outbox.db"
      local outbox = backend == "sqlite" and waba.outbox.sqlite { file = place, hosting = "cloud" }
        or waba.outbox.redis { port = server.port, hosting = "cloud" }

      local function start_program(name, log, ...)
        local words = { ("spec/support/%s.lua"):format(name), ... }
        for index, word in ipairs(words) do words[index] = process.quote(tostring(word)) end
        return process.start(process.interpreter() .. " " .. table.concat(words, " "), folder:file(log .. ".log"))
      end

      local function start(what)
        local url = cloud.url:gsub(":%d+$", ":" .. proxy_port)
        return start_program("outbox_program", what, what, backend, place, url, cloud.api_key, SETTLE, port,
          CONCURRENCY)
      end

      local receiver = start "receive"
      local proxy = start_program("cutting_proxy", "proxy", proxy_port, cloud.url:match ":(%d+)$", CUT)
      for _, one in ipairs { port, proxy_port } do
        process.wait_for(function() return process.listens(one) end, "the receiver and the proxy to listen")
      end
      cloud:fail_next { method = "POST", status = 401, share = 0.01, times = 1e9 }

      local ids = {}
      for first = 1, COUNT, 100 do
        local list = {}
        for number = first, math.min(COUNT, first + 99) do
          list[#list + 1] = {
            to = "4915112345" .. 100 + number % RECIPIENTS, message = waba.text(tostring(number)), key = number,
          }
        end
        for _, id in ipairs(assert(outbox:put(list))) do ids[#ids + 1] = id end
      end

      math.randomseed(20261129)
      local survivor, kills = start "send", 0
      while kills < KILLS do
        local sender, left = start "send", COUNT * (1 - kills / KILLS)
        process.wait_for(function() return outbox:depth() <= left end, "a share of the messages", LONGEST, function()
          process.sleep(0.05)
        end)
        process.sleep(MOMENT * (0.25 + math.random() * 0.75))
        sender:stop "KILL"
        kills = kills + 1
        if kills % 5 == 4 then
          survivor:stop "KILL"
          survivor = start "send"
          kills = kills + 1
        end
      end
      process.wait_for(function() return outbox:depth() == 0 end, "the outbox to be empty", LONGEST)
      survivor:stop "TERM"

      local arrived = {}
      for _, message in ipairs(cloud:messages { direction = "outbound" }) do
        local text = message.content.body
        assert.is_nil(arrived[text], text .. " was sent twice")
        arrived[text] = true
      end
      local states, reasons, wrong = {}, { cut = 0, killed = 0 }, {}
      for number, id in ipairs(ids) do
        local entry = assert(outbox:get(id))
        local state = entry.state
        states[state] = (states[state] or 0) + 1
        if state == "uncertain" then
          local reason = entry.error.kind == "cancelled" and "killed" or "cut"
          reasons[reason] = reasons[reason] + 1
        end
        local has_arrived = arrived[tostring(number)] ~= nil
        local is_certain = state == "sent" or state == "delivered"
        if has_arrived ~= is_certain then wrong[#wrong + 1] = number .. " " .. state end
        if state ~= "uncertain" and not is_certain then wrong[#wrong + 1] = number .. " " .. state end
      end
      -- a gateway whose connection is cut before its response may not have read the request
      local cuts, points, total = {}, 0, 0
      for point in proxy:output():gmatch "[^\n]+" do
        points = points + (cuts[point] and 0 or 1)
        cuts[point] = (cuts[point] or 0) + 1
        total = total + 1
      end
      if os.getenv "OUTBOX_MESSAGES" then
        for _, counts in ipairs { states, reasons, cuts } do
          for name, count in pairs(counts) do print(backend, name, count) end
        end
      end
      receiver:stop "KILL"
      proxy:stop "KILL"
      outbox:close()
      emulator:stop()
      if server then server:stop() end
      assert.same({}, wrong)
      assert.equal(POINTS, points)
      assert.is_true(reasons.cut <= total)
      assert.is_true(reasons.killed <= kills * CONCURRENCY)
      if COUNT >= 100000 then assert.is_true(reasons.killed <= COUNT / 1000) end
      folder:remove()
    end)
  end)
end
