-- waba trigger: posts a webhook with an event to a program that receives webhooks.

local event_kinds = require "waba.cli.event_kinds"
local option = require "waba.option"
local output = require "waba.cli.output"
local target = require "waba.cli.webhook_target"

local function add(parser)
  local command = parser:command("trigger", "Post an event to a program that receives webhooks.")
    :epilog [[
  waba trigger text --to http://127.0.0.1:8080 --text "Is it ready?"

Exit code 1 when the program does not respond with 200.]]
  command:argument("kind", "The kind of event, such as text or delivered."):args "?"
  command:flag("--list", "List the kinds of the hosting.")
  target.add_options(command)
  command:option("--from", "The customer's phone number."):argname "<number>":default "+49 151 5550123"
  command:option("--name", "The customer's name."):argname "<text>":default "Eva"
  command:option("--text", "The text or caption."):argname "<text>"
end

local function list_kinds(ctx, hosting)
  local list = {}
  for _, kind in ipairs(event_kinds.list) do
    if hosting == "cloud" or not kind.cloud then list[#list + 1] = { name = kind.name, about = kind.about } end
  end
  return ctx:show(list, nil, function()
    local rows = {}
    for i, kind in ipairs(list) do rows[i] = { kind.name, kind.about } end
    output.columns(rows)
  end)
end

local function kind_of(ctx, name, hosting)
  if not name then ctx:wrong "a kind of event is missing: waba trigger --list lists all kinds" end
  local known = {}
  for _, kind in ipairs(event_kinds.list) do known[kind.name] = kind end
  local kind = known[name]
  if not kind then
    ctx:wrong(("there is no event kind %s%s: waba trigger --list lists all kinds"):format(name,
      option.suggestion(name, known)))
  end
  if kind.cloud and hosting ~= "cloud" then
    ctx:wrong(("%s exists on Cloud hosting only: add --hosting cloud"):format(name))
  end
  return kind
end

-- The webhook URL of the emulator. No server listens at this URL, because this command itself posts the webhook to the
-- program.
local NOWHERE = { url = "http://127.0.0.1:1/", give_up = 0 }

-- Creates an event in an emulator, and returns the body of the webhook with the event.
local function body_of(kind, hosting, args)
  local waba = require "waba"
  local emulator, err = waba.emulator.start { statuses = false, webhooks = NOWHERE, cloud = { webhooks = NOWHERE } }
  if not emulator then return nil, err end
  local gateway = hosting == "cloud" and emulator.cloud or emulator
  local client = waba.client(emulator:options { hosting = hosting })
  local customer = gateway:customer(args.from, { name = args.name })
  local settings = { text = args.text, name = args.name, from = args.from:gsub("%D", ""), number = gateway.number,
    phone_number_id = gateway.phone_number_id, id = "wamid.trigger" .. os.time() }
  local made
  made, err = kind.make(customer, settings, gateway, client, kind.field or kind.name)
  local attempts
  if made then
    attempts, err = gateway:wait(function(handle)
      local list = handle:webhooks()
      return list and #list > 0 and list
    end)
  end
  client:close()
  emulator:stop()
  if not attempts then return nil, err end
  return attempts[#attempts].body
end

local function run(ctx, args)
  local hosting = ctx:hosting()
  if args.list then return list_kinds(ctx, hosting) end
  local kind = kind_of(ctx, args.kind, hosting)
  local post = target.new(ctx, args)
  local body, err = body_of(kind, hosting, args)
  if not body then return ctx:fail(err) end
  local status, message = post(body)
  if ctx.json then
    output.json { kind = kind.name, status = status, error = message, body = require("waba.core").decode(body) }
  else
    output.columns { { kind.name, target.cell(status, message) } }
  end
  return status == 200 and 0 or 1
end

return { add = add, run = run }
