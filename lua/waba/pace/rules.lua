-- The rules by which a store grants tokens. The rules are a string of Lua code, which runs as a script in Redis and on
-- a shared dictionary in nginx. The code returns a function with these arguments:
-- - `db`, which reads and writes the values of an API key by `get(name)` and `set(name, text, milliseconds)`
-- - the present time
-- - the words of a command
--
-- The function returns a list. Times and intervals are in microseconds. A time in a reply is the difference to the
-- present time, because each process has its own clock. Commands and replies, with parameters in capitals:
--
--   take CLASS LANE INTERVAL SLACK LANE_SLACK LENGTH WANTED MORE RETURNED VERSION PAIR_INTERVAL [PAIR COUNT]…
--     -> GRANTED FIRST ASK PAUSED DUE VERSION [DUE PAUSED]… [PAIR PAUSED]…
--   pair PAIR INTERVAL SLACK COUNT  -> GRANTED DUE PAUSED
--   pause INTERVAL                  -> (nothing)
--   pause_pair PAIR INTERVAL SLACK  -> (nothing)
--
-- RETURNED is the number of unused tokens. After a failed call RETURNED is negative: the number of tokens that the
-- process has used without the store. If the store then has no value, it has lost its values, and the bucket is empty
-- at first. Used tokens of a long failure delay the next tokens by at most the time in which the rate grants a burst.
--
-- DUE is the time at which a bucket is full. The next token is valid at the time `due - slack`. FIRST is the time at
-- which the first token of a batch is valid. Each other token is valid INTERVAL microseconds after the previous token.
-- Bulk messages have less slack than replies, so a reply gets a token at once even if bulk messages use the full rate.
-- ASK is the time at which a process may request more tokens. The processes get different values of ASK, so they
-- request tokens in turn. The value of a bucket contains the latest ASK at the index `turn`, which is 2 for replies and
-- 3 for bulk messages. VERSION is the version of the list of paused recipients. If the VERSION in the command is not
-- the present version, the reply contains the paused recipients.
return [==[
local floor, max, min = math.floor, math.max, math.min
local MOST = 200 -- the largest number of paused recipients in the list
local KEPT = 60000 -- the milliseconds for which a value is kept after the latest time in the value

return function(db, now, words)
  -- Returns the times in a value. The last number of a value is the time at which the value was written. If the clock
  -- was set back afterwards, the times are set back.
  local function read(name, count)
    local list = {}
    for number in string.gmatch(db.get(name) or "", "%S+") do list[#list + 1] = tonumber(number) end
    local back = max(0, (list[count + 1] or 0) - now)
    for index = 1, count do list[index] = (list[index] or 0) - back end
    return list
  end

  local function write(name, list, count)
    local last, parts = now, {}
    for index = 1, count do
      last = max(last, list[index])
      parts[index] = string.format("%.0f", list[index])
    end
    parts[count + 1] = string.format("%.0f", now)
    db.set(name, table.concat(parts, " "), floor((last - now) / 1000) + KEPT)
  end

  local function number(index) return tonumber(words[index]) or 0 end

  -- Subtracts used tokens from the bucket of a recipient. Returns `due` of the bucket and the end of the pause.
  local function report(name, interval, count)
    local pair = read("to:" .. name, 2)
    pair[1] = max(pair[1], now) + count * interval
    return pair
  end

  -- Returns the list of paused recipients, and the version of the list.
  local function paused_pairs()
    local version, rest = string.match(db.get("pairs") or "", "^(%S+)(.*)")
    local list = {}
    for name, moment in string.gmatch(rest or "", "(%S+)=(%d+)") do
      if tonumber(moment) > now then list[#list + 1] = { name, tonumber(moment) } end
    end
    return list, version or ""
  end

  local commands = {}

  function commands.take()
    local class, lane, interval, slack, lane_slack = words[2], words[3], number(4), number(5), number(6)
    local length, wanted, needs_more, returned = number(7), number(8), words[9] == "1", number(10)
    local state, paused = read(class, 4), read("paused", 1)[1]
    local turn = lane == "bulk" and 3 or 2
    local due, empty = state[1] - returned * interval, now + slack + interval
    if returned < 0 then due = state[1] == 0 and empty or min(due, max(state[1], empty + slack)) end
    if paused > state[4] then
      due, state[4] = max(due, paused + slack), paused
    end
    due = max(due, now)
    local first, granted = due - lane_slack, 0
    if paused <= now and first <= now + length / 2 then
      granted = wanted
      due = due + granted * interval
    end
    local ask = max(due - lane_slack, paused)
    if ask > now then
      ask = max(ask, state[turn])
      if needs_more or granted < wanted then state[turn] = ask + length end
      ask = max(ask - length / 4, paused) -- early, so that the next batch arrives before its first token is valid
    end
    if wanted > 0 or returned ~= 0 then
      state[1] = due
      write(class, state, 4)
    end
    local reply = { granted, floor(first - now), floor(ask - now), floor(paused - now), floor(due - now) }
    local pairs_paused, version = paused_pairs()
    reply[6] = version
    for index = 13, #words, 2 do
      local pair = report(words[index], number(12), number(index + 1))
      write("to:" .. words[index], pair, 2)
      reply[#reply + 1] = floor(pair[1] - now)
      reply[#reply + 1] = floor(pair[2] - now)
    end
    if version ~= words[11] then
      for _, pair in ipairs(pairs_paused) do
        reply[#reply + 1] = pair[1]
        reply[#reply + 1] = floor(pair[2] - now)
      end
    end
    return reply
  end

  function commands.pair()
    local interval, slack = number(3), number(4)
    local pair = report(words[2], interval, number(5))
    local granted = pair[1] - slack <= now and pair[2] <= now and 1 or 0
    pair[1] = pair[1] + granted * interval
    write("to:" .. words[2], pair, 2)
    return { granted, floor(pair[1] - now), floor(pair[2] - now) }
  end

  function commands.pause()
    local paused = read("paused", 1)
    paused[1] = max(paused[1], now + number(2))
    write("paused", paused, 1)
    return {}
  end

  function commands.pause_pair()
    local name, moment = words[2], now + number(3)
    local pair = read("to:" .. name, 2)
    pair[2] = max(pair[2], moment)
    pair[1] = max(pair[1], moment + number(4))
    write("to:" .. name, pair, 2)
    local parts, last = { string.format("%.0f", now) }, moment
    local list = paused_pairs()
    for index = max(1, #list - MOST + 2), #list do
      if list[index][1] ~= name then
        parts[#parts + 1] = string.format("%s=%.0f", list[index][1], list[index][2])
        last = max(last, list[index][2])
      end
    end
    parts[#parts + 1] = string.format("%s=%.0f", name, pair[2])
    db.set("pairs", table.concat(parts, " "), floor((last - now) / 1000) + KEPT)
    return {}
  end

  return commands[words[1]]()
end
]==]
