-- The options that select an inbox or an outbox, and the functions that open the selected store.

local waba = require "waba"

local inbox_place = {}

function inbox_place.add(command)
  command:option("--sqlite", "The file of the inbox."):argname "<file>"
  command:option("--redis", "The Redis server: redis://[user:password@]host[:port][/database]"):argname "<url>"
  command:option("--prefix", "The prefix of the inbox's keys in Redis; default: {waba}."):argname "<text>"
end

local function read_url(ctx, url)
  local rest = url:match "^redis://(.*)$"
  local credentials, place = (rest or ""):match "^(.*)@(.*)$"
  local host, port, database = (place or rest or ""):match "^([^:/]+):?(%d*)/?(%d*)$"
  -- the error does not contain the URL, because the URL may contain a password
  if not host then ctx:wrong "--redis: the value is not a URL: expected redis://host:port/database" end
  local user, password = (credentials or ""):match "^([^:]*):(.*)$"
  return {
    host = host, port = tonumber(port), database = tonumber(database), password = password,
    user = user ~= "" and user or nil,
  }
end

local function opened(ctx, make, options)
  local made, store = pcall(make, options)
  if not made then ctx:wrong((tostring(store):gsub("^%S+:%d+: ", ""))) end
  return store
end

local function check_file(ctx, option, path)
  local file, message = io.open(path, "rb")
  if not file then ctx:wrong(("%s: %s"):format(option, message)) end
  local first, failure = file:read(1)
  file:close()
  -- checked here, because the library would create a new store in an empty file
  if not first and not failure then
    ctx:wrong(("%s: %s is empty, so it is not a store of waba: expected the file of an inbox or an outbox"):format(
      option, path))
  end
end

-- Opens the inbox that --sqlite, or --redis and --prefix, select.
function inbox_place.open(ctx, args)
  if (args.sqlite == nil) == (args.redis == nil) then ctx:wrong "expected either --sqlite FILE or --redis URL" end
  if args.sqlite then
    check_file(ctx, "--sqlite", args.sqlite)
    return opened(ctx, waba.inbox.sqlite, args.sqlite)
  end
  local options = read_url(ctx, args.redis)
  options.prefix = args.prefix
  return opened(ctx, waba.inbox.redis, options)
end

--- Opens the outbox that --outbox, or --redis and --outbox-prefix, select.
---@param ctx waba.cli.Context
---@param args table
---@param option? string  the option with the path of the file, for the error message; default: "--outbox"
---@return waba.Outbox|nil  nil: the options select no outbox
function inbox_place.open_outbox(ctx, args, option)
  if args.outbox then
    check_file(ctx, option or "--outbox", args.outbox)
    return opened(ctx, waba.outbox.sqlite, { file = args.outbox, hosting = ctx:hosting() })
  end
  if not args.redis then return nil end
  local options = read_url(ctx, args.redis)
  options.prefix, options.hosting = args.outbox_prefix, ctx:hosting()
  return opened(ctx, waba.outbox.redis, options)
end

--- Creates the `run` function of a command with subcommands. The function opens the store, and calls the function in
--- `actions` that has the name of the subcommand.
---@param actions table<string, fun(ctx: waba.cli.Context, args: table, box: table): integer>
---@param open? fun(ctx: waba.cli.Context, args: table): table  opens the store; default: `inbox_place.open`
function inbox_place.runner(actions, open)
  return function(ctx, args)
    local box = (open or inbox_place.open)(ctx, args)
    local code = actions[args.action](ctx, args, box)
    box:close()
    return code
  end
end

return inbox_place
