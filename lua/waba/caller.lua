-- Raises errors about wrong use with the line of the program, however many functions of the library are between the
-- program and the function that found the error.

local caller = {}

local LIBRARY = debug.getinfo(1, "S").source:match "^(.*)caller%.lua$" or "@waba/"

--- Raises an error with the line of the innermost function that is not part of the library; without a line if there is
--- no such function in the running coroutine.
---@param message string
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
