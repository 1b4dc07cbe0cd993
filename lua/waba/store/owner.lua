-- Creates a name for each process, from which other processes of the same machine can determine whether the process has
-- ended. Works on Linux only, because it reads /proc.

local core = require "waba.core"

local owner = {}

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

-- Returns the process id and the time at which the process was started, in ticks since boot. Returns nil if the process
-- has ended, even if its parent process has not yet read its exit status.
local function identity(process)
  local text = read("/proc/" .. process .. "/stat")
  if not text then return nil end
  local fields, count = text:match "%) ([^ZX].*)$", 0
  for field in (fields or ""):gmatch "%S+" do
    count = count + 1
    if count == 20 then return text:match "^%d+" .. "." .. field end
  end
end

-- Returns a name for the present boot and the process namespace. The name contains the identity of process 1, which
-- differs between the containers of one machine. Returns nil if the processes of other users are hidden.
local function machine()
  local boot, first = read "/proc/sys/kernel/random/boot_id", identity "1"
  return boot and first and boot:match "^%x+" .. "." .. first
end

--- Returns a new name for an owner of leases.
---@return string
function owner.name()
  local place, process = machine(), identity "self"
  local unique = ("%.0f"):format(core.random() * 2 ^ 52)
  return place and process and place .. "/" .. process .. "/" .. unique or "unknown/" .. unique
end

--- Returns whether the process of an owner has certainly ended.
---@param name string
---@return boolean
function owner.has_ended(name)
  local place, process = name:match "^([^/]+)/([^/]+)/"
  return place ~= nil and place == machine() and identity(process:match "^%d+") ~= process
end

return owner
