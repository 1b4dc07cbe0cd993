-- The context of a subcommand: reads the settings, creates the client, and prints results and errors.

local errors = require "waba.errors"
local files = require "waba.cli.files"
local output = require "waba.cli.output"
local profiles = require "waba.cli.profiles"

---@class waba.cli.Context
---@field args table  the parsed command line
---@field json boolean  true: results are printed as JSON
local Context = {}
Context.__index = Context

local context = {}

function context.new(args)
  return setmetatable({ args = args, json = (args.json or args.json_here) == true }, Context)
end

-- Ends the command with exit code 2, the code for wrong use.
function Context:wrong(message)
  error({ wrong_use = true, message = message }, 0)
end

local function read_key_file(self, path, must_exist)
  local content, message = profiles.read_secret(self, path, "the key file")
  if not content then
    if must_exist then self:wrong("--key-file: can't read " .. message) end
    return nil
  end
  local key = content:match "^%s*(%S+)%s*$"
  if not key then self:wrong(("the key file %s must contain the key only: one word without spaces"):format(path)) end
  return key
end

local function profile_of(self)
  if not self.profile then
    self.profile, self.profile_path = {}, nil
    if self.args.profile_name then self.profile, self.profile_path = profiles.read(self, self.args.profile_name) end
  end
  return self.profile
end

--- Returns the API key: from --key-file, else from the profile, else from D360_API_KEY, else from ~/.config/waba/key.
---@return string key
---@return string source  the file or the environment variable with the key
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

local function setting(self, name, variable)
  if self.args[name] ~= nil then return self.args[name] end
  local value = profile_of(self)[name]
  if value ~= nil or not variable then return value end
  value = os.getenv(variable)
  if value ~= "" then return value end
end

--- Returns the value of an environment variable, or ends the command if the variable is not set.
---@param name string
---@param option string  the option that requires the variable, such as "--user"
function Context:environment(name, option)
  local value = os.getenv(name)
  if not value or value == "" then self:wrong(("%s needs the environment variable %s"):format(option, name)) end
  return value
end

function Context:hosting()
  return setting(self, "hosting", "WABA_HOSTING") or "on_premise"
end

--- Returns the client. The first call of `Context:client` creates the client.
---@param more? table  further options of `waba.client`
function Context:client(more)
  if self.made then return self.made end
  local ca_file = setting(self, "ca_file", "WABA_CA_FILE")
  if ca_file and not files.exists(ca_file) then
    local source = self.args.ca_file and "--ca-file" or profile_of(self).ca_file and self.profile_path .. ": ca_file"
      or "WABA_CA_FILE"
    self:wrong(("%s: can't read the file %s"):format(source, ca_file))
  end
  local options = {
    api_key = self:key(), hosting = self.args.hosting or profile_of(self).hosting, sandbox = setting(self, "sandbox"),
    base_url = setting(self, "base_url"), ca_file = ca_file, timeout = setting(self, "timeout"),
    proxy = profile_of(self).proxy, namespace = profile_of(self).namespace,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  local made, client = pcall(require("waba").client, options)
  if not made then self:wrong((tostring(client):gsub("^.-waba%.client: ", ""))) end
  self.made = client
  return client
end

--- Prints a result, or the error if the result is nil or false. Returns the exit code of the command.
---@param result any
---@param err any
---@param show fun(result: any)  prints the result, unless --json is set
function Context:show(result, err, show)
  if result == nil or result == false then return self:fail(err) end
  if self.json then output.json(result) else show(result) end
  return 0
end

-- An error of kind "invalid" without an HTTP status counts as wrong use, because the library has sent no request.
local function exit_code_of(err)
  if type(err) ~= "table" then return 1 end
  return (err.wrong_use or err.kind == "invalid" and not err.status) and 2 or 1
end

--- Prints the error of a failed command, and returns its exit code.
---@param err any  an error of the library, an error of wrong use, or a text
function Context:fail(err)
  local code = exit_code_of(err)
  if type(err) == "table" and err.is_quiet then return code end
  if self.json and not output.is_broken() then
    local shown = type(err) == "table" and err or { message = tostring(err) }
    output.json { error = { kind = shown.kind or (code == 2 and "usage" or nil), message = shown.message,
      code = shown.code, status = shown.status, path = shown.path, retry_after = shown.retry_after,
      retryable = shown.retryable, maybe_sent = shown.maybe_sent } }
    return code
  end
  local text = type(err) == "table" and not errors.is_error(err) and err.message or tostring(err)
  io.stderr:write(output.paint("bad", "waba: ", 2), output.printable(text), "\n")
  local row = errors.is_error(err) and err.code and require("waba").explain(err.code, self:hosting())
  if row and row.advice then io.stderr:write(output.printable(row.advice), "\n") end
  return code
end

-- Creates an error of wrong use from a text such as "file:88: client.media:delete: the id must be a string"; returns
-- nil for other errors.
local function misuse(text)
  local message = text:match "^[^\n]-:%d+: client[%w_.:]*: (.+)$" or text:match "^[^\n]-:%d+: waba%.[%w_.:]*: (.+)$"
  return message and { wrong_use = true, message = message }
end

-- Removes the position from the text of an error about a missing library; returns nil for other errors.
local function absence(text)
  local has_no_position = text:find "^waba was built without libcurl"
    or text:find "^%S+ is in the rock %S+, which is not installed"
  if has_no_position then return text end
  if not text:find "^[^\n]* needs [^\n]*module '[^\n']*' not found$" then return nil end
  return text:match "^[^\n]-:%d+: (.+)$" or text
end

-- The message handler for `xpcall`. An invalid argument of a library function counts as wrong use. An unexpected error
-- gets a traceback.
function context.message_handler(raised)
  if type(raised) == "table" then return raised end
  local text = tostring(raised)
  if text:find "interrupted!" then return "interrupted" end
  return misuse(text) or absence(text) or debug.traceback(text, 2)
end

function Context:close()
  if self.made then self.made:close() end
end

return context
