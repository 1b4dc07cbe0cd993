-- waba send: sends one message of any type.

local envelope = require "waba.migrate.envelope"
local errors = require "waba.errors"
local files = require "waba.cli.files"
local message_types = require "waba.cli.message_types"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local recipient = require "waba.recipient"

local EPILOG = [[
A message of any type, in the JSON of the platform:
  waba send --json message.json     ("-": standard input)
The recipient is in its field "to", or in --to.]]

local function add_send_options(command)
  command:option("--reply-to", "Quote this message (Cloud hosting)."):argname "<id>"
  command:option("--data", "A text that the statuses return (Cloud hosting)."):argname "<text>"
  command:option("--category", "utility or authentication: send without an approved template (Cloud hosting).")
    :choices { "utility", "authentication" }:argname "<category>"
  command:option("--ttl-seconds", "With --category: seconds for which delivery is tried."):argname "<number>"
    :convert(numbers.count)
  command:option("--template-name", "With --category: the name of the template that the platform creates.")
    :argname "<name>"
  command:flag("--marketing", "Send as a marketing message (Cloud hosting).")
  command:option("--identity-key-hash", "Send only if the customer's identity still has this hash."):argname "<hash>"
end

local function add(parser)
  local command = parser:command("send", "Send a message."):command_target "type":require_command(false):epilog(EPILOG)
  command:option("--json", "Send the message in this file."):args "?":argname "<file>":target "message_file"
  command:option("--to", "The recipient of the message in the file."):argname "<number>"
  add_send_options(command)
  for _, kind in ipairs(message_types.list) do
    local one = command:command(kind.name, kind.summary)
    one:flag("--json", "Print JSON, for scripts."):target "json_here"
    one:argument("to", "Phone number with country code, or wa_id."):argname "<to>":target "recipient"
    one:flag("--group", "The recipient is the id of a group (Cloud hosting).")
    kind.add(one)
  end
end

-- Changes arguments that argparse would misinterpret. In "send --json text …", argparse would use the type as the file
-- of --json, so --json is moved to the front. In "send location … -33.9 18.4", argparse would read -33.9 as an
-- option, so a blank is added before the number.
local function prepare(arguments)
  local types, list, kind = message_types.by_name(), {}, nil
  for i, text in ipairs(arguments) do
    kind = kind or types[text] and text
    if text == "--json" and types[arguments[i + 1] or ""] then
      table.insert(list, 1, text)
    else
      list[#list + 1] = kind == "location" and text:find "^%-%.?%d" and " " .. text or text
    end
  end
  return list
end

-- Adds the options of the command line to `options`, the options of `client:send` from a message file.
local function send_options(args, options)
  options = options or {}
  for _, name in ipairs { "reply_to", "data", "marketing", "identity_key_hash", "category", "ttl_seconds" } do
    if args[name] ~= nil then options[name] = args[name] end
  end
  if args.template_name then options.direct_send_config = { template_name = args.template_name } end
  return next(options) ~= nil and options or nil
end

-- Divides a request body of either hosting. Returns the message with the unknown fields of the body, and all parts of
-- the body.
local function neutral(body)
  local parts = envelope.part(body)
  for _, name in ipairs(parts.unknown) do parts.message[name] = body[name] end
  return parts.message, parts
end

local function show(sent)
  output.columns { { { text = "sent", colour = "good" }, sent.id or "without an id" } }
end

local function run(ctx, args)
  local message, to, options, err
  if args.type then
    if args.message_file and args.message_file[1] then ctx:wrong "a type and --json with a file can't be combined" end
    if args.message_file then ctx.json = true end
    to = args.group and { group_id = args.recipient } or args.recipient
    local address, invalid = recipient.read(to)
    if not address then return ctx:fail(invalid) end -- an invalid recipient is reported before `build` uploads a file
    message, err = message_types.by_name()[args.type].build(ctx, args)
    if not message then return ctx:fail(err) end
  else
    local path = args.message_file and args.message_file[1]
    if not path then ctx:wrong("the message type is missing: expected a type (waba send --help), or --json FILE") end
    ctx.json = true
    local parts
    message, parts = neutral(files.read_object(ctx, path, "--json"))
    local first = parts.errors[1]
    if first then return ctx:fail(errors.invalid(first.path, first.path .. " " .. first.why)) end
    to, options = args.to or parts.to, parts.options
    if to == nil then ctx:wrong('the recipient is missing: expected --to, or the field "to" in the message') end
  end
  local sent, failure = ctx:client():send(to, message, send_options(args, options))
  return ctx:show(sent, failure, show)
end

return { add = add, prepare = prepare, neutral = neutral, run = run }
