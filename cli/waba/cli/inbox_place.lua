-- The options that name an inbox, for the commands that work on one.

local waba = require "waba"

local inbox_place = {}

--- Adds the options to a command.
---@param command table
function inbox_place.add(command)
  command:option("--sqlite", "The file of the inbox."):argname "<file>"
  command:option("--redis", "Its Redis server: redis://[user:password@]host[:port][/database]"):argname "<url>"
  command:option("--prefix", "The prefix of its keys in Redis; default: {waba}."):argname "<text>"
end

local function read_url(ctx, url)
  local rest = url:match "^redis://(.*)$"
  local credentials, place = (rest or ""):match "^(.*)@(.*)$"
  local host, port, database = (place or rest or ""):match "^([^:/]+):?(%d*)/?(%d*)$"
  if not host then ctx:wrong("--redis: " .. url .. " is not an address: expected redis://host:port/database") end
  local user, password = (credentials or ""):match "^([^:]*):(.*)$"
  return {
    host = host, port = tonumber(port), database = tonumber(database), password = password,
    user = user ~= "" and user or nil,
  }
end

--- Opens the inbox that the options name; ends the command where it can't.
---@param ctx waba.cli.Context
---@param args table
---@return waba.Inbox
function inbox_place.open(ctx, args)
  if (args.sqlite == nil) == (args.redis == nil) then ctx:wrong "expected one of --sqlite FILE and --redis URL" end
  local made, box
  if args.sqlite then
    local file, message = io.open(args.sqlite, "rb")
    if not file then ctx:wrong("--sqlite: " .. message) end
    file:close()
    made, box = pcall(waba.inbox.sqlite, args.sqlite)
  else
    local options = read_url(ctx, args.redis)
    options.prefix = args.prefix
    made, box = pcall(waba.inbox.redis, options)
  end
  if not made then ctx:wrong((tostring(box):gsub("^%S+:%d+: ", ""))) end
  return box
end

return inbox_place
