-- waba webhook: shows and sets the URL to which the gateway sends webhooks.

local core = require "waba.core"
local output = require "waba.cli.output"

---@type waba.cli.Command
local webhook = {}

function webhook.add(parser)
  local command = parser:command("webhook", "Show and set the webhook URL."):command_target "action"
  command:command("get", "Show the webhook URL.")
  local set = command:command("set", "Set the webhook URL.")
    :epilog "The password of --user is read from WABA_WEBHOOK_PASSWORD."
  set:argument("url", "The address; it begins with https://.")
  set:option("--user", "Add an Authorization header (Basic) with this user."):argname "<user>"
  set:option("--header", "Add a header: name=value, or name=@file to read the value from a file; once for each.")
    :argname "<header>":count "*"
end

local function show(address)
  output.fields { { "url", address.url or "none" } }
  local names = {}
  for name in pairs(address.headers or {}) do names[#names + 1] = name end
  table.sort(names)
  -- the values are often secrets, so only the names are printed
  if #names > 0 then output.fields { { "headers", table.concat(names, ", ") } } end
end

local function without_values(address)
  local headers = {}
  for name in pairs(address.headers or {}) do headers[#headers + 1] = name end
  table.sort(headers)
  return { url = address.url or core.null, headers = #headers > 0 and headers or nil }
end

local actions = {}
webhook.actions = actions

function actions.get(ctx)
  local address, err = ctx:client().webhook:get()
  return ctx:show(address and (ctx.json and without_values(address) or address), err, show)
end

local function read_value(ctx, value)
  local path = value:match "^@(.+)$"
  if not path then return value end
  return (require("waba.cli.files").read(ctx, path):gsub("\r?\n$", ""))
end

function actions.set(ctx, args)
  local headers = {}
  for _, text in ipairs(args.header) do
    local name, value = text:match "^([^=]+)=(.*)$"
    if not name then ctx:wrong "--header must be name=value or name=@file: expected a =" end
    headers[name] = read_value(ctx, value)
  end
  local set, err = ctx:client().webhook:set {
    url = args.url, user = args.user, headers = next(headers) and headers or nil,
    password = args.user and ctx:environment("WABA_WEBHOOK_PASSWORD", "--user") or nil,
  }
  return ctx:show(set and { url = args.url }, err, function()
    output.line(output.printable("webhooks go to " .. args.url))
  end)
end

return webhook
