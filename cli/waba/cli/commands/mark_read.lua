-- waba mark_read: marks a customer's message as read.

local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("mark_read", "Mark a customer's message as read.")
  command:argument("id", "The id of the message, from its webhook.")
  command:flag("--typing", "Also show the customer that a reply is being written (Cloud).")
end

local function run(ctx, args)
  local marked, err = ctx:client():mark_read(args.id, args.typing and { typing = true } or nil)
  return ctx:show(marked and { id = args.id, status = "read" }, err, function()
    output.columns { { { text = "read", colour = "good" }, args.id } }
  end)
end

return { add = add, run = run }
