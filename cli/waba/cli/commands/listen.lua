-- waba listen: receives webhooks on this machine and prints their events.

local core = require "waba.core"
local loopback = require "waba.loopback"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local target = require "waba.cli.webhook_target"
local waba = require "waba"

local function add(parser)
  local command = parser:command("listen", "Receive webhooks and print their events.")
    :epilog [[The password of --user is read from WABA_WEBHOOK_PASSWORD, the secret of
--signed from WABA_WEBHOOK_SECRET. Ctrl-C ends the command.]]
  command:option("--port", "Port to listen on."):argname "<port>":default "8080":convert(numbers.port)
  command:option("--host", "Address to listen on."):argname "<address>":default "127.0.0.1"
  command:option("--path", "Accept webhooks at this path only."):argname "<path>"
  command:option("--user", "Require this user and the user's password."):argname "<user>"
  command:flag("--signed", "Require the signature of Cloud hosting.")
  command:flag("--open", "Require no credentials, on any address.")
  command:option("--forward-to", "Forward each webhook to a program."):argname "<url>"
  command:option("--record", "Append each webhook to a file, for waba replay."):argname "<file>"
  command:option("--set", "Set this webhook URL; at the end, set the previous one again."):argname "<url>"
  command:flag("--raw", "Print the objects of the webhooks, as JSON lines.")
end

local function time_of(event)
  local seconds = event.timestamp
  -- 253402300799 is the end of the year 9999
  if not seconds or seconds < 0 or seconds > 253402300799 then return ("-"):rep(19) end
  return os.date("%Y-%m-%d %H:%M:%S", seconds)
end

-- Returns a field of `value` as text, or `default` if the field is neither a string nor a number.
local function field(value, name, default)
  local found = type(value) == "table" and value[name]
  if type(found) == "string" or type(found) == "number" then return tostring(found) end
  return default
end

local function items(value)
  return type(value) == "table" and value or {}
end

-- For each field that can have the content of a message, the function that returns the content as text.
local contents = {}

function contents.location(location)
  local name = field(location, "name")
  return ("%s, %s%s"):format(field(location, "latitude", "?"), field(location, "longitude", "?"),
    name and " (" .. name .. ")" or "")
end

function contents.contacts(cards)
  local names = {}
  for i, card in ipairs(cards) do
    names[i] = field(type(card) == "table" and card.name, "formatted_name", "?")
  end
  return table.concat(names, ", ")
end

function contents.reaction(reaction)
  local emoji = field(reaction, "emoji", "")
  return ("%s on %s"):format(emoji ~= "" and emoji or "removed", field(reaction, "message_id", "?"))
end

function contents.order(order)
  local list = {}
  for i, item in ipairs(items(order.product_items)) do
    list[i] = ("%s x %s"):format(field(item, "quantity", "?"), field(item, "product_retailer_id", "?"))
  end
  return table.concat(list, ", ")
end

function contents.media(media)
  return ("[%s %s]"):format(field(media, "mime_type", "?"), field(media, "id", ""))
end

local function content_of(event)
  local list = {}
  for _, name in ipairs { "location", "contacts", "reaction", "order", "media" } do
    if type(event[name]) == "table" then list[#list + 1] = contents[name](event[name]) end
  end
  list[#list + 1] = field(event, "text")
  return table.concat(list, " ")
end

-- For each kind of event, the function that returns the customer and a description of the event.
local descriptions = {}

local function first_error(event)
  local err = items(event.errors)[1]
  return err and tostring(err)
end

function descriptions.message(event)
  local name = field(event.contact, "name")
  local who = field(event.customer, "key") or field(event, "from", "unknown sender")
  who = who .. (name and " (" .. name .. ")" or "")
  return who, ("%s %s%s"):format(field(event, "type", "?"), content_of(event), first_error(event) or "")
end

function descriptions.status(event)
  local err, about = first_error(event), field(event, "type") -- `type` is "payment" in the status of a payment
  return field(event, "recipient", ""), ("%s%s%s"):format(about and about .. " " or "", field(event, "status", "?"),
    err and ": " .. err or "")
end

descriptions["error"] = function(event) return "", tostring(event.error) end

descriptions.standby = descriptions.message

function descriptions.echo(event)
  return field(event, "to", ""), ("%s %s"):format(field(event, "type", "?"), content_of(event))
end

local function pair_of(first, second)
  return function(event)
    return field(event, "from", ""), ("%s: %s"):format(field(event, first, "?"), field(event, second, "?"))
  end
end

descriptions.handover, descriptions.preference = pair_of("type", "owner"), pair_of("category", "value")

function descriptions.account(event) return "", tostring(event.field) end

local COLOURS = { message = "strong", status = "dim", ["error"] = "bad", account = "good" }

local function show(event)
  local who, what = descriptions[event.kind](event)
  local kind = { text = event.kind, colour = COLOURS[event.kind] }
  if event.kind == "status" and event.status == "failed" then kind = { text = "failed", colour = "bad" } end
  local row = { time_of(event), kind, who, what, field(event, "id", "") }
  if event.number then table.insert(row, 3, event.number) end
  output.columns { row }
  output.flush()
end

local function printer(ctx, args)
  if args.raw then return function(event) output.json(event.raw) end end
  if ctx.json then return output.json end
  return show
end

-- Headers that are not forwarded: those of a connection (RFC 9110, section 7.6.1), and those that the transport writes.
local OWN = {
  connection = true, ["keep-alive"] = true, te = true, trailer = true, ["transfer-encoding"] = true, upgrade = true,
  host = true, ["content-length"] = true, ["content-type"] = true, ["accept-encoding"] = true, expect = true,
}

local function forwarded_headers(headers)
  local kept = {}
  for name, value in pairs(headers) do
    if type(value) == "string" and not OWN[name:lower()] and core.check_header(name, value) then kept[name] = value end
  end
  return kept
end

-- Returns a function that appends a webhook to a file, without its headers, because headers may contain secrets.
local function open_record(ctx, path)
  local file, message = core.append(path)
  if not file then ctx:wrong(("--record: can't write %s: %s"):format(path, tostring(message))) end
  return function(request)
    -- `line` is nil only for a body that is not UTF-8; the receiver has refused such a body
    local line = core.encode { time = os.time(), path = request.path, body = request.body }
    local written, reason = true, nil
    if line then written, reason = file:write(line .. "\n") end
    if not written then error({ message = ("can't write %s: %s"):format(path, tostring(reason)) }, 0) end
  end
end

-- Makes a receiver forward accepted webhooks to the program at --forward-to, and append webhooks to the file --record.
-- If the program does not respond with 200, the receiver responds with 503, so that the gateway sends the webhook
-- again.
local function forward(ctx, receiver, args)
  local record = args.record and open_record(ctx, args.record)
  local post = args.forward_to
    and target.new(ctx, { header = {}, ca_file = args.ca_file }, args.forward_to, "--forward-to")
  local handle = receiver.handle
  function receiver:handle(request, put)
    local status, headers, body, reason = handle(self, request, put)
    if status ~= 200 then return status, headers, body, reason end
    if record then record(request) end
    if not post then return status, headers, body end
    local answered, message = post(request.body, forwarded_headers(request.headers))
    io.stderr:write(("%s: %s\n"):format(args.forward_to, answered or output.one_line(message)))
    if answered == 200 then return status, headers, body end
    return 503, { ["retry-after"] = "1" }, "", ("the program at --forward-to %s did not respond with 200"):format(
      args.forward_to)
  end
end

-- An address that other machines can reach requires credentials or --open.
local function is_open(ctx, args)
  if args.user or args.signed then return nil end
  if not loopback.is_host(args.host) and not args.open then
    ctx:wrong(("--host: %s is not a loopback address: --user, --signed or --open is required"):format(args.host))
  end
  return true
end

local function set_address(ctx, url)
  local webhook = ctx:client().webhook
  local previous, err = webhook:get()
  if not previous then return nil, err end
  local set, failure = webhook:set { url = url }
  if not set then return nil, failure end
  io.stderr:write("webhooks go to ", output.one_line(url), "\n")
  return previous
end

local function restore_address(ctx, previous)
  if not previous.url or previous.url == "" then
    io.stderr:write "there was no webhook URL before: the new one stays\n"
    return
  end
  local set, err = ctx:client().webhook:set { url = previous.url, headers = previous.headers }
  io.stderr:write(set and "webhooks go to " .. output.one_line(previous.url) .. " again\n"
    or output.one_line(("waba: the previous webhook URL %s could not be set again: %s"):format(previous.url,
      tostring(err))) .. "\n")
end

local function run(ctx, args)
  local print_event, server, broken = printer(ctx, args), nil, nil
  local receiver = waba.receiver {
    user = args.user, password = args.user and ctx:environment("WABA_WEBHOOK_PASSWORD", "--user") or nil,
    secret = args.signed and ctx:environment("WABA_WEBHOOK_SECRET", "--signed") or nil,
    open = is_open(ctx, args), on = { any = function(event)
      local ok, raised = pcall(print_event, event)
      if ok then return end
      if not output.is_broken() then
        io.stderr:write("waba: cannot show an event: ", output.one_line(raised), "\n")
        return
      end
      broken = raised
      server:close()
    end },
  }
  if args.forward_to or args.record then forward(ctx, receiver, args) end
  local message
  server, message = waba.webhook.server {
    receiver = receiver, host = args.host, port = args.port, path = args.path, concurrency = 1,
  }
  if not server then return ctx:fail(message) end
  io.stderr:write("listening at ", server:url(), "\n")
  local previous, err
  if args.set then
    previous, err = set_address(ctx, args.set)
    if not previous then return ctx:fail(err) end
  end
  local ok
  ok, message = server:run()
  if previous then restore_address(ctx, previous) end
  if broken then return ctx:fail(broken) end
  if not ok then return ctx:fail(message) end
  return 0
end

return { add = add, run = run }
