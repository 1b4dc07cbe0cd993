-- waba request: sends an HTTP request to any path of the gateway, for endpoints without a command.

local core = require "waba.core"
local files = require "waba.cli.files"
local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("request", "Call any path of the gateway."):epilog [[
  waba request GET /v1/configs/phone_number
  echo '{ "text": "Glasses" }' | waba request PATCH /v1/settings/profile/about --body -

The response is printed as JSON. Exit code 1 when its status is not 2xx.]]
  command:argument("method", "GET, POST, PUT, PATCH or DELETE.")
  command:argument("path", "The path, which begins with /.")
  command:option("--query", "name=value; can be repeated."):argname "<pair>":count "*"
  command:option("--body", "A file with a JSON body; - is standard input."):argname "<file>"
end

local function query_of(ctx, args)
  local query = {}
  for _, text in ipairs(args.query) do
    local name, value = text:match "^([^=]+)=(.*)$"
    if not name then ctx:wrong("--query must be name=value, not " .. text) end
    query[name] = value
  end
  return next(query) and query or nil
end

local function body_of(ctx, args)
  if not args.body then return nil end
  local text = files.read(ctx, args.body)
  local body, message = core.decode(text)
  if body == nil then ctx:wrong(("--body: %s is not JSON: %s"):format(args.body, tostring(message))) end
  return text
end

local function run(ctx, args)
  local method = args.method:upper()
  if not method:find "^%u+$" then ctx:wrong("the method must consist of letters, such as GET, not " .. args.method) end
  if args.path:sub(1, 1) ~= "/" then ctx:wrong("the path must begin with /, not " .. args.path) end
  local json, err = ctx:client():request {
    method = method, path = args.path, query = query_of(ctx, args), body = body_of(ctx, args),
  }
  if json == nil then return ctx:fail(err) end
  if type(json) == "string" then output.line(output.printable(json)) elseif json ~= true then output.json(json) end
  return 0
end

return { add = add, run = run }
