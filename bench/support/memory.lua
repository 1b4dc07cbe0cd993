-- The memory of a program of the benchmarks, in KiB.

local memory = {}

--- Returns the memory of Lua after full collections.
---@return number
function memory.collected()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

--- Returns the memory of the process that the system reports.
---@param name "VmRSS"|"VmHWM"  the current or the largest resident memory
---@return number|nil
function memory.of_process(name)
  local file = assert(io.open "/proc/self/status")
  local size = file:read("*a"):match("\n" .. name .. ":%s*(%d+)")
  file:close()
  return tonumber(size)
end

return memory
