-- waba suppressions: shows and changes the list of customers who want no marketing messages. The list is in the inbox
-- of a receiver.

local files = require "waba.cli.files"
local inbox_place = require "waba.cli.inbox_place"
local output = require "waba.cli.output"
local opt_outs = require "waba.webhook.opt_outs"

local function add(parser)
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

local function set(box, to, number) return opt_outs.set(box, to, number, "own") end

local function clear(box, to, number)
  local is_set, err = opt_outs.is_set(box, to, number)
  if is_set then return opt_outs.set(box, to, number, nil) end
  return nil, err or ("not in the list for %s: to see the list, run waba suppressions list"):format(
    number and "the number " .. number or "all numbers")
end

local function apply(ctx, args, box, list, change, verb)
  local count, failed = 0, {}
  for _, to in ipairs(list) do
    local ok, err = change(box, to, args.number)
    if ok then count = count + 1 else failed[#failed + 1] = ("%s: %s"):format(to, tostring(err)) end
  end
  for _, text in ipairs(failed) do io.stderr:write("waba: ", output.one_line(text), "\n") end
  local code = ctx:show({ count = count, failed = #failed }, nil, function()
    output.line(("%d %s %s"):format(count, count == 1 and "customer" or "customers", verb))
  end)
  return #failed > 0 and 1 or code
end

function actions.add(ctx, args, box) return apply(ctx, args, box, args.to, set, "added") end

function actions.remove(ctx, args, box) return apply(ctx, args, box, args.to, clear, "removed") end

actions["import"] = function(ctx, args, box)
  local list = {}
  for line in files.lines(ctx, args.file) do
    local to = line:gsub("^\239\187\191", ""):match "^%s*(.-)%s*$"
    if to ~= "" then list[#list + 1] = to end
  end
  return apply(ctx, args, box, list, set, "added")
end

return { add = add, run = inbox_place.runner(actions) }
