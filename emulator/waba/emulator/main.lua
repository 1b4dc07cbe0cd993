-- The emulator's process: started by a program through waba.emulator.start, or from a shell:
--
--   lua5.4 -e 'require("waba.emulator.main").shell(arg)' -- --port 8443 --window
--   lua5.4 emulator/waba/emulator/main.lua --port 8443
--
-- It ends with the program that started it, or with Ctrl-C. Arguments are read in shell.lua.

local files = require "waba.emulator.files"
local library = require "waba.library"

local main = {}

-- The customer who sends the text of the option `say`.
local CUSTOMER = "491511234567"

local NEEDED = {
  { "cqueues", "cqueues", "lua-cqueues" },
  { "openssl.x509", "luaossl", "lua-luaossl" },
}

--- Loads the libraries of the server. Returns nil, or a message that names a missing one and how to install it.
---@return string|nil
function main.missing_library()
  for _, needed in ipairs(NEEDED) do
    local found, message = library.find(needed[1])
    if not found then
      return ("the emulator needs %s (rock %q, Debian package %q): %s"):format(needed[1], needed[2], needed[3],
        tostring(message):match("[^\n]*"))
    end
  end
end

local function new_folder()
  local pipe = assert(io.popen("umask 077; mktemp -d \"${TMPDIR:-/tmp}/waba-emulator.XXXXXX\""))
  local folder = pipe:read("*l")
  pipe:close()
  if not folder then return nil, "cannot create a temporary folder in TMPDIR or /tmp" end
  return folder
end

local function remove_folder(folder)
  if folder:find("/waba%-emulator%.%w+$") then
    os.execute("rm -rf -- " .. files.quote(folder))
  end
end

---@class waba.emulator.Process
---@field options table
---@field clock waba.emulator.Clock
---@field cq userdata
---@field ports table<string, waba.emulator.Port>  by hosting
---@field gateways table<string, waba.emulator.GatewayBase>  by name; the first number's are "on_premise" and "cloud"
---@field numbers table[]  what `add_number` returned for each
---@field folder string
---@field ca_file string|nil
---@field control string   URL of the control port
---@field token string
---@field page waba.emulator.Page|nil
local Process = {}
Process.__index = Process
Process.__name = "waba.emulator.Process"

--- Ends the process's loop.
function Process:stop()
  self.stopping = true
  self.stopped:signal()
end

local function serve_control(self, cq)
  local control = require "waba.emulator.control"
  local random = require "waba.emulator.random"
  local server = require "waba.emulator.server"
  self.token = random.letters(40)
  local listener, port = server.listen({ cq = cq, host = "127.0.0.1", port = 0,
    gateway = control.new(self, self.token) })
  if not listener then return nil, port end
  self.control = ("http://127.0.0.1:%d"):format(port)
  return true
end

--- Serves the page, unless it is served already.
---@return string|nil url  with the token
---@return string? message
function Process:serve_page()
  if self.page then return self.page.url end
  local page = require("waba.emulator.page").new(self)
  local listener, port = require("waba.emulator.server").listen({ cq = self.cq, host = "127.0.0.1",
    port = self.options.ui_port, gateway = page })
  if not listener then return nil, "the page: " .. port end
  page.url = ("http://127.0.0.1:%d/?token=%s"):format(port, self.token)
  self.page = page
  return page.url
end

-- Makes the certificate for both gateways, and the file of its authority.
local function make_certificate(self)
  local certificate = require "waba.emulator.certificate"
  local kept = self.options.authority
  local authority, message
  if kept then
    authority, message = certificate.kept_authority(kept)
  else
    authority, message = certificate.authority()
  end
  if not authority then return nil, message end
  self.ca_file = kept and kept .. "/" .. certificate.KEPT or self.folder .. "/ca.pem"
  if not kept then files.write(self.ca_file, authority.certificate) end
  return certificate.issue(authority, { hosts = { "localhost", "127.0.0.1", "::1", self.options.host } })
end

-- The host of a gateway's URL. For an address of all interfaces it is the loopback address.
local EVERY = { ["0.0.0.0"] = "127.0.0.1", ["::"] = "::1" }

local function url_host(host)
  host = EVERY[host] or host
  return host:find ":" and "[" .. host .. "]" or host
end

local function serve_port(self, kind, wanted, leaf)
  local ports = require "waba.emulator.port"
  local server = require "waba.emulator.server"
  local options = self.options
  self.ports[kind] = ports.new()
  local listener, port = server.listen({ cq = self.cq, host = options.host, port = wanted, certificate = leaf,
    gateway = self.ports[kind], clock = self.clock })
  if not listener then return port end
  self.ports[kind].url = ("%s://%s:%d"):format(options.tls and "https" or "http", url_host(options.host), port)
end

-- Makes the gateway of one number, with the queue of its webhooks.
local function new_gateway(self, kind, options)
  local webhooks = require "waba.emulator.webhooks"
  local module = require("waba.emulator." .. kind)
  local queue = webhooks.new(options.webhooks, self.clock, self.cq, options.keep, self.chance,
    module.webhook_shape(options))
  local function on_change(gateway, what, entry)
    if self.page then self.page.feed:publish(gateway, what, entry) end
  end
  local gateway = module.new({ options = options, clock = self.clock, folder = self.folder, chance = self.chance,
    record = self.record, log = self.log, kind = kind, webhooks = queue, on_change = on_change })
  queue.on_attempt = function(attempt)
    if self.log then self.log:webhook(kind, attempt) end
    on_change(gateway, "attempt", attempt)
  end
  return gateway
end

local KINDS = { "on_premise", "cloud" }

--- Adds a number to both ports.
---@param options table  complete, with the Cloud gateway's options in `cloud`
---@return table|nil described  by hosting: url, api_key, number … and `name`, the gateway's in the control port
---@return string? message
function Process:add_number(options)
  local random = require "waba.emulator.random"
  local own = { on_premise = options, cloud = options.cloud }
  for _, kind in ipairs(KINDS) do
    own[kind].api_key = own[kind].api_key or random.letters(32)
    local reason = self.ports[kind]:option_error(own[kind])
    if reason then return nil, reason end
  end
  options.cloud.phone_number_id = options.cloud.phone_number_id or random.digits(11)
  local described = {}
  for _, kind in ipairs(KINDS) do
    local port = self.ports[kind]
    local gateway = new_gateway(self, kind, own[kind])
    port:add(gateway)
    described[kind] = gateway:describe()
    described[kind].name = #port.gateways == 1 and kind or ("%s:%d"):format(kind, #port.gateways)
    gateway.name = described[kind].name
    self.gateways[gateway.name] = gateway
  end
  self.numbers[#self.numbers + 1] = described
  return described
end

-- Adds the first number and the numbers of the option `numbers`.
local function add_numbers(self)
  local complete_number = require("waba.emulator.options").complete_number
  local added, message
  self:add_number(self.options)
  for i = 2, #(self.options.numbers or {}) do
    added, message = self:add_number(complete_number(self.options.numbers[i], self.options))
    if not added then return message end
  end
end

local function serve(self)
  local leaf, reason
  if self.options.tls then leaf, reason = make_certificate(self) end
  if not reason and self.options.record then
    self.record, reason = require("waba.emulator.journal").open_record(self.options.record)
  end
  if reason then return nil, reason end
  if self.options.log then
    io.stderr:setvbuf("line")
    self.log = require("waba.emulator.log").new(function(line)
      io.stderr:write(os.date("%H:%M:%S  "), require("waba.printable").line(line), "\n")
    end)
  end
  reason = serve_port(self, "on_premise", self.options.port, leaf)
    or serve_port(self, "cloud", self.options.cloud.port, leaf) or add_numbers(self)
  if reason then return nil, reason end
  local served
  served, reason = serve_control(self, self.cq)
  if served and self.options.ui then served, reason = self:serve_page() end
  return served, reason
end

-- Lets a customer send the text of the option `say` as soon as a webhook address is set.
local function say(self, cq)
  local cqueues = require "cqueues"
  cq:wrap(function()
    while true do
      for _, gateway in pairs(self.gateways) do
        if next(gateway.webhooks.addresses) then
          gateway:customer_sends(CUSTOMER, "text", { body = self.options.say }, {})
          return
        end
      end
      cqueues.sleep(0.05)
    end
  end)
end

-- Stops on SIGTERM and SIGINT.
local function watch_signals(self, cq)
  local signal = require "cqueues.signal"
  signal.ignore(signal.SIGPIPE)
  signal.block(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
  local listener = signal.listen(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
  cq:wrap(function()
    while true do
      local received = listener:wait()
      -- Ctrl-C in a terminal reaches the program too, whose end ends this process.
      if received and not (self.child and received == signal.SIGINT) then self:stop() end
    end
  end)
end

--- Makes the gateways and listens. The gateways of a process share a clock.
---@param given table  options
---@return waba.emulator.Process|nil
---@return any cq  the process's loop, or an error message
function main.assemble(given)
  local reason = main.missing_library()
  if reason then return nil, reason end
  local cqueues = require "cqueues"
  local clock = require "waba.emulator.clock"
  local condition = require "cqueues.condition"
  local emulator_options = require "waba.emulator.options"
  local random = require "waba.emulator.random"

  local cq = cqueues.new()
  local options = emulator_options.complete(given)
  local folder, message = new_folder()
  if not folder then return nil, message end
  local self = setmetatable({ options = options, folder = folder, clock = clock.new(options.start),
    chance = random.seeded(options.seed), stopped = condition.new(), cq = cq, gateways = {}, ports = {},
    numbers = {} }, Process)
  local listening
  listening, message = serve(self)
  if not listening then
    remove_folder(folder)
    return nil, message
  end
  watch_signals(self, cq)
  cq:wrap(self.clock.run, self.clock)
  if options.say then say(self, cq) end
  return self, cq
end

-- Stops when the program that started it has gone: its end of the pipe closes.
local function watch_parent(self, cq)
  local cqueues = require "cqueues"
  cq:wrap(function()
    repeat
      cqueues.poll({ pollfd = 0, events = "r" })
    until not io.stdin:read(1)
    self:stop()
  end)
  -- Another process may have that end open too, so the parent's process id is checked as well.
  local function parent()
    local stat = files.read("/proc/self/stat")
    return stat and stat:match("^.*%) %S (%d+)")
  end
  local first = parent()
  if first then
    cq:wrap(function()
      repeat
        cqueues.sleep(1)
      until parent() ~= first
      self:stop()
    end)
  end
end

-- Ends the program after `waba emulator --` when the process that started it has ended.
local function end_program(self)
  local pid = (files.read(self.folder .. "/" .. files.PROGRAM) or ""):match("^%d+")
  if pid then os.execute("kill " .. pid .. " 2>/dev/null") end
end

--- Serves until it is stopped or interrupted.
---@param self waba.emulator.Process
---@param cq table
function main.run(self, cq)
  local cqueues = require "cqueues"
  cq:wrap(function()
    while not self.stopping do
      cqueues.poll(self.stopped)
    end
  end)
  while not self.stopping do
    local ok, message = cq:step()
    if not ok then io.stderr:write("waba emulator: ", tostring(message), "\n") end
  end
  -- Sends the last responses.
  cq:step(0.02)
  end_program(self)
  remove_folder(self.folder)
end

--- The process beside a program.
---@param options_file string  holds the options as JSON; removed here
---@param ready_file string    gets one line of JSON when it listens, or when it can't
function main.child(options_file, ready_file)
  local core = require "waba.core"
  local text = files.read(options_file)
  os.remove(options_file)
  local given = text and core.decode(text)
  local ok, self, cq = pcall(main.assemble, given)
  if not ok or not self then
    files.write(ready_file, core.encode({ error = tostring(not ok and self or cq) }) .. "\n")
    return
  end
  self.child = true
  watch_parent(self, cq)
  files.write(ready_file, core.encode({
    numbers = self.numbers,
    ca_file = self.ca_file, control = self.control, token = self.token,
    folder = self.folder, pid = tonumber(os.getenv("WABA_EMULATOR_PID")),
  }) .. "\n")
  main.run(self, cq)
  os.remove(ready_file)
  os.exit(0)
end

--- The command `waba emulator`: see waba.emulator.shell.
---@param arguments string[]
---@return integer  exit code
function main.shell(arguments)
  local code = require("waba.emulator.shell").run(arguments)
  return code
end

-- Run as a script: `require` would have given the module's name.
if (...) ~= "waba.emulator.main" and arg and arg[0] and arg[0]:find("emulator/main%.lua$") then
  local root = arg[0]:match("^(.*)waba/emulator/main%.lua$") or ""
  package.path = ("%s?.lua;%s?/init.lua;%s"):format(root, root, package.path)
  os.exit(main.shell(arg))
end

return main
