-- waba webhook: shows and sets the URL to which the gateway posts webhooks.

local core = require "waba.core"
local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("webhook", "Show and set the webhook URL."):command_target "action"
  command:command("get", "Show the webhook URL.")
  local set = command:command("set", "Set the webhook URL.")
    :epilog "The password of --user is read from WABA_WEBHOOK_PASSWORD."
  set:argument("url", "The URL, which begins with https://.")
  set:option("--user", "Add an Authorization header (Basic) with this user."):argname "<user>"
  set:option("--header", "Add a header: name=value, or name=@file to read the value from a file; once for each.")
    :argname "<header>":count "*"
end

-- Returns the names of headers. The values are not printed, because values are often secrets.
local function header_names(address)
  local names = {}
  for name in pairs(address.headers or {}) do names[#names + 1] = name end
  table.sort(names)
  return #names > 0 and names or nil
end

local actions = {}

function actions.get(ctx)
  local address, err = ctx:client().webhook:get()
  local names = address and header_names(address)
  return ctx:show(address and { url = address.url or core.null, headers = names }, err, function()
    output.fields { { "url", address.url or "none" } }
    output.fields { { "headers", names and table.concat(names, ", ") } }
  end)
end

function actions.set(ctx, args)
  local headers = {}
  for _, text in ipairs(args.header) do
    local name, value = text:match "^([^=]+)=(.*)$"
    if not name then ctx:wrong "--header must be name=value or name=@file: expected a =" end
    local path = value:match "^@(.+)$"
    headers[name] = path and require("waba.cli.files").read(ctx, path):gsub("\r?\n$", "") or value
  end
  local set, err = ctx:client().webhook:set {
    url = args.url, user = args.user, headers = next(headers) and headers or nil,
    password = args.user and ctx:environment("WABA_WEBHOOK_PASSWORD", "--user") or nil,
  }
  return ctx:show(set and { url = args.url }, err, function()
    output.line(output.printable("webhooks go to " .. args.url))
  end)
end

return { add = add, actions = actions }
