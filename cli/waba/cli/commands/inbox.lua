-- waba inbox: lists and removes waiting events and dead letters of an inbox, or returns dead letters to the queue.

local entries = require "waba.cli.entries"
local inbox_place = require "waba.cli.inbox_place"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

-- Converts a duration such as 90s, 15m, 12h or 7d to seconds.
local function duration(text)
  local number, unit = text:match "^(%d+)([smhd])$"
  if number then return tonumber(number) * UNITS[unit] end
  return nil, ("expected a number and s, m, h or d, such as 7d, not %s"):format(text)
end

local function add_filter(command)
  command:option("--reason", "Only events whose last failure contains this text."):argname "<text>"
  return command
end

local function add_removal(command)
  command:flag("--dead", "Dead letters, which are events that failed too often; without it, waiting events.")
  command:flag("--yes", "Do not ask.")
  return add_filter(command)
end

local function add(parser)
  local command = parser:command("inbox", "Manage the inbox of a receiver."):command_target "action"
  inbox_place.add(command)
  command:command("depth", "Show how many events wait, and for how long.")
  local list = add_filter(command:command("list", "List the events that wait or are taken."))
  list:flag("--dead", "List dead letters, which are events that failed too often, with the reason.")
  list:option("-n --limit", "The largest number of lines."):argname "<count>":convert(numbers.count):default "100"
  list:flag("--text", "Show what customers wrote.")
  local show = command:command("show", "Show one event.")
  show:argument("id", "The id that the list shows.")
  show:flag("--text", "Show the whole event, with what the customer wrote.")
  local retry = add_filter(command:command("retry", "Return dead letters to the queue."))
  retry:argument("id", "The id that the list shows."):args "?"
  retry:flag("--all", "All dead letters.")
  local drop = add_removal(command:command("drop", "Remove events."))
  drop:argument("id", "The id that the list shows."):args "?"
  drop:flag("--all", "All events.")
  local purge = add_removal(command:command("purge", "Remove old events."))
  purge:option("--older-than", "The minimum age of the events, such as 12h or 7d."):argname "<age>"
    :convert(duration):count(1)
end

-- Returns the printed fields of a row of the inbox. The fields contain texts of customers only if `with_text` is set.
local function described(row, with_text)
  local event = row.event or {} -- `row.event` is nil if the stored event can't be read
  return {
    id = row.id, state = row.state, at = row.at, age = math.max(0, os.time() - row.at), conversation = row.conversation,
    attempts = row.attempts, reason = row.reason, kind = event.kind, type = event.type or event.status or event.field,
    message_id = event.id, number = event.number, text = with_text and event.text or nil,
    event = with_text == "whole" and row.event or nil,
  }
end

local function columns_of(row)
  return {
    row.id, { text = row.state, colour = row.state == "dead" and "bad" or "dim" }, output.age(row.age),
    row.conversation or "", (row.kind or "") .. " " .. tostring(row.type or ""), row.reason or "", row.text or "",
  }
end

local SHOWN = { "id", "state", "conversation", "kind", "type", "message_id", "number", "attempts", "reason" }

local actions = {}

function actions.depth(ctx, _, box) return entries.show_depth(ctx, box) end

function actions.list(ctx, args, box)
  local rows, err = box:list({ dead = args.dead, reason = args.reason }, args.limit)
  if not rows then return ctx:fail(err) end
  for index, row in ipairs(rows) do rows[index] = described(row, args.text) end
  return ctx:show(output.list(rows), nil, function()
    if #rows == 0 then return output.line "no events" end
    for index, row in ipairs(rows) do rows[index] = columns_of(row) end
    output.columns(rows)
  end)
end

local function find(box, id)
  for _, dead in ipairs { true, false } do
    local rows, err = box:list({ id = id, dead = dead }, 1)
    if not rows then return nil, err end
    if rows[1] then return rows[1] end
  end
  return nil, { kind = "not_found", message = ("there is no event %s: waba inbox list shows the ids"):format(id) }
end

function actions.show(ctx, args, box)
  local row, err = find(box, args.id)
  if not row then return ctx:fail(err) end
  row = described(row, args.text and "whole")
  return ctx:show(row, nil, function()
    local fields = {}
    for _, name in ipairs(SHOWN) do
      if row[name] then fields[#fields + 1] = { name, tostring(row[name]) } end
    end
    fields[#fields + 1] = { "age", output.age(row.age) }
    output.fields(fields)
    if row.event then output.json(row.event) end
  end)
end

function actions.retry(ctx, args, box)
  local count, err = box:retry_dead(entries.filter(ctx, args))
  return entries.report_retry(ctx, args, count, err, "event")
end

local function remove(ctx, args, box, filter)
  return entries.remove(ctx, args, "event", "Remove these events? They are lost.", function()
    return box:drop(filter)
  end)
end

function actions.drop(ctx, args, box)
  local filter = entries.filter(ctx, args)
  if args.id then
    local row, err = find(box, args.id)
    if not row then return ctx:fail(err) end
    if row.state == "taken" then return ctx:fail(("the event %s is taken: a worker handles it"):format(args.id)) end
    filter.dead = row.state == "dead"
  end
  return remove(ctx, args, box, filter)
end

function actions.purge(ctx, args, box)
  entries.check_reason(ctx, args)
  return remove(ctx, args, box, { dead = args.dead, reason = args.reason, before = os.time() - args.older_than })
end

return { add = add, run = inbox_place.runner(actions) }
