-- Raises an error with the line of the program that called the library. Searches the stack for the level that
-- `error` needs, because the number of the library's functions on the stack varies.

local caller = {}

local LIBRARY = debug.getinfo(1, "S").source:match "^(.*)caller%.lua$" or "@waba/"

-- Raises the error without a line if all functions in the running coroutine belong to the library.
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
