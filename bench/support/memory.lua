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
  for line in io.lines "/proc/self/status" do
    local size = line:match("^" .. name .. ":%s*(%d+)")
    if size then return tonumber(size) end
  end
end

return memory
