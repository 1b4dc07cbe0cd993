-- waba emulator: runs the emulator of the gateway on this machine.

local function add(parser)
  local command = parser:command("emulator", "Run an emulator of the gateway on this machine.")
    :handle_options(false):add_help(false)
  command:argument("arguments", "The options of the emulator; waba emulator --help lists them."):args "*"
end

local function run(ctx, args)
  if ctx.json then table.insert(args.arguments, 1, "--json") end
  if ctx.args.hosting then table.insert(args.arguments, 1, "--hosting=" .. ctx.args.hosting) end
  return require("waba.library").package("waba.emulator.main", "waba-emulator", 0).shell(args.arguments)
end

return { add = add, run = run }
