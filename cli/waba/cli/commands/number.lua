-- waba number: prints the phone number that the API key belongs to.

local output = require "waba.cli.output"

---@type waba.cli.Command
local number = {}

function number.add(parser)
  parser:command("number", "Print the phone number of the key.")
end

function number.run(ctx)
  local digits, err = ctx:client():phone_number()
  return ctx:show(digits and { number = digits }, err, function() output.line(output.printable(digits)) end)
end

return number
