-- waba replay: posts recorded webhooks again.

local core = require "waba.core"
local files = require "waba.cli.files"
local output = require "waba.cli.output"
local target = require "waba.cli.webhook_target"

local function add(parser)
  local command = parser:command("replay", "Post recorded webhooks again.")
    :epilog "Exit code 1 when the program does not respond to each one with 200."
  command:argument("file", 'A file of waba listen --record; "-": standard input.')
  target.add_options(command)
  command:flag("--fast", "Leave out the pauses between the webhooks.")
end

local function reader(ctx, path)
  local next_line, number = files.lines(ctx, path), 0
  return function()
    local line
    repeat
      line = next_line()
      number = number + 1
    until not line or line:find "%S"
    if not line then return nil end
    local read, message = core.decode(line)
    if type(read) ~= "table" or type(read.body) ~= "string" then
      ctx:wrong(("%s: line %d is not a webhook of waba listen --record: %s"):format(path, number,
        message or "expected an object with body"))
    end
    return read
  end
end

local function run(ctx, args)
  local post, before, code, posted = target.new(ctx, args), nil, 0, 0
  for webhook in reader(ctx, args.file) do
    local time = type(webhook.time) == "number" and webhook.time or before
    if before and not args.fast and time > before then require("waba").sleep(time - before) end
    before = time
    local status, message = post(webhook.body)
    posted = posted + 1
    if status ~= 200 then code = 1 end
    if ctx.json then
      output.json { status = status, error = message }
    else
      output.columns { { tostring(posted), target.cell(status, message) } }
      output.flush()
    end
  end
  if posted == 0 then ctx:wrong(args.file .. " has no webhooks: expected a file of waba listen --record") end
  return code
end

return { add = add, run = run }
