-- Counts the system calls of sending a message, with strace. The number of system calls does not depend on the
-- machine's speed.

local peers = require "peers"
local process = require "spec.support.process"

local system_calls = {}

local function count(peer, job, messages)
  local path, counted = os.tmpname(), {}
  for name, value in pairs(job) do counted[name] = value end
  counted.warm_up, counted.count = job.in_flight, messages
  local words = peer.command(counted)
  for i, word in ipairs(words) do words[i] = process.quote(word) end
  local command = ("strace -f -c -U calls,name -o '%s' %s"):format(path, table.concat(words, " "))
  local output = process.run(command)
  local total
  for line in io.lines(path) do total = line:match "^%s*(%d+)%s+total" or total end
  os.remove(path)
  if not total then error(("failed: %s: %s"):format(command, output), 0) end
  return tonumber(total)
end

--- Returns whether strace is installed and permitted.
function system_calls.can_count()
  return process.run "strace -o /dev/null true 2>&1 && echo yes" == "yes"
end

--- Returns the system calls per message. The program runs twice, the second time with more messages; the difference of
--- the counts belongs to the additional messages.
---@param name string     the name of a program in bench/support/peers.lua
function system_calls.of_message(name, job)
  local few, more = 4 * job.in_flight, 24 * job.in_flight
  for _, peer in ipairs(peers.list) do
    if peer.name == name then return (count(peer, job, more) - count(peer, job, few)) / (more - few) end
  end
end

return system_calls
