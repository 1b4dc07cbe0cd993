-- The parts of commands that put back or remove selected entries of a store: the selection, the question before entries
-- are removed, and the report.

local output = require "waba.cli.output"

local selection = {}

--- Returns the filter that the arguments select. Without an id, a reason or --all, the arguments are wrong.
---@param ctx waba.cli.Context
---@param args table
---@return { id: string?, reason: string?, dead: boolean? }
function selection.filter(ctx, args)
  if not args.id and not args.reason and not args.all then ctx:wrong "expected an id, --reason or --all" end
  return { id = args.id, reason = args.reason, dead = args.dead }
end

--- Shows a count of entries, or the error.
---@param ctx waba.cli.Context
---@param count integer|nil
---@param err waba.Error|nil
---@param noun string  one entry: "event"
---@param verb string  what was done: "removed"
---@return integer  the exit code
function selection.report(ctx, count, err, noun, verb)
  return ctx:show(count and { count = count }, err, function()
    output.line(("%d %s%s %s"):format(count, noun, count == 1 and "" or "s", verb))
  end)
end

--- Asks whether entries are to be removed, unless the option --yes is set. Then calls `drop`, and reports its count.
---@param ctx waba.cli.Context
---@param args table
---@param noun string      one entry: "event"
---@param question string
---@param drop fun(): integer|nil, waba.Error|nil
---@return integer  the exit code
function selection.remove(ctx, args, noun, question, drop)
  if not args.yes then
    io.stderr:write(question, " [y/N] ")
    if not (io.read "*l" or ""):find "^[yY]" then return ctx:fail "nothing was removed" end
  end
  local count, err = drop()
  return selection.report(ctx, count, err, noun, "removed")
end

return selection
