-- Reads the files that subcommands take as arguments. The path "-" stands for standard input.

local core = require "waba.core"

local files = {}

local function unreadable(ctx, path, message)
  if message:sub(1, #path + 2) == path .. ": " then message = message:sub(#path + 3) end
  ctx:wrong(("can't read %s: %s"):format(path, message))
end

function files.read(ctx, path)
  local file, message, text = io.stdin, nil, nil
  if path ~= "-" then file, message = io.open(path, "rb") end
  if file then text, message = file:read "*a" end
  if file and path ~= "-" then file:close() end
  if not text then unreadable(ctx, path, message) end
  return (text:gsub("^\239\187\191", ""))
end

---@param ctx waba.cli.Context
---@param path string
---@param option? string  the option with the path, for the error message: "--json"
function files.read_object(ctx, path, option)
  local value, message = core.decode(files.read(ctx, path))
  if type(value) == "table" then return value end
  ctx:wrong(("%s%s must contain a JSON object: %s"):format(option and option .. ": " or "", path,
    message or "it is JSON of another type"))
end

function files.lines(ctx, path)
  if path == "-" then return io.lines() end
  local file, message = io.open(path, "rb")
  if not file then unreadable(ctx, path, message) end
  return function()
    local line, read_message = file:read "*l"
    if read_message then unreadable(ctx, path, read_message) end
    return line
  end
end

function files.is_pipe(path)
  local file = io.open(path, "rb")
  local size = file and file:seek "end"
  if file then file:close() end
  return file ~= nil and size == nil
end

function files.must_exist(ctx, path)
  if path == "-" then return end
  local file, message = io.open(path, "rb")
  if not file then return unreadable(ctx, path, message) end
  file:close()
end

-- Returns the sorted paths of the files in a folder that have an extension, such as "json". Ends the command with exit
-- code 2 if the folder does not exist.
function files.list(ctx, folder, extension)
  local quoted, paths = "'" .. folder:gsub("'", "'\\''") .. "'", {}
  local pipe = io.popen(("test -d %s/. && echo . && find %s/ -maxdepth 1 -type f -name '*.%s' | sort"):format(quoted,
    quoted, extension))
  local is_folder = pipe and pipe:read "*l"
  for path in is_folder and pipe:lines() or function() end do paths[#paths + 1] = path end
  if pipe then pipe:close() end
  if not is_folder then ctx:wrong(("can't read %s: there is no such folder"):format(folder)) end
  return paths
end

function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

return files
