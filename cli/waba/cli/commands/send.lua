-- waba send: one message of any type.

local core = require "waba.core"
local envelope = require "waba.message.envelope"
local errors = require "waba.errors"
local files = require "waba.cli.files"
local message_types = require "waba.cli.message_types"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local recipient = require "waba.recipient"

local send = {}

local EPILOG = [[
A message of any type, as the platform writes it:
  waba send --json message.json     ("-": standard input)
with its recipient in "to", or in --to.]]

local function add_send_options(command)
  command:option("--reply-to", "Quote this message (Cloud hosting)."):argname "<id>"
  command:option("--data", "Comes back in the statuses (Cloud hosting)."):argname "<text>"
  command:option("--category", "utility or authentication: send without an approved template (Cloud hosting).")
    :choices { "utility", "authentication" }:argname "<category>"
  command:option("--ttl-seconds", "With --category: seconds for which delivery is tried."):argname "<number>"
    :convert(numbers.count)
  command:option("--template-name", "With --category: the name of the template that the platform makes.")
    :argname "<name>"
  command:flag("--marketing", "Send by the route for marketing (Cloud hosting).")
  command:option("--identity-key-hash", "Only when the identity is still this one."):argname "<hash>"
end

---@param parser table
function send.add(parser)
  local command = parser:command("send", "Send a message."):command_target "type":require_command(false):epilog(EPILOG)
  command:option("--json", "Send the message in this file."):args "?":argname "<file>":target "message_file"
  command:option("--to", "Its recipient."):argname "<number>"
  add_send_options(command)
  for _, kind in ipairs(message_types.list) do
    local one = command:command(kind.name, kind.summary)
    one:flag("--json", "Print JSON, for scripts."):target "json_here"
    one:argument("to", "Phone number with country code, or wa_id."):argname "<to>":target "recipient"
    one:flag("--group", "It is the id of a group (Cloud hosting).")
    kind.add(one)
  end
end

--- Puts a command line in order for the parser. In "send --json text …" it would take the type for the file that
--- may follow --json, and the degrees of "send location … -33.9 18.4" for an option; a blank before them helps.
---@param arguments string[]
---@return string[]
function send.in_order(arguments)
  local types, list, kind = message_types.by_name(), {}, nil
  for i, word in ipairs(arguments) do
    kind = kind or types[word] and word
    if word == "--json" and types[arguments[i + 1] or ""] then
      table.insert(list, 1, word)
    else
      list[#list + 1] = kind == "location" and word:find "^%-%.?%d" and " " .. word or word
    end
  end
  return list
end

-- What the command line says goes before what stands in a body.
local function send_options(args, given)
  given = given or {}
  for _, name in ipairs { "reply_to", "data", "marketing", "identity_key_hash", "category", "ttl_seconds" } do
    if args[name] ~= nil then given[name] = args[name] end
  end
  if args.template_name then given.direct_send_config = { template_name = args.template_name } end
  return next(given) ~= nil and given or nil
end

--- The message inside the body of a request, of either hosting. A field that nobody knows stays in it.
---@param body table
---@return waba.Message
---@return waba.EnvelopeParts parts
function send.neutral(body)
  local parts = envelope.part(body)
  for _, name in ipairs(parts.unknown) do parts.message[name] = body[name] end
  return parts.message, parts
end

local function read_body(ctx, path)
  local body, message = core.decode(files.read(ctx, path))
  if type(body) ~= "table" then ctx:wrong("no JSON object: " .. tostring(message or "another value")) end
  return body
end

local function show(sent)
  output.columns { { { text = "sent", colour = "good" }, sent.id or "without an id" } }
end

---@param ctx waba.cli.Context
---@param args table
---@return integer exit_code
function send.run(ctx, args)
  local message, to, given, err
  if args.type then
    if args.message_file and args.message_file[1] then ctx:wrong("--json with a file and a type exclude each other") end
    if args.message_file then ctx.json = true end
    local known, problem = recipient.read(args.group and { group_id = args.recipient } or args.recipient)
    if not known then return ctx:fail(problem) end -- before a file is uploaded for nobody
    message, err = message_types.by_name()[args.type].build(ctx, args)
    if not message then return ctx:fail(err) end
    to = args.group and { group_id = args.recipient } or args.recipient
  else
    local path = args.message_file and args.message_file[1]
    if not path then ctx:wrong("a type is needed (waba send --help), or --json with a file") end
    ctx.json = true
    local parts
    message, parts = send.neutral(read_body(ctx, path))
    local fault = parts.errors[1]
    if fault then return ctx:fail(errors.invalid(fault.path, fault.path .. " " .. fault.why)) end
    to, given = args.to or parts.to, parts.options
    if to == nil then ctx:wrong('no recipient: give --to, or "to" in the message') end
  end
  local sent
  sent, err = ctx:client():send(to, message, send_options(args, given))
  return ctx:show(sent, err, show)
end

return send
