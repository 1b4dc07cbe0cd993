-- Measures the memory of the running program in KiB.

local memory = {}

--- Returns the memory that Lua counts after full collections.
function memory.collected()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

--- Returns the memory of the process that Linux reports; nil on other systems.
---@param name "VmRSS"|"VmHWM"  the current or the largest resident memory
---@return number|nil
function memory.of_process(name)
  local file = assert(io.open "/proc/self/status")
  local size = file:read("*a"):match("\n" .. name .. ":%s*(%d+)")
  file:close()
  return tonumber(size)
end

return memory
