-- The `waba` command: reads the arguments and runs one subcommand.

local context = require "waba.cli.context"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local version = require "waba.version"

local cli = {}

local COMMANDS = {
  "send", "check", "bulk", "listen", "mark_read", "contacts", "block", "media", "templates", "profile", "qr", "webhook",
  "number", "inbox", "outbox", "top", "suppressions", "health", "profiles", "request", "doctor", "explain", "migrate",
  "trigger", "replay", "emulator", "chat", "completion",
}

local EPILOG = [[
The key is read from D360_API_KEY, or from a file that only its owner can read
(mode 600): --key-file, ~/.config/waba/key, or the profile of --profile.
Exit codes: 0 success, 1 error of the gateway or the network, 2 wrong use.]]

--- A subcommand. Each file in commands/ returns a table of the class waba.cli.Command.
---@class waba.cli.Command
---@field add fun(parser: table)  adds the subcommand to the parser
---@field run? fun(ctx: waba.cli.Context, args: table): integer  returns the exit code
---@field actions? table<string, fun(ctx: waba.cli.Context, args: table): integer>  instead of `run`: the functions of
---       the commands below the subcommand, by their names

local function add_shared_options(parser)
  parser:flag("--json", "Print JSON, for scripts.")
  parser:option("--hosting", "on_premise or cloud. Environment: WABA_HOSTING."):argname "<name>"
    :choices { "on_premise", "cloud" }
  parser:option("--key-file", "A file with the API key, mode 600."):argname "<file>"
  parser:option("--profile", "Use the key and the settings of this profile; see waba profiles."):argname "<name>"
    :target "profile_name"
  parser:flag("--sandbox", "Send to 360dialog's sandbox.")
  parser:option("--base-url", "The URL of another gateway, such as the emulator. Environment: WABA_BASE_URL.")
    :argname "<url>"
  parser:option("--ca-file", "A PEM file with the certificate authorities to trust. Environment: WABA_CA_FILE.")
    :argname "<file>"
  parser:option("--timeout", "Timeout of a call with its pauses and retries; default: 30."):argname "<seconds>"
    :convert(numbers.positive)
end

--- Creates the parser of the command line, and a table with the function of each subcommand. The completions and the
--- manual page are generated from the parser.
---@param only? string  the name of a subcommand: only this subcommand is loaded and added to the parser
function cli.parser(only)
  local found, argparse = require("waba.library").find "argparse"
  if not found then
    io.stderr:write("waba: the Lua library argparse is not installed: ",
      'install the rock "argparse" or the Debian package "lua-argparse"\n')
    return nil
  end
  local parser = argparse("waba", "WhatsApp business messaging through 360dialog."):epilog(EPILOG)
    :help_max_width(80):usage_max_width(80):command_target "command":require_command(true)
  parser:flag("-V --version", "Show the version."):action(function()
    print("waba " .. version)
    os.exit(0)
  end)
  add_shared_options(parser)
  local commands = {}
  for _, name in ipairs(only and { only } or COMMANDS) do
    local command = require("waba.cli.commands." .. name)
    command.add(parser)
    commands[name] = command.run or function(ctx, args) return command.actions[args.action](ctx, args) end
  end
  return parser, commands
end

local function refuse(arguments, message, command)
  message = tostring(message)
  local options = {}
  for _, argument in ipairs(arguments) do options[argument] = true end
  local ctx = context.new { json = options["--json"] }
  local code = ctx:fail { wrong_use = true, message = message }
  if ctx.json then return code end
  if message:find "^unknown option" then io.stderr:write "Write -- before a text that begins with a dash.\n" end
  io.stderr:write("Try: ", command, " --help\n")
  return code
end

-- Returns the parsed arguments; or nil, an error message, and the subcommand, such as "waba send text".
local function parse(parser, arguments)
  local error_message, command
  parser.error = function(current, message)
    error_message, command = message, current:get_usage():match "^Usage: (waba[%l%- ]-) [%[<(]"
    error(message, 0)
  end
  local ok, args = pcall(parser.parse, parser, arguments)
  if ok then return args end
  if not error_message then error(args, 0) end
  return nil, error_message, command or "waba"
end

-- Returns the first argument that is the name of a subcommand; nil if --help is before the name.
local function command_in(arguments)
  local known = {}
  for _, name in ipairs(COMMANDS) do known[name] = true end
  for _, word in ipairs(arguments) do
    if known[word] then return word end
    if word == "-h" or word == "--help" then return nil end
  end
end

-- Loads only the subcommand of `command_in`, because loading all is slow. If the parser fails, loads all subcommands,
-- because the argument that `command_in` found may be the value of an option.
local function parse_quickly(arguments)
  local name = command_in(arguments)
  if name == "send" then arguments = require("waba.cli.commands.send").prepare(arguments) end
  local parser, commands = cli.parser(name)
  if not parser then return nil end
  local args, message, command = parse(parser, arguments)
  if not args and name then
    parser, commands = cli.parser()
    args, message, command = parse(parser, require("waba.cli.commands.send").prepare(arguments))
  end
  return parser, commands, args, message, command
end

function cli.main(arguments)
  local kept = output.open_closed()
  local parser, commands, args, message, command = parse_quickly(arguments)
  if not parser then return 1 end
  if not args then
    local code = refuse(arguments, message, command)
    if #arguments == 0 then io.stderr:write("\n", parser:get_help(), "\n") end
    return code
  end
  local ctx = context.new(args)
  local ran, code = xpcall(function()
    local result = commands[args.command](ctx, args)
    output.flush()
    return result
  end, context.message_handler)
  ctx:close()
  if not ran then code = ctx:fail(code) end
  for _, file in ipairs(kept) do file:close() end
  return code or 0
end

return cli
