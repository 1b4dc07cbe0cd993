-- waba mark_read: marks a customer's message as read.

local output = require "waba.cli.output"

---@type waba.cli.Command
local mark_read = {}

function mark_read.add(parser)
  local command = parser:command("mark_read", "Mark a customer's message as read.")
  command:argument("id", "The id of the message, from its webhook.")
  command:flag("--typing", "Also show the customer that a reply is being written (Cloud).")
end

function mark_read.run(ctx, args)
  local marked, err = ctx:client():mark_read(args.id, args.typing and { typing = true } or nil)
  return ctx:show(marked and { id = args.id, status = "read" }, err, function()
    output.columns { { { text = "read", colour = "good" }, args.id } }
  end)
end

return mark_read
