-- Code for the programs that send with other HTTP clients in Lua: reads the arguments, and measures CPU time and
-- elapsed time after a warm-up.

local support = {}

---@return table peer  { url, ca_file, body, in_flight, warm_up, messages, protocol, connections, headers }
function support.read_arguments()
  local peer = {
    url = arg[1], ca_file = arg[2], body = arg[3], in_flight = tonumber(arg[4]), warm_up = tonumber(arg[5]),
    messages = tonumber(arg[6]), protocol = arg[7], connections = tonumber(arg[8]), headers = {},
  }
  for i = 9, #arg do
    local name, value = arg[i]:match "^(.-): (.*)$"
    peer.headers[name] = value
  end
  return peer
end

--- Calls `work(count)` for the warm-up and for the messages, and prints the seconds of CPU and of elapsed time of
--- the second call.
---@param clock fun(): number  returns the time in seconds
---@param work fun(count: integer)
function support.run(peer, clock, work)
  work(peer.warm_up)
  local cpu, wall = os.clock(), clock()
  work(peer.messages)
  print(("%.6f %.6f"):format(os.clock() - cpu, clock() - wall))
end

return support
