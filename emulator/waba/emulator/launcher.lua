-- Starts the emulator's process beside the program, and ends it. The process also ends when its standard input is
-- closed. The system closes the standard input when the program ends, even after a crash.

local core = require "waba.core"
local files = require "waba.emulator.files"

local launcher = {}

local quote = files.quote

-- Returns the Lua interpreter that runs this program. Under nginx it returns a default name.
local function find_interpreter()
  local pipe = io.popen("readlink /proc/$PPID/exe 2>/dev/null")
  local executable = pipe and pipe:read("*l")
  if pipe then pipe:close() end
  if executable and executable:find("/lua[^/]*$") then return executable end
  local lowest
  for i in pairs(type(arg) == "table" and arg or {}) do
    if type(i) == "number" and i < 0 and (not lowest or i < lowest) then lowest = i end
  end
  if lowest and arg[lowest]:find("lua") then return arg[lowest] end
  if rawget(_G, "jit") then return "luajit" end
  return "lua" .. _VERSION:match("%d+%.%d+")
end

-- Returns the code that the interpreter runs. The interpreter finds modules in the folders of the program. Another
-- interpreter (option `interpreter`) searches its own folders, because it cannot load the C modules of the program's
-- interpreter.
local BOOT = [[
local own_api = _VERSION:match("%d%.%d")
local own = jit and "luajit" or "lua" .. own_api
local function turned(templates)
  return (templates:gsub(kind:gsub("%.", "%%."), own):gsub("/" .. api:gsub("%.", "%%.") .. "/", "/" .. own_api .. "/"))
end
local function go()
  if own ~= kind then
    path = turned(path) .. ";" .. package.path .. ";" .. path
    cpath = turned(cpath) .. ";" .. turned(package.cpath)
  end
  package.path, package.cpath = path, cpath
  if own ~= kind and not pcall(require, "waba.core") then
    error("option interpreter: waba is not installed for " .. own .. ": expected an interpreter of " .. kind, 0)
  end
  return require("waba.emulator.main").child(options_file, ready_file)
end
local ok, message = xpcall(go, tostring)
if not ok then
  local file = io.open(ready_file, "wb")
  file:write('{"error":', (string.format("%q", message):gsub("\\\n", "\\n")), "}\n")
  file:close()
end]]

local function boot_code(options_file, ready_file)
  local kind = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d%.%d")
  return ("local options_file, ready_file, path, cpath, kind, api = %q, %q, %q, %q, %q, %q\n%s"):format(
    options_file, ready_file, package.path, package.cpath, kind, _VERSION:match("%d%.%d"), BOOT)
end

local function command_line(interpreter, options_file, ready_file)
  local missing = core.encode({ error = "there is no interpreter " .. interpreter .. ": see the option interpreter" })
  return ("command -v %s >/dev/null 2>&1 || { printf '%%s\\n' %s >%s; exit 1; }; "
    .. "WABA_EMULATOR_PID=$$ exec %s -e %s"):format(quote(interpreter), quote(missing), quote(ready_file),
    quote(interpreter), quote(boot_code(options_file, ready_file)))
end

-- Waits until the process has written its line to the file, and returns the decoded line.
local function wait_ready(ready_file, seconds, sleep)
  local deadline = core.clock() + seconds
  repeat
    local text = files.read(ready_file)
    if text and text:sub(-1) == "\n" then return core.decode(text) or { error = text } end
    sleep(0.005)
  until core.clock() > deadline
  return { error = ("the emulator's process was not ready within %g seconds"):format(seconds) }
end

--- Starts a process with the options of waba.emulator.options. The settings are `interpreter`, `start_timeout` and
--- `sleep`. Returns numbers, ca_file, folder, control, token, pid and pipe; or nil and an error message.
function launcher.start(options, settings)
  local options_file, ready_file = os.tmpname(), os.tmpname()
  files.write(options_file, assert(core.encode(options)))
  local interpreter = settings.interpreter or find_interpreter()
  local pipe, message = io.popen(command_line(interpreter, options_file, ready_file), "w")
  local started = pipe and wait_ready(ready_file, settings.start_timeout or 10, settings.sleep) or { error = message }
  os.remove(options_file)
  os.remove(ready_file)
  if started.error then
    if pipe then pipe:close() end
    return nil, started.error
  end
  started.pipe = pipe
  return started
end

--- Ends a process by closing its standard input, and waits until it has ended. If `forced` is true, kills the process,
--- because it did not respond to the command to stop.
function launcher.finish(started, forced)
  if started.pipe then
    if forced and started.pid then
      os.execute(("kill -9 %d 2>/dev/null; rm -rf -- %s"):format(started.pid, quote(started.folder)))
    end
    started.pipe:close()
    started.pipe = nil
  end
end

return launcher
