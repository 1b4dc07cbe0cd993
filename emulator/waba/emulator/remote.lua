-- The program's side of the emulator's process: starts the process, ends it, and calls its control port. The process
-- also ends when its standard input is closed. The system closes the standard input when the program ends, even after a
-- crash.

local core = require "waba.core"
local curl = require("waba.library").curl()
local errors = require "waba.errors"
local files = require "waba.emulator.files"

local remote = {}

local quote = files.quote

-- Starting and ending the process -----------------------------------------------------------------

-- Returns the Lua interpreter that runs this program. Under nginx, the result is a default name.
local function find_interpreter()
  local pipe = io.popen("readlink /proc/$PPID/exe 2>/dev/null")
  local executable = pipe and pipe:read("*l")
  if pipe then pipe:close() end
  if executable and executable:find("/lua[^/]*$") then return executable end
  local lowest = 0
  while type(arg) == "table" and arg[lowest - 1] do lowest = lowest - 1 end
  if lowest < 0 and arg[lowest]:find("lua") then return arg[lowest] end
  if rawget(_G, "jit") then return "luajit" end
  return "lua" .. _VERSION:match("%d+%.%d+")
end

-- The code that the interpreter runs. The interpreter finds modules in the folders of the program. An interpreter of
-- another version (option `interpreter`) searches its own folders, because it cannot load the program's C modules.
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
  local api = _VERSION:match("%d%.%d")
  return ("local options_file, ready_file, path, cpath, kind, api = %q, %q, %q, %q, %q, %q\n%s"):format(options_file,
    ready_file, package.path, package.cpath, rawget(_G, "jit") and "luajit" or "lua" .. api, api, BOOT)
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
--- `sleep`. Returns a table with numbers, ca_file, folder, control, token, pid and pipe; or nil and an error
--- message.
function remote.start(options, settings)
  local options_file, ready_file = os.tmpname(), os.tmpname()
  files.write(options_file, assert(core.encode(options)))
  local interpreter = settings.interpreter or find_interpreter()
  local pipe, message = io.popen(command_line(interpreter, options_file, ready_file), "w")
  local started = pipe and wait_ready(ready_file, settings.start_timeout or 10, settings.sleep) or { error = message }
  os.remove(options_file)
  os.remove(ready_file)
  if started.error and pipe then pipe:close() end
  if started.error then return nil, started.error end
  started.pipe = pipe
  return started
end

--- Closes the standard input of a process, and waits until the process has ended. If `forced` is true, first kills the
--- process, because the process did not respond to the command to stop.
function remote.finish(started, forced)
  if forced and started.pid then
    os.execute(("kill -9 %d 2>/dev/null; rm -rf -- %s"):format(started.pid, quote(started.folder)))
  end
  started.pipe:close()
end

-- Calling the control port ------------------------------------------------------------------------

-- The seconds after which a call fails, and the largest response in bytes, which must be enough for a journal with many
-- requests.
local TIMEOUT, MAX_RESPONSE = 30, 1024 * 1024 * 1024

--- The control connection to one gateway. The gateways of a process share one HTTP connection. Calls block the program.
---@class waba.emulator.Remote
local Remote = {}
Remote.__index = Remote
Remote.__name = "waba.emulator.Remote"

--- Connects to the control port of a process; the calls are for the On-Premise gateway.
function remote.connect(url, token)
  return setmetatable({ connection = { url = url, token = token, engine = curl.engine() },
    gateway = "on_premise" }, Remote)
end

function Remote:to(gateway) return setmetatable({ connection = self.connection, gateway = gateway }, Remote) end

local function exchange(self, path, content_type, body, seconds)
  local engine = self.connection.engine
  local head = engine:prepare({ method = "POST", url = ("%s/%s%s"):format(self.connection.url, self.gateway, path),
    idempotent = false, headers = { ["Content-Type"] = content_type, ["X-Waba-Emulator"] = self.connection.token } })
  local transfer, reason = engine:start(head, body, { timeout = seconds or TIMEOUT, max_body = MAX_RESPONSE })
  if not transfer then return nil, { message = reason } end
  while true do
    engine:pump()
    while engine:ready() do
      if transfer:wants() == "finished" then return transfer:finish() end
    end
    engine:wait(1)
  end
end

local function unavailable(message) return errors.new({ kind = "unavailable", message = message }) end

local function request(self, ...)
  if not self.connection.engine then return nil, unavailable "the emulator is stopped: expected a running emulator" end
  local response, failure = exchange(self, ...)
  if not response then return nil, unavailable("the call of the emulator failed: " .. tostring(failure.message)) end
  local decoded = core.decode(response.body)
  if type(decoded) ~= "table" then
    return nil, unavailable "the emulator's response cannot be decoded: expected JSON"
  end
  if decoded.error then return nil, unavailable(decoded.error) end
  return decoded.result
end

--- Calls a function in `calls` of control.lua, and waits for the response, by default for 30 seconds. Returns the
--- result; or nil and an error.
function Remote:ask(name, arguments, seconds)
  local body, message, path = core.encode(arguments)
  if not body then return nil, unavailable(("%s: %s"):format(path, message)) end
  return request(self, "/call/" .. name, "application/json", body, seconds)
end

--- Uploads a media file: a string, or `{ file = path }`. Returns the id of the file; or nil and an error.
function Remote:upload(body, mime_type) return request(self, "/media", mime_type, body) end

function Remote:close()
  if self.connection.engine then self.connection.engine:close() end
  self.connection.engine = nil
end

--- Sleeps. In cqueues and nginx only the calling coroutine sleeps; elsewhere the whole program sleeps.
function remote.sleep(seconds)
  local cqueues = package.loaded["cqueues"]
  if type(cqueues) == "table" and cqueues.running and cqueues.running() then
    cqueues.sleep(seconds)
  elseif type(ngx) == "table" and ngx.sleep then
    ngx.sleep(seconds)
  else
    curl.wait({}, seconds)
  end
end

return remote
