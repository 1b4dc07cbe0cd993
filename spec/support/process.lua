-- Programs beside a spec: started in the background, known by their pid, ended by it. And what they
-- need: folders and ports of their own.

local folder = require "spec.support.folder"

local process = {}

local function run(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return (output:gsub("%s+$", ""))
end

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- The output of a shell command, without the space at its end.
process.run = run

--- A word for the shell.
process.quote = quote

--- A new folder; see spec/support/folder.lua.
process.folder = folder.new

--- How many descriptors this process has open.
---@return integer
function process.descriptors()
  return math.floor(tonumber(run "ls /proc/$PPID/fd | wc -l"))
end

--- A port that nothing listens on at the moment.
---@return integer
function process.free_port()
  local listener = assert(require("socket").bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return math.floor(tonumber(port))
end

--- Lets time pass.
function process.sleep(seconds)
  require("socket").sleep(seconds)
end

--- Waits until a condition holds; raises when it does not in time.
---@param condition fun(): any
---@param what string
---@param seconds? number  10 by default
---@param sleep? fun(seconds: number)  that of an event loop; by default the whole process sleeps
---@return any  what the condition returned
function process.wait_for(condition, what, seconds, sleep)
  local gettime = require("socket").gettime
  local deadline = gettime() + (seconds or 10)
  repeat
    local value = condition()
    if value then return value end
    (sleep or process.sleep)(0.01)
  until gettime() > deadline
  error("it took too long: " .. what, 2)
end

--- Whether something listens on a port.
function process.listens(port)
  local client = require("socket").tcp()
  client:settimeout(1)
  local ok = client:connect("127.0.0.1", port)
  client:close()
  return ok ~= nil
end

local Program = {}
Program.__index = Program

-- Starts a program and prints its pid. A watcher ends it when the spec has ended without doing so.
local START = [[exec 3>&1
{ exec 3>&-; exec %s; } >%s 2>&1 </dev/null &
pid=$!
echo $pid >&3
exec 3>&-
(while kill -0 $PPID && kill -0 $pid; do sleep 1; done; kill $pid) >/dev/null 2>&1 </dev/null &]]

--- Starts a command in the background. Its output goes into `log`.
---@param command string  for the shell; one program, without `&`
---@param log string      a path
function process.start(command, log)
  local pid = run(START:format(command, quote(log)))
  return setmetatable({ pid = assert(tonumber(pid), "no pid"), log = log }, Program)
end

function Program:is_alive()
  return run(("kill -0 %d 2>/dev/null && ! grep -qs '^State:.*Z' /proc/%d/status && echo yes"):format(
    self.pid, self.pid)) == "yes"
end

--- Sends a signal, SIGTERM by default, and waits for the end.
---@param signal? string
function Program:stop(signal)
  run(("kill -%s %d 2>/dev/null"):format(signal or "TERM", self.pid))
  process.wait_for(function() return not self:is_alive() end, "the end of a program", 15)
end

function Program:output()
  local file = assert(io.open(self.log, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

--- The interpreter that runs the spec, as a word for the shell.
function process.interpreter()
  local lowest = 0
  while arg and arg[lowest - 1] do lowest = lowest - 1 end
  local name = arg and arg[lowest]
  if name and name:find("lua") and not name:find("busted") then return quote(name) end
  return rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
end

return process
