-- Raises an error about wrong use at the line of the program that called the library. The number of the library's
-- functions on the stack varies, so the level for `error` is searched.

local caller = {}

local LIBRARY = debug.getinfo(1, "S").source:match "^(.*)caller%.lua$" or "@waba/"

-- The message has no line if the running coroutine has no function outside the library.
function caller.error(message)
  local level = 2
  local info = debug.getinfo(level, "Sl")
  while info and (info.source:sub(1, #LIBRARY) == LIBRARY or info.currentline < 0) do
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  error(message, info and level or 0)
end

return caller
