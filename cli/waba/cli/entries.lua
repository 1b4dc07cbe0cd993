-- The parts that the commands of inboxes and outboxes share: how many entries wait, the selection of entries, the
-- question before entries are removed, and the report.

local output = require "waba.cli.output"

local entries = {}

--- Shows how many entries wait, and the age of the oldest one.
---@param ctx waba.cli.Context
---@param box table  an inbox or an outbox
---@return integer  the exit code
function entries.show_depth(ctx, box)
  local depth, err = box:depth()
  if not depth then return ctx:fail(err) end
  local oldest
  oldest, err = box:oldest()
  if err then return ctx:fail(err) end
  local age = oldest and math.max(0, os.time() - oldest) or nil
  return ctx:show({ depth = depth, oldest = age }, nil, function()
    output.fields { { "waiting", tostring(depth) }, { "oldest", age and output.age(age) or "none" } }
  end)
end

--- Ends the command as wrong use if --reason is empty. An empty reason matches every entry, and probably comes from an
--- empty variable of a script.
function entries.check_reason(ctx, args)
  if args.reason == "" then ctx:wrong "--reason is empty: expected a part of the reason" end
end

--- Returns the filter that the arguments select. Ends the command as wrong use if there is no id, no reason and no
--- --all.
---@return { id: string?, reason: string?, dead: boolean? }
function entries.filter(ctx, args)
  entries.check_reason(ctx, args)
  if not args.id and not args.reason and not args.all then
    ctx:wrong "nothing is selected: expected an id, --reason or --all"
  end
  return { id = args.id, reason = args.reason, dead = args.dead }
end

--- Shows how many dead letters were returned to the queue, or the error.
---@param ctx waba.cli.Context
---@param args table
---@param count integer|nil
---@param err waba.Error|nil
---@param noun string  one entry: "event"
---@return integer  the exit code
function entries.report_retry(ctx, args, count, err, noun)
  if count == 0 and args.id then
    local text = "there is no dead letter %s: waba %s list shows the ids"
    return ctx:fail { kind = "not_found", message = text:format(args.id, noun == "event" and "inbox" or "outbox") }
  end
  return entries.report(ctx, count, err, noun, "put back")
end

--- Shows a count of entries, or the error.
---@param ctx waba.cli.Context
---@param count integer|nil
---@param err waba.Error|nil
---@param noun string  one entry: "event"
---@param verb string  what was done: "removed"
---@return integer  the exit code
function entries.report(ctx, count, err, noun, verb)
  return ctx:show(count and { count = count }, err, function()
    output.line(("%d %s%s %s"):format(count, noun, count == 1 and "" or "s", verb))
  end)
end

--- Asks the user whether entries are to be removed, unless the option --yes is set. Calls `drop` and reports its count
--- if the answer is yes.
---@param ctx waba.cli.Context
---@param args table
---@param noun string      one entry: "event"
---@param question string
---@param drop fun(): integer|nil, waba.Error|nil
---@return integer  the exit code
function entries.remove(ctx, args, noun, question, drop)
  if not args.yes then
    io.stderr:write(question, " [y/N] ")
    if not (io.read "*l" or ""):find "^[yY]" then return ctx:fail "nothing was removed: expected the answer y" end
  end
  local count, err = drop()
  return entries.report(ctx, count, err, noun, "removed")
end

return entries
