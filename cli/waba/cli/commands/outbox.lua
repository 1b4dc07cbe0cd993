-- waba outbox: counts the waiting messages of an outbox; lists and removes dead letters, or returns them to the queue.

local entries = require "waba.cli.entries"
local inbox_place = require "waba.cli.inbox_place"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"

local function add_filter(command)
  command:argument("id", "The id that the list shows."):args "?"
  command:option("--reason", "Only dead letters whose reason contains this text."):argname "<text>"
  command:flag("--all", "All dead letters.")
  return command
end

local function add(parser)
  local command = parser:command("outbox", "Manage an outbox: messages that could not be processed."):command_target
    "action"
  command:option("--sqlite", "The file of the outbox."):argname "<file>"
  command:option("--redis", "The Redis server: redis://[user:password@]host[:port][/database]"):argname "<url>"
  command:option("--prefix", "The prefix of the outbox's keys in Redis; default: {waba:outbox}."):argname "<text>"
  command:command("depth", "Show how many messages wait, and for how long.")
  local list = command:command("list", "List the dead letters, which no sender could process, oldest first.")
  list:option("--reason", "Only dead letters whose reason contains this text."):argname "<text>"
  list:option("-n --limit", "The largest number of lines."):argname "<count>":convert(numbers.count):default "100"
  add_filter(command:command("retry", "Return dead letters to the queue."))
  add_filter(command:command("drop", "Remove dead letters: their messages are never sent."))
    :flag("--yes", "Do not ask.")
end

local actions = {}

function actions.depth(ctx, _, box) return entries.show_depth(ctx, box) end

local function described(letter)
  local entry = letter.entry or {}
  return {
    id = letter.id, entry = entry.id, to = entry.to, number = entry.number, key = entry.key, attempts = letter.attempts,
    reason = letter.reason, age = math.max(0, os.time() - letter.at),
  }
end

function actions.list(ctx, args, box)
  local letters, err = box:dead_letters({ reason = args.reason }, args.limit)
  if not letters then return ctx:fail(err) end
  for index, letter in ipairs(letters) do letters[index] = described(letter) end
  return ctx:show(output.list(letters), nil, function()
    if #letters == 0 then return output.line "no dead letters" end
    for index, one in ipairs(letters) do
      letters[index] = { one.id, output.age(one.age), one.to or "", one.key or "", one.reason or "" }
    end
    output.columns(letters)
  end)
end

function actions.retry(ctx, args, box)
  local count, err = box:retry_dead(entries.filter(ctx, args))
  return entries.report_retry(ctx, args, count, err, "dead letter")
end

function actions.drop(ctx, args, box)
  local filter = entries.filter(ctx, args)
  local question = "Remove these dead letters? Their messages are never sent."
  return entries.remove(ctx, args, "dead letter", question, function() return box:drop_dead(filter) end)
end

local run = inbox_place.runner(actions, function(ctx, args)
  if (args.sqlite == nil) == (args.redis == nil) then ctx:wrong "expected either --sqlite FILE or --redis URL" end
  local place = { outbox = args.sqlite, redis = args.redis, outbox_prefix = args.prefix }
  return inbox_place.open_outbox(ctx, place, "--sqlite")
end)

return { add = add, run = run }
