-- The `waba` command: reads the arguments, runs one subcommand, and turns what came of it into an exit code: 0, 1
-- for what the world did wrong, 2 for wrong use.

local context = require "waba.cli.context"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local version = require "waba.version"

local cli = {}

-- In the order of the help.
local COMMANDS = {
  "send", "check", "bulk", "listen", "mark_read", "contacts", "block", "media", "templates", "profile", "qr", "webhook",
  "number", "health", "profiles", "request", "doctor", "explain", "migrate", "emulator", "completion",
}

local EPILOG = [[
The key is read from D360_API_KEY, or from a file that nobody else may read
(mode 600): --key-file, ~/.config/waba/key, or the profile of --profile.
Exit codes: 0 done, 1 the gateway or the network refused, 2 wrong use.]]

local function load_argparse()
  local found, argparse = require("waba.library").find "argparse"
  if found then return argparse end
  io.stderr:write('waba: the command needs argparse (rock "argparse", Debian package "lua-argparse")\n')
end

local function add_shared_options(parser)
  parser:flag "--json"
    :description "Print JSON, for scripts."
  parser:option "--hosting"
    :argname "<name>"
    :description "on_premise or cloud. Environment: WABA_HOSTING."
    :choices { "on_premise", "cloud" }
  parser:option "--key-file"
    :argname "<file>"
    :description "A file that holds the API key, mode 600."
  parser:option "--profile"
    :argname "<name>"
    :description "Use the key and the settings of this profile; see waba profiles."
    :target "profile_name"
  parser:flag "--sandbox"
    :description "Talk to 360dialog's sandbox."
  parser:option "--base-url"
    :argname "<url>"
    :description "Another gateway, such as the emulator. Environment: WABA_BASE_URL."
  parser:option "--ca-file"
    :argname "<file>"
    :description "Authorities to trust, PEM. Environment: WABA_CA_FILE."
  parser:option "--timeout"
    :argname "<seconds>"
    :description "For a call with its waits and repeats; 30."
    :convert(numbers.positive)
end

--- The parser of the whole command line, and what runs each subcommand. Completion and the manual page are made of it.
---@return table parser
---@return table<string, fun(ctx: waba.cli.Context, args: table): integer> commands
function cli.parser()
  local argparse = load_argparse()
  if not argparse then return nil end
  local parser = argparse("waba", "WhatsApp business messaging through 360dialog."):epilog(EPILOG)
    :help_max_width(80):usage_max_width(80):command_target "command":require_command(true)
  parser:flag "-V --version"
    :description "Show the version."
    :action(function()
      print("waba " .. version)
      os.exit(0)
    end)
  add_shared_options(parser)
  local commands = {}
  for _, name in ipairs(COMMANDS) do
    local command = require("waba.cli.commands." .. name)
    command.add(parser)
    commands[name] = command.run
  end
  return parser, commands
end

-- What the parser refuses, before there is a subcommand to run.
local function refuse(arguments, message, command)
  message = tostring(message)
  local asked = {}
  for _, word in ipairs(arguments) do asked[word] = true end
  local ctx = context.new { json = asked["--json"] }
  local code = ctx:fail { wrong_use = true, message = message }
  if ctx.json then return code end
  if message:find "^unknown option" then io.stderr:write "A text that begins with a dash goes behind --.\n" end
  io.stderr:write("Try: ", command, " --help\n")
  return code
end

-- The arguments read; or nil, what is wrong with them, and the subcommand that says so, such as "waba send text".
local function parse(parser, arguments)
  local refused, command
  parser.error = function(current, message)
    refused, command = message, current:get_usage():match "^Usage: (waba[%l%- ]-) [%[<(]"
    error(message, 0)
  end
  local fine, args = pcall(parser.parse, parser, arguments)
  if fine then return args end
  if not refused then error(args, 0) end
  return nil, refused, command or "waba"
end

--- Runs the command line.
---@param arguments string[]
---@return integer exit_code
function cli.main(arguments)
  local parser, commands = cli.parser()
  if not parser then return 1 end
  local kept = output.open_closed()
  local args, wrong, command = parse(parser, require("waba.cli.commands.send").in_order(arguments))
  if not args then
    local code = refuse(arguments, wrong, command)
    if #arguments == 0 then io.stderr:write("\n", parser:get_help(), "\n") end
    return code
  end
  local ctx = context.new(args)
  local ran, code = xpcall(function()
    local result = commands[args.command](ctx, args)
    output.flush()
    return result
  end, ctx:fault_handler())
  ctx:close()
  if not ran then code = ctx:fail(code) end
  for _, file in ipairs(kept) do file:close() end
  return code or 0
end

return cli
