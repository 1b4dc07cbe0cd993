-- waba suppressions: lists and changes the customers who want no marketing messages. The inbox of a receiver contains
-- the list.

local inbox_place = require "waba.cli.inbox_place"
local output = require "waba.cli.output"
local opt_outs = require "waba.webhook.opt_outs"

---@type waba.cli.Command
local suppressions = {}

function suppressions.add(parser)
  local command = parser:command("suppressions", "Customers who want no marketing messages."):command_target "action"
  inbox_place.add(command)
  command:option("--number", "Only for this business number, not for all."):argname "<number>"
  command:command("list", "List these customers, with the reason and the time.")
  command:command("add", "Add customers."):argument("to", "A phone number or a user id."):args "+"
  command:command("remove", "Remove customers."):argument("to", "A phone number or a user id."):args "+"
  command:command("import", "Add the customers of a file."):argument("file",
    "One phone number or user id on each line; - reads standard input.")
end

local actions = {}

function actions.list(ctx, args, box)
  local rows, err = opt_outs.list(box, args.number)
  if not rows then return ctx:fail(err) end
  return ctx:show(output.list(rows), nil, function()
    if #rows == 0 then return output.line "no customers" end
    local lines = {}
    for index, row in ipairs(rows) do
      lines[index] = { row.to, row.reason, os.date("%Y-%m-%d %H:%M:%S", row.at), row.number or "all numbers" }
    end
    output.columns(lines)
  end)
end

-- Writes every record to the inbox, and reports each record that can't be written.
local function apply(ctx, args, box, list, reason, verb)
  local count, failed = 0, {}
  for _, to in ipairs(list) do
    local ok, err = opt_outs.set(box, to, args.number, reason)
    if ok then count = count + 1 else failed[#failed + 1] = ("%s: %s"):format(to, tostring(err)) end
  end
  for _, text in ipairs(failed) do io.stderr:write("waba: ", output.one_line(text), "\n") end
  local code = ctx:show({ count = count, failed = #failed }, nil, function()
    output.line(("%d %s %s"):format(count, count == 1 and "customer" or "customers", verb))
  end)
  return #failed > 0 and 1 or code
end

function actions.add(ctx, args, box)
  return apply(ctx, args, box, args.to, "own", "added")
end

function actions.remove(ctx, args, box)
  return apply(ctx, args, box, args.to, nil, "removed")
end

actions["import"] = function(ctx, args, box)
  local file, message = io.stdin, nil
  if args.file ~= "-" then file, message = io.open(args.file, "rb") end
  if not file then ctx:wrong("file: " .. message) end
  local list = {}
  for line in file:lines() do
    local to = line:gsub("^\239\187\191", ""):match "^%s*(.-)%s*$"
    if to ~= "" then list[#list + 1] = to end
  end
  if args.file ~= "-" then file:close() end
  return apply(ctx, args, box, list, "own", "added")
end

suppressions.run = inbox_place.runner(actions)

return suppressions
