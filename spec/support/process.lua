-- Starts programs in the background and stops them by their pid; makes folders and finds free ports for them.

local folder = require "spec.support.folder"

local process = {}

local function run(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return (output:gsub("%s+$", ""))
end

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

--- Returns the output of a shell command, without trailing white space.
process.run = run

process.quote = quote

process.folder = folder.new

--- Returns the number of open descriptors of this process.
function process.descriptors() return math.floor(tonumber(run "ls /proc/$PPID/fd | wc -l")) end

function process.free_port()
  local listener = assert(require("socket").bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return math.floor(tonumber(port))
end

function process.sleep(seconds) require("socket").sleep(seconds) end

--- Waits until a condition is true. Raises an error after `seconds`.
---@param condition fun(): any
---@param seconds? number  10 by default
---@param sleep? fun(seconds: number)  the sleep function of an event loop; by default the whole process sleeps
---@return any  the result of the condition
function process.wait_for(condition, what, seconds, sleep)
  local gettime = require("socket").gettime
  local deadline = gettime() + (seconds or 10)
  repeat
    local value = condition()
    if value then return value end
    (sleep or process.sleep)(0.01)
  until gettime() > deadline
  error("waited too long for " .. what, 2)
end

function process.listens(port)
  local client = require("socket").tcp()
  client:settimeout(1)
  local ok = client:connect("127.0.0.1", port)
  client:close()
  return ok ~= nil
end

local Program = {}
Program.__index = Program

-- A shell script that starts a program and prints its pid. A second process stops the program if the spec ends without
-- stopping it.
local START = [[exec 3>&1
{ exec 3>&-; exec %s; } >%s 2>&1 </dev/null &
pid=$!
echo $pid >&3
exec 3>&-
(while kill -0 $PPID && kill -0 $pid; do sleep 1; done; kill $pid) >/dev/null 2>&1 </dev/null &]]

--- Starts a command in the background. The output of the command is written to `log`.
---@param command string  a shell command with one program, without `&`
---@param log string      the path of a file
function process.start(command, log)
  local pid = run(START:format(command, quote(log)))
  return setmetatable({ pid = assert(tonumber(pid), "no pid"), log = log }, Program)
end

function Program:is_alive()
  return run(("kill -0 %d 2>/dev/null && ! grep -qs '^State:.*Z' /proc/%d/status && echo yes"):format(
    self.pid, self.pid)) == "yes"
end

--- Sends a signal, by default SIGTERM, and waits for the end of the process.
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

--- Returns the path of the interpreter that runs the spec, quoted for the shell.
function process.interpreter()
  local lowest = 0
  while arg and arg[lowest - 1] do lowest = lowest - 1 end
  local name = arg and arg[lowest]
  if name and name:find("lua") and not name:find("busted") then return quote(name) end
  return rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
end

return process
