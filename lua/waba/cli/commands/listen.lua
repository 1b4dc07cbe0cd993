-- waba listen: takes webhooks on this machine and prints their events.

local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local waba = require "waba"

local listen = {}

---@param parser table
function listen.add(parser)
  local command = parser:command("listen", "Take webhooks and print their events.")
    :epilog [[The password of --user is read from WABA_WEBHOOK_PASSWORD, the secret of
--signed from WABA_WEBHOOK_SECRET. Ctrl-C ends it.]]
  command:option("--port", "Port to listen on."):argname "<port>":default "8080":convert(numbers.port)
  command:option("--host", "Address to listen on."):argname "<address>":default "127.0.0.1"
  command:option("--path", "Answer this path only."):argname "<path>"
  command:option("--user", "Ask for this user and its password."):argname "<user>"
  command:flag("--signed", "Ask for the signature of Cloud hosting.")
  command:flag("--open", "Take webhooks from anybody, on any address.")
  command:flag("--raw", "Print what the platform wrote, as JSON lines.")
end

local function time_of(event)
  return event.timestamp and os.date("%Y-%m-%d %H:%M:%S", event.timestamp) or ("-"):rep(19)
end

-- What a person would read of each kind of event.
local says = {}

-- The content of what has no text.
local contents = {}

function contents.location(location)
  return ("%s, %s%s"):format(tostring(location.latitude), tostring(location.longitude),
    location.name and " (" .. tostring(location.name) .. ")" or "")
end

function contents.contacts(cards)
  local names = {}
  for i, card in ipairs(cards) do
    names[i] = tostring(type(card.name) == "table" and card.name.formatted_name or "?")
  end
  return table.concat(names, ", ")
end

function contents.reaction(reaction)
  local emoji = reaction.emoji
  return ("%s on %s"):format(emoji and emoji ~= "" and emoji or "none any more", tostring(reaction.message_id))
end

function contents.order(order)
  local items = {}
  for i, item in ipairs(order.product_items or {}) do
    items[i] = ("%s x %s"):format(tostring(item.quantity), tostring(item.product_retailer_id))
  end
  return table.concat(items, ", ")
end

function contents.media(media)
  return ("[%s %s]"):format(media.mime_type or "?", media.id or "")
end

local function content_of(event)
  local said = {}
  for _, name in ipairs { "location", "contacts", "reaction", "order", "media" } do
    if type(event[name]) == "table" then said[#said + 1] = contents[name](event[name]) end
  end
  said[#said + 1] = event.text
  return table.concat(said, " ")
end

function says.message(event)
  local name = event.contact and event.contact.name
  local who = ("%s%s"):format(event.from or "unknown sender", name and " (" .. name .. ")" or "")
  local fault = event.errors and event.errors[1]
  return who, ("%s %s%s"):format(event.type or "?", content_of(event), fault and tostring(fault) or "")
end

function says.status(event)
  local fault = event.errors and event.errors[1]
  local about = event.type and event.type .. " " or "" -- of a payment, not of the message
  return event.recipient or "", ("%s%s%s"):format(about, event.status or "?", fault and ": " .. tostring(fault) or "")
end

says["error"] = function(event)
  return "", tostring(event.error)
end

function says.account(event)
  return "", tostring(event.field)
end

local COLOURS = { message = "strong", status = "dim", ["error"] = "bad", account = "good" }

local function show(event)
  local who, what = says[event.kind](event)
  output.columns { { time_of(event), { text = event.kind, colour = COLOURS[event.kind] }, who, what, event.id or "" } }
  output.flush()
end

local function printer(ctx, args)
  if args.raw then return function(event) output.json(event.raw) end end
  if ctx.json then return output.json end
  return show
end

local function secret_of(ctx, name, flag)
  local value = os.getenv(name)
  if not value or value == "" then ctx:wrong(("%s needs %s"):format(flag, name)) end
  return value
end

-- Without credentials only this machine may come in, unless that is wanted.
local function is_open(ctx, args)
  if args.user or args.signed then return nil end
  local is_loopback = args.host == "::1" or args.host == "localhost" or args.host:find "^127%." ~= nil
  if not is_loopback and not args.open then ctx:wrong "--user or --signed is needed, or --open" end
  return true
end

---@param ctx waba.cli.Context
---@param args table
---@return integer exit_code
function listen.run(ctx, args)
  local print_event, server, broken = printer(ctx, args), nil, nil
  local receiver = waba.receiver {
    user = args.user, password = args.user and secret_of(ctx, "WABA_WEBHOOK_PASSWORD", "--user") or nil,
    secret = args.signed and secret_of(ctx, "WABA_WEBHOOK_SECRET", "--signed") or nil,
    open = is_open(ctx, args), on = { any = function(event)
      local fine, fault = pcall(print_event, event)
      if fine then return end
      broken = fault
      server:close()
    end },
  }
  local message
  server, message = waba.webhook.server {
    receiver = receiver, host = args.host, port = args.port, path = args.path, concurrency = 1,
  }
  if not server then return ctx:fail(message) end
  io.stderr:write("listening at ", server:url(), "\n")
  local ok
  ok, message = server:run()
  if broken then return ctx:fail(broken) end
  if not ok then return ctx:fail(message) end
  return 0
end

return listen
