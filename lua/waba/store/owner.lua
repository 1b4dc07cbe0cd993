-- Creates a name for each process that takes entries. From the name, other processes of the machine determine whether
-- the process has ended. The names require Linux, because this module reads /proc.

local core = require "waba.core"

local owner = {}

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

-- Returns the id of a process and its start time in ticks since boot, joined by a dot; nil if the process has ended.
local function identity(process)
  local text = read("/proc/" .. process .. "/stat")
  if not text then return nil end
  local fields, count = text:match "%) ([^ZX].*)$", 0
  for field in (fields or ""):gmatch "%S+" do
    count = count + 1
    if count == 20 then return text:match "^%d+" .. "." .. field end
  end
end

-- Returns a text that identifies the present boot of the machine and the container of this process (by the identity of
-- process 1); nil without access to /proc.
local function machine()
  local boot, first = read "/proc/sys/kernel/random/boot_id", identity "1"
  return boot and first and boot:match "^%x+" .. "." .. first
end

function owner.name()
  local place, process = machine(), identity "self"
  local unique = ("%.0f"):format(core.random() * 2 ^ 52)
  return place and process and place .. "/" .. process .. "/" .. unique or "unknown/" .. unique
end

--- Returns whether the process with this name has certainly ended.
---@param name string
---@param is_local? boolean  true: all names are from this machine, so a process of an earlier boot has ended
---@return boolean
function owner.has_ended(name, is_local)
  local here, place, process = machine(), name:match "^([^/]+)/([^/]+)/"
  if not here or not place then return false end
  if place == here then return identity(process:match "^%d+") ~= process end
  return is_local and place:match "^%x+" ~= here:match "^%x+" or false
end

return owner
