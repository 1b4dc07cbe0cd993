-- Files and standard input, as the subcommands take them: "-" is standard input.

local files = {}

local function unreadable(ctx, path, message)
  if message:sub(1, #path + 2) == path .. ": " then message = message:sub(#path + 3) end
  ctx:wrong(("can't read %s: %s"):format(path, message))
end

--- The whole of a file.
---@param ctx waba.cli.Context
---@param path string  "-" for standard input
---@return string
function files.read(ctx, path)
  if path == "-" then return io.read "*a" end
  local file, message = io.open(path, "rb")
  local text
  if file then
    text, message = file:read "*a"
    file:close()
  end
  if not text then unreadable(ctx, path, message) end
  return text
end

--- The lines of a file, one after the other, without their ends.
---@param ctx waba.cli.Context
---@param path string  "-" for standard input
---@return fun(): string|nil
function files.lines(ctx, path)
  if path == "-" then return io.lines() end
  local file, message = io.open(path, "rb")
  if not file then unreadable(ctx, path, message) end
  return function()
    local line, fault = file:read "*l"
    if fault then unreadable(ctx, path, fault) end
    return line
  end
end

---@param path string
---@return boolean
function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

return files
