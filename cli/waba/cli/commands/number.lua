-- waba number: prints the phone number to which the API key belongs.

local output = require "waba.cli.output"

local function add(parser)
  parser:command("number", "Print the phone number of the key.")
end

local function run(ctx)
  local digits, err = ctx:client():phone_number()
  return ctx:show(digits and { number = digits }, err, function() output.line(output.printable(digits)) end)
end

return { add = add, run = run }
