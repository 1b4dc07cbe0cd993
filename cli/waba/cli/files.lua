-- Files and standard input, as the subcommands take them: "-" is standard input.

local files = {}

local function unreadable(ctx, path, message)
  if message:sub(1, #path + 2) == path .. ": " then message = message:sub(#path + 3) end
  ctx:wrong(("can't read %s: %s"):format(path, message))
end

--- The whole of a file, without a byte order mark.
---@param ctx waba.cli.Context
---@param path string  "-" for standard input
---@return string
function files.read(ctx, path)
  local file, message, text = io.stdin, nil, nil
  if path ~= "-" then file, message = io.open(path, "rb") end
  if file then text, message = file:read "*a" end
  if file and path ~= "-" then file:close() end
  if not text then unreadable(ctx, path, message) end
  return (text:gsub("^\239\187\191", ""))
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

--- Whether what is read from a path is gone then.
---@param path string
---@return boolean
function files.is_pipe(path)
  local file = io.open(path, "rb")
  local size = file and file:seek "end"
  if file then file:close() end
  return file ~= nil and size == nil
end

--- Wrong use when a file can't be opened.
---@param ctx waba.cli.Context
---@param path string  "-" for standard input
function files.must_exist(ctx, path)
  if path == "-" then return end
  local file, message = io.open(path, "rb")
  if not file then return unreadable(ctx, path, message) end
  file:close()
end

--- The files of a folder whose names have an ending, sorted. Wrong use when there is no such folder.
---@param ctx waba.cli.Context
---@param folder string
---@param ending string  such as "json"
---@return string[] paths
function files.list(ctx, folder, ending)
  local quoted, paths = "'" .. folder:gsub("'", "'\\''") .. "'", {}
  local pipe = io.popen(("test -d %s/. && echo . && find %s/ -maxdepth 1 -type f -name '*.%s' | sort"):format(quoted,
    quoted, ending))
  local is_folder = pipe and pipe:read "*l"
  for path in is_folder and pipe:lines() or function() end do paths[#paths + 1] = path end
  if pipe then pipe:close() end
  if not is_folder then ctx:wrong(("can't read the folder %s: there is none"):format(folder)) end
  return paths
end

---@param path string
---@return boolean
function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

return files
