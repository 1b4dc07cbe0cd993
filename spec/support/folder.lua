-- A temporary folder for the files of a test.

local folder = {}

local Folder = {}
Folder.__index = Folder

function folder.new()
  local pipe = assert(io.popen("mktemp -d", "r"))
  local path = pipe:read("*l")
  pipe:close()
  return setmetatable({ path = path }, Folder)
end

--- Returns the path of a file in the folder, and writes the file if `bytes` is not nil.
function Folder:file(name, bytes)
  if bytes then return self:write(name, bytes) end
  return self.path .. "/" .. name
end

function Folder:write(name, bytes)
  local file = assert(io.open(self:file(name), "wb"))
  file:write(bytes)
  file:close()
  return self:file(name)
end

function Folder:read(name)
  local file = io.open(self:file(name), "rb")
  if not file then return nil end
  local bytes = file:read("*a")
  file:close()
  return bytes
end

--- Returns the names of all files in the folder, sorted, in one line.
function Folder:names()
  local pipe = assert(io.popen("ls -A '" .. self.path .. "'", "r"))
  local names = pipe:read("*a"):gsub("\n$", ""):gsub("\n", " ")
  pipe:close()
  return names
end

function Folder:clear()
  os.execute("rm -rf '" .. self.path .. "' && mkdir '" .. self.path .. "'")
end

function Folder:remove() os.execute("rm -rf '" .. self.path .. "'") end

return folder
