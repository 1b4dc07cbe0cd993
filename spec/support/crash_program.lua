-- A bot that spec/inbox_crash_spec.lua runs in processes of their own and kills. The bot reads webhooks from a socket,
-- stores their events in its inbox and runs its handlers. The bot writes the handled and the acknowledged events to its
-- log. Arguments: backend of the inbox, place (file or port), log, port to listen on (0: does not listen).

local socket = require "socket"
local waba = require "waba"

local backend, place, log_path, port = arg[1], arg[2], arg[3], tonumber(arg[4])

-- Each line is written by one call, so that lines of several processes are not mixed.
local log = assert(io.open(log_path, "a"))
log:setvbuf("full", 4096)
local function note(word, event)
  log:write(word, " ", event.id, " ", event.from, "\n")
  log:flush()
end

local inbox
if backend == "sqlite" then
  inbox = waba.inbox.sqlite { file = place, sync = false, retry = { base = 0.01, attempts = 1000 } }
else
  inbox = waba.inbox.redis { port = tonumber(place), retry = { base = 0.01, attempts = 1000 } }
end

local acknowledge = inbox.ack
function inbox.ack(self, events)
  local ok, err = acknowledge(self, events)
  for _, event in ipairs(ok and events or {}) do note("acknowledged", event) end
  return ok, err
end

local receiver = waba.receiver {
  open = true, inbox = inbox,
  on = { text = function(event)
    note("handled", event)
    if event.text == "slow" then socket.sleep(0.002) end
  end },
}

local work = { batch = 4, lease = tonumber(arg[5]) or 0.3 }
if port == 0 then
  work.forever, work.interval = true, 0.01
  receiver:work(work)
end

-- A webhook is a line with a length, then the body; the response is a line with the status.
local function serve(client)
  client:settimeout(1)
  local length = tonumber((client:receive "*l"))
  local body = length and client:receive(length)
  if body then client:send(receiver:handle { method = "POST", headers = {}, body = body } .. "\n") end
  client:close()
end

local listener = assert(socket.bind("127.0.0.1", port))
listener:settimeout(0.001)
while true do
  local client = listener:accept()
  if client then serve(client) end
  receiver:work(work)
end
