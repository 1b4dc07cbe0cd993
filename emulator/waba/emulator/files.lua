-- Reads and writes complete files, and quotes their names for the shell.

local files = {}

--- The name of a file in the folder of the emulator's process. The file has the process id of the program that `waba
--- emulator --` has started.
files.PROGRAM = "program"

--- Returns the bytes of a file, or only the first `count` of them; or nil and an error message.
function files.read(path, count)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text = file:read(count or "*a") or ""
  file:close()
  return text
end

-- Returns the result of a function of the library `io`, or raises its error.
local function check(result, message)
  if not result then error(message, 0) end
  return result
end

--- Writes a file. Raises an error if the file can't be written.
function files.write(path, text)
  local file = check(io.open(path, "wb"))
  check(file:write(text))
  check(file:close())
end

--- Quotes an argument for the shell.
function files.quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

return files
