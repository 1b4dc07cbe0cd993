-- Clients of many numbers in one process, for bench/numbers.lua:
--   make count           makes clients; prints bytes of Lua, bytes of RSS and microseconds of CPU per client
--   work port url max    replies to the events in a Redis server, until the program is killed
--   send …               each number sends the text `each` times, or the first number sends all texts; prints the
--                        microseconds of CPU per message, the largest number of descriptors, and the growth of RSS in
--                        KiB; arguments: url ca_file numbers in_flight each text ["first"]

package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path

local memory = require "memory"
local waba = require "waba"

local program = {}

local function key_of(number) return ("benchmark-key-of-number-%08d"):format(number) end

function program.make(count)
  local function make(number)
    return waba.client { api_key = key_of(number), base_url = "https://gateway.example", hosting = "cloud" }
  end
  local first, clients = make(0), {}
  for number = 1, count do clients[number] = false end
  local lua, rss, cpu = memory.collected(), memory.of_process "VmRSS", os.clock()
  for number = 1, count do clients[number] = make(number) end
  cpu = os.clock() - cpu
  local rss_now = memory.of_process "VmRSS"
  first:close()
  print(("%.0f %.0f %.2f"):format((memory.collected() - lua) * 1024 / count, (rss_now - rss) * 1024 / count,
    cpu / count * 1e6))
  for _, client in ipairs(clients) do client:close() end
end

local function descriptors()
  local pipe = assert(io.popen "ls /proc/$PPID/fd | wc -l")
  local count = tonumber(pipe:read "*a")
  pipe:close()
  return count
end

function program.send(url, ca_file, numbers, in_flight, each, text, first_only)
  local message, clients = waba.text(text), {}
  local pace = { messages = { rate = 1e9, burst = 1000000 }, other = { rate = 1e9, burst = 1000000 } }
  local function new_client(number)
    return waba.client { api_key = key_of(number), base_url = url, ca_file = ca_file, timeout = 120, pace = pace }
  end
  local function send_all(total, list)
    local next_message, most = 0, 0
    waba.run(function()
      for _ = 1, in_flight do
        waba.spawn(function()
          while next_message < total do
            next_message = next_message + 1
            local position = next_message
            assert(list[(position - 1) % #list + 1]:send("491511234567", message))
            if position % 500 == 0 then most = math.max(most, descriptors()) end
          end
        end)
      end
    end)
    return most
  end
  local first = new_client(0)
  send_all(in_flight, { first }) -- loads all modules and opens the connections before the measurement
  local rss = memory.collected() and memory.of_process "VmRSS"
  for number = 1, numbers do clients[number] = new_client(number) end
  send_all(numbers, clients)
  memory.collected() -- removes the garbage from before the measurement
  local cpu = os.clock()
  local most = send_all(numbers * each, first_only and { clients[1] } or clients)
  print(("%.3f %d %d"):format((os.clock() - cpu) / (numbers * each) * 1e6, most, memory.of_process "VmRSS" - rss))
end

-- Replies to the events that are stored in a Redis server; at most `max` clients are open at a time.
function program.work(port, url, max)
  local receiver = waba.receiver {
    open = false, inbox = waba.inbox.redis { port = port },
    client = waba.clients {
      max = max, hosting = "cloud", base_url = url, pace = false,
      load = function(number) return { api_key = key_of(tonumber(number)) } end,
    },
    on = { text = function(event) assert(event:reply(waba.text(event.number .. " " .. event.text))) end },
  }
  assert(receiver:work { forever = true, concurrency = 64 })
end

local numbers = {}
for position = 2, #arg do numbers[position - 1] = tonumber(arg[position]) or arg[position] end
program[arg[1]]((table.unpack or unpack)(numbers))
