-- Chooses the event loop that the running code lives in. Nothing is loaded before it is used.

local loop = {}

local NAMES = { blocking = true, native = true }

---@param name "blocking"|"native"
---@return waba.Loop
function loop.named(name)
  if not NAMES[name] then
    error(('waba.client: option loop: unknown loop "%s" (blocking, native)'):format(tostring(name)), 0)
  end
  return require("waba.transport.loop." .. name)
end

--- Inside a coroutine of `waba.run` "native", else "blocking".
---@return waba.Loop
function loop.detect()
  local native = package.loaded["waba.transport.loop.native"]
  if native and native.task() then return native end
  return require "waba.transport.loop.blocking"
end

--- Lets time pass in the way of the loop that the running code lives in.
---@param seconds number
function loop.sleep(seconds)
  loop.detect().sleep(seconds)
end

return loop
