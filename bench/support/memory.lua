-- How much memory a program of the benchmarks holds, in KiB.

local memory = {}

--- What Lua holds after full collections.
---@return number
function memory.collected()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

--- What the system says of the process.
---@param name "VmRSS"|"VmHWM"  now, or the most it has had
---@return number|nil
function memory.of_process(name)
  local file = assert(io.open "/proc/self/status")
  local size = file:read("*a"):match("\n" .. name .. ":%s*(%d+)")
  file:close()
  return tonumber(size)
end

return memory
