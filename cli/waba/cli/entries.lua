-- Functions that the commands `waba inbox` and `waba outbox` share.

local output = require "waba.cli.output"

local entries = {}

function entries.show_depth(ctx, box)
  local depth, err = box:depth()
  if not depth then return ctx:fail(err) end
  local oldest, failure = box:oldest()
  if failure then return ctx:fail(failure) end
  local age = oldest and math.max(0, os.time() - oldest) or nil
  return ctx:show({ depth = depth, oldest = age }, nil, function()
    output.fields { { "waiting", tostring(depth) }, { "oldest", age and output.age(age) or "none" } }
  end)
end

-- Refuses an empty --reason, which would match every entry.
function entries.check_reason(ctx, args)
  if args.reason == "" then ctx:wrong "--reason is empty: expected a part of the reason" end
end

function entries.filter(ctx, args)
  entries.check_reason(ctx, args)
  if not args.id and not args.reason and not args.all then
    ctx:wrong "nothing is selected: expected an id, --reason or --all"
  end
  return { id = args.id, reason = args.reason, dead = args.dead }
end

-- Prints how many dead letters were returned to the queue. `noun` is the word for one entry, such as "event".
function entries.report_retry(ctx, args, count, err, noun)
  if count == 0 and args.id then
    local text = "there is no dead letter %s: waba %s list shows the ids"
    return ctx:fail { kind = "not_found", message = text:format(args.id, noun == "event" and "inbox" or "outbox") }
  end
  return entries.report(ctx, count, err, noun, "put back")
end

-- Prints a text such as "3 events removed", or the error.
function entries.report(ctx, count, err, noun, verb)
  return ctx:show(count and { count = count }, err, function()
    output.line(("%d %s%s %s"):format(count, noun, count == 1 and "" or "s", verb))
  end)
end

-- Calls `drop`, which removes entries and returns their count. Without --yes, the user must first enter y.
function entries.remove(ctx, args, noun, question, drop)
  if not args.yes then
    io.stderr:write(question, " [y/N] ")
    if not (io.read "*l" or ""):find "^[yY]" then return ctx:fail "nothing was removed: expected the answer y" end
  end
  local count, err = drop()
  return entries.report(ctx, count, err, noun, "removed")
end

return entries
