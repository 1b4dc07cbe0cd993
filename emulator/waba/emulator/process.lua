-- The emulator's process: creates its gateways, its control port and its web page, and serves them until it is stopped.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local errno = require "cqueues.errno"
local signal = require "cqueues.signal"
local socket = require "cqueues.socket"

local certificate = require "waba.emulator.certificate"
local clock = require "waba.emulator.clock"
local control = require "waba.emulator.control"
local emulator_options = require "waba.emulator.options"
local files = require "waba.emulator.files"
local journal = require "waba.emulator.journal"
local ports = require "waba.emulator.port"
local printable = require "waba.printable"
local random = require "waba.emulator.random"
local server = require "waba.emulator.server"
local webhooks = require "waba.emulator.webhooks"

local process = {}

-- The customer who sends the text of the option `say`.
local CUSTOMER = "491511234567"

---@class waba.emulator.Process
---@field ports table<string, waba.emulator.Port>  the ports by hosting
---@field gateways table<string, waba.emulator.GatewayBase>  the gateways by name; those of the first business number
---        are called "on_premise" and "cloud"
---@field numbers table[]  the result of `add_number` for each business number
---@field folder string    the folder for the process's files; removed when the process ends
---@field control string   the URL of the control port
---@field child boolean|nil  true: a program has started the process
local Process = {}
Process.__index = Process
Process.__name = "waba.emulator.Process"

-- Business numbers --------------------------------------------------------------------------------

local function new_gateway(self, kind, options)
  local hosting = require("waba.emulator." .. kind)
  local queue = webhooks.new(options, self, hosting.webhook_shape(options))
  local function on_change(gateway, what, entry)
    if self.page then self.page:publish(gateway, what, entry) end
  end
  local gateway = hosting.new({ options = options, clock = self.clock, folder = self.folder, chance = self.chance,
    record = self.record, log = self.log, kind = kind, webhooks = queue, on_change = on_change })
  queue.on_attempt = function(attempt)
    if self.log then self.log:webhook(kind, attempt) end
    on_change(gateway, "attempt", attempt)
  end
  return gateway
end

local KINDS = { "on_premise", "cloud" }

--- Adds a business number to both ports. The options must be complete. Returns a description (name, url,
--- api_key, number …) of the number's gateway for each hosting; or nil and an error message.
function Process:add_number(options)
  local own = { on_premise = options, cloud = options.cloud }
  for _, kind in ipairs(KINDS) do
    own[kind].api_key = own[kind].api_key or random.letters(32)
    local message = self.ports[kind]:option_error(own[kind])
    if message then return nil, message end
  end
  options.cloud.phone_number_id = options.cloud.phone_number_id or random.digits(11)
  local described = {}
  for _, kind in ipairs(KINDS) do
    local port, gateway = self.ports[kind], new_gateway(self, kind, own[kind])
    local place = #port.gateways + 1
    gateway.url, gateway.name = port.url, place == 1 and kind or ("%s:%d"):format(kind, place)
    port.gateways[place], port.by_key[own[kind].api_key] = gateway, gateway
    self.gateways[gateway.name] = gateway
    described[kind] = gateway:describe()
    described[kind].name = gateway.name
  end
  self.numbers[#self.numbers + 1] = described
  return described
end

-- Adds all business numbers. Returns an error message or nil.
local function add_numbers(self)
  self:add_number(self.options)
  for i = 2, #(self.options.numbers or {}) do
    local added, message = self:add_number(emulator_options.complete_number(self.options.numbers[i], self.options))
    if not added then return message end
  end
end

-- Listening ---------------------------------------------------------------------------------------

-- Creates the certificate of the gateways, and the file with the certificate of the authority.
local function make_certificate(self)
  local kept = self.options.authority
  local make = kept and certificate.kept_authority or certificate.authority
  local authority, message = make(kept)
  if not authority then return nil, message end
  self.ca_file = kept and kept .. "/" .. certificate.KEPT or self.folder .. "/ca.pem"
  if not kept then files.write(self.ca_file, authority.certificate) end
  return certificate.issue(authority, { hosts = { "localhost", "127.0.0.1", "::1", self.options.host } })
end

-- Maps the addresses that stand for all interfaces to the loopback addresses for URLs.
local LOOPBACK = { ["0.0.0.0"] = "127.0.0.1", ["::"] = "::1" }

-- Listens, with TLS if there is a certificate. Returns the URL; or nil and an error message.
local function listen(self, host, port, gateway, leaf)
  local listener, listening = server.listen({ cq = self.cq, host = host, port = port, gateway = gateway,
    certificate = leaf, clock = self.clock })
  if not listener then return nil, listening end
  host = LOOPBACK[host] or host
  return ("%s://%s:%d"):format(leaf and "https" or "http", host:find(":", 1, true) and "[" .. host .. "]" or host,
    listening)
end

-- Listens for the gateways of a hosting. Returns an error message or nil.
local function serve_hosting(self, kind, port, leaf)
  local message
  self.ports[kind] = ports.new()
  self.ports[kind].url, message = listen(self, self.options.host, port, self.ports[kind], leaf)
  return message
end

--- Serves the page for a browser, if the process does not serve the page yet. Returns the URL with the token; or nil
--- and an error message.
function Process:serve_page()
  if self.page then return self.page.url end
  local page = require("waba.emulator.page").new(self)
  local url, message = listen(self, "127.0.0.1", self.options.ui_port, page)
  if not url then return nil, "the web page of the emulator: " .. message end
  page.url = ("%s/?token=%s"):format(url, self.token)
  self.page = page
  return page.url
end

-- Starts all servers. Returns an error message or nil.
local function serve(self)
  local options, leaf, message = self.options, nil, nil
  if options.tls then leaf, message = make_certificate(self) end
  if options.record and not message then self.record, message = journal.open_record(options.record) end
  if message then return message end
  if options.log then
    io.stderr:setvbuf("line")
    self.log = journal.new_log(function(line) io.stderr:write(os.date("%H:%M:%S  "), printable.line(line), "\n") end)
  end
  message = serve_hosting(self, "on_premise", options.port, leaf)
    or serve_hosting(self, "cloud", options.cloud.port, leaf) or add_numbers(self)
  if message then return message end
  self.token = random.letters(40)
  self.control, message = listen(self, "127.0.0.1", 0, control.new(self, self.token))
  if self.control and options.ui then message = select(2, self:serve_page()) end
  return message
end

-- Starting and stopping ---------------------------------------------------------------------------

local function new_folder()
  local pipe = assert(io.popen("umask 077; mktemp -d \"${TMPDIR:-/tmp}/waba-emulator.XXXXXX\""))
  local folder = pipe:read("*l")
  pipe:close()
  return folder
end

local function remove_folder(folder)
  if folder:find("/waba%-emulator%.%w+$") then os.execute("rm -rf -- " .. files.quote(folder)) end
end

-- Sends the text of the option `say` from a customer as soon as a webhook URL is set.
local function say(self)
  while true do
    for _, gateway in pairs(self.gateways) do
      if next(gateway.webhooks.addresses) then
        gateway:customer_sends(CUSTOMER, "text", { body = self.options.say }, {})
        return
      end
    end
    cqueues.sleep(0.05)
  end
end

-- Stops the process on SIGTERM, SIGHUP and SIGINT. A process that a program has started ignores SIGINT: after Ctrl-C in
-- a terminal the program gets SIGINT too, and the process ends with the program.
local function watch_signals(self)
  signal.ignore(signal.SIGPIPE)
  signal.block(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
  local listener = signal.listen(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
  self.cq:wrap(function()
    while true do
      local received = listener:wait()
      if received and not (self.child and received == signal.SIGINT) then self:stop() end
    end
  end)
end

--- Creates the gateways, and listens. Returns the process; or nil and an error message.
function process.new(options)
  local folder = new_folder()
  if not folder then return nil, "cannot create a temporary folder in TMPDIR or /tmp" end
  options = emulator_options.complete(options)
  local self = setmetatable({ options = options, folder = folder, clock = clock.new(options.start),
    chance = random.seeded(options.seed), stopped = condition.new(), cq = cqueues.new(), gateways = {}, ports = {},
    numbers = {} }, Process)
  local message = serve(self)
  if message then
    remove_folder(folder)
    return nil, message
  end
  watch_signals(self)
  self.cq:wrap(self.clock.run, self.clock)
  if options.say then self.cq:wrap(say, self) end
  return self
end

function Process:stop()
  self.stopping = true
  self.stopped:signal()
end

--- Stops the process when the program that has started it has ended. The standard input of the process is a pipe, whose
--- other end is closed when the program ends. The process id of the parent is checked too, because another process may
--- have inherited the other end of the pipe.
function Process:watch_parent()
  local function parent()
    local stat = files.read("/proc/self/stat")
    return stat and stat:match("^.*%) %S (%d+)")
  end
  local first, input = parent(), socket.fdopen(0)
  input:setmode("b", "b")
  input:onerror(function(_, _, code) return code end)
  input:settimeout(1)
  self.child = true
  self.cq:wrap(function()
    repeat
      local received, code = input:read(1)
      input:clearerr()
    until not received and code ~= errno.ETIMEDOUT or parent() ~= first
    self:stop()
  end)
end

function Process:run()
  self.cq:wrap(function()
    while not self.stopping do cqueues.poll(self.stopped) end
  end)
  while not self.stopping do
    local ok, message = self.cq:step()
    if not ok then io.stderr:write("waba emulator: ", tostring(message), "\n") end
  end
  self.cq:step(0.02) -- lets the coroutines send the last responses
  -- ends the program that `waba emulator --` has started, if the command itself has ended
  local pid = (files.read(self.folder .. "/" .. files.PROGRAM) or ""):match("^%d+")
  if pid then os.execute("kill " .. pid .. " 2>/dev/null") end
  remove_folder(self.folder)
end

return process
