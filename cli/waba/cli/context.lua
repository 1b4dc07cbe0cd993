-- What every subcommand shares: the key, the client, and the way results and faults are shown.

local errors = require "waba.errors"
local files = require "waba.cli.files"
local library = require "waba.library"
local output = require "waba.cli.output"
local profiles = require "waba.cli.profiles"

---@class waba.cli.Context
---@field args table  the parsed command line
---@field json boolean
local Context = {}
Context.__index = Context

local context = {}

---@param args table
---@return waba.cli.Context
function context.new(args)
  return setmetatable({ args = args, json = (args.json or args.json_here) == true }, Context)
end

--- Ends the command as wrong use: exit code 2.
---@param message string
function Context:wrong(message) -- luacheck: no self
  error({ wrong_use = true, message = message }, 0)
end

local function read_key_file(self, path, must_exist)
  local content, message = profiles.read_secret(self, path, "the key file")
  if not content then
    if must_exist then self:wrong("the key file can't be read: " .. message) end
    return nil
  end
  local key = content:match "^%s*(%S+)%s*$"
  if not key then self:wrong(("the key file %s must hold the key and nothing else"):format(path)) end
  return key
end

-- The settings of the profile, read once; empty without one.
local function profile_of(self)
  if not self.profile then
    self.profile, self.profile_path = {}, nil
    if self.args.profile_name then self.profile, self.profile_path = profiles.read(self, self.args.profile_name) end
  end
  return self.profile
end

--- The API key: --key-file, the profile, D360_API_KEY, ~/.config/waba/key.
---@return string key
---@return string source  where it was found
function Context:key()
  if self.args.key_file then return read_key_file(self, self.args.key_file, true), self.args.key_file end
  local profile = profile_of(self)
  if profile.api_key then return profile.api_key, self.profile_path end
  local key = os.getenv "D360_API_KEY"
  if key and key ~= "" then return key, "D360_API_KEY" end
  local path = profiles.folder() .. "/key"
  key = read_key_file(self, path, false)
  if key then return key, path end
  self:wrong("no API key: set D360_API_KEY, or write it to " .. path .. " (mode 600)")
end

-- A setting from the command line, the profile or the environment.
local function setting(self, name, variable)
  if self.args[name] ~= nil then return self.args[name] end
  local value = profile_of(self)[name]
  if value ~= nil or not variable then return value end
  value = os.getenv(variable)
  if value ~= "" then return value end
end

--- The hosting that the command line, the profile or WABA_HOSTING names.
---@return string
function Context:hosting()
  return setting(self, "hosting", "WABA_HOSTING") or "on_premise"
end

--- The client, made when it is first needed.
---@param more? table  further options of `waba.client`
---@return waba.Client
function Context:client(more)
  if self.made then return self.made end
  local ca_file = setting(self, "ca_file", "WABA_CA_FILE")
  if ca_file and not files.exists(ca_file) then self:wrong("can't read the authorities in " .. ca_file) end
  local options = {
    api_key = self:key(), hosting = self:hosting(), sandbox = setting(self, "sandbox"),
    base_url = setting(self, "base_url"), ca_file = ca_file, timeout = setting(self, "timeout"),
    proxy = profile_of(self).proxy, namespace = profile_of(self).namespace,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  local made, client = pcall(require("waba").client, options)
  if not made then self:wrong((tostring(client):gsub("^.-waba%.client: ", ""))) end
  self.made = client
  return client
end

--- Shows a result, or the error beside nil.
---@param result any
---@param err any          the error when the result is nil or false
---@param show fun(result: any)  for people
---@return integer exit_code
function Context:show(result, err, show)
  if result == nil or result == false then return self:fail(err) end
  if self.json then output.json(result) else show(result) end
  return 0
end

-- What the library refused before anything was sent is wrong use as well.
local function exit_code_of(fault)
  if type(fault) ~= "table" then return 1 end
  return (fault.wrong_use or fault.kind == "invalid" and not fault.status) and 2 or 1
end

local function hint(err, hosting)
  local row = err.code and require("waba").explain(err.code, hosting)
  return row and row.advice
end

--- Shows why the command failed.
---@param fault any  an error of the library, wrong use, or a text
---@return integer exit_code
function Context:fail(fault)
  local code = exit_code_of(fault)
  if type(fault) == "table" and fault.is_quiet then return code end
  if self.json and not output.is_broken() then
    local shown = type(fault) == "table" and fault or { message = tostring(fault) }
    output.json { error = { kind = shown.kind or (code == 2 and "usage" or nil), message = shown.message,
      code = shown.code, status = shown.status, path = shown.path, retry_after = shown.retry_after,
      retryable = shown.retryable, maybe_sent = shown.maybe_sent } }
    return code
  end
  local text = type(fault) == "table" and not errors.is_error(fault) and fault.message or tostring(fault)
  io.stderr:write(output.paint("bad", "waba: ", 2), output.printable(text), "\n")
  local more = errors.is_error(fault) and hint(fault, self:hosting())
  if more then io.stderr:write(output.printable(more), "\n") end
  return code
end

-- What the library raises for an argument that it can't take: "file:88: client.media:delete: the id is needed".
local function misuse(text)
  local message = text:match "^[^\n]-:%d+: client[%w_.:]*: (.+)$" or text:match "^[^\n]-:%d+: waba%.[%w_.:]*: (.+)$"
  return message and { wrong_use = true, message = message }
end

--- What turns a raised fault into something to show: an argument that the library refuses is wrong use, Ctrl-C is
--- said plainly, as is a library that is absent; defects keep their traceback.
---@return fun(fault: any): any
function Context:fault_handler() -- luacheck: no self
  return function(fault)
    if type(fault) == "table" then return fault end
    local text = tostring(fault)
    if text:find "interrupted!" then return "interrupted" end
    return misuse(text) or library.absence(text) or debug.traceback(text, 2)
  end
end

--- Frees what was made.
function Context:close()
  if self.made then self.made:close() end
end

return context
