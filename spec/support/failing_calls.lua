-- Runs programs in which spec/support/failing_calls.c makes system calls fail.

local process = require "spec.support.process"

local failing_calls = {}

--- Runs Lua code in a process of its own. The code can call `fail(name, number, successes)`: after `successes` calls of
--- the system's function `name`, one call fails with the errno `number`. With 0 the call returns 0 and does nothing;
--- with -n it writes or reads only n bytes.
---@return string output  what the code has printed, without trailing white space
function failing_calls.run(code)
  local folder = process.folder()
  local library = folder:file "failing_calls.so"
  process.run(("cc -shared -fPIC -Wl,--unresolved-symbols=ignore-all -o %s spec/support/failing_calls.c -ldl")
    :format(process.quote(library)))
  local opening = ("local fail = assert(package.loadlib(%q, 'luaopen_failing_calls'))().fail\n"):format(library)
  local output = process.run(("LD_PRELOAD=%s %s %s 2>&1"):format(process.quote(library), process.interpreter(),
    process.quote(folder:write("program.lua", opening .. code))))
  folder:remove()
  return output
end

return failing_calls
