-- waba emulator: the gateway on your own machine.

local emulator = {}

---@param parser table
function emulator.add(parser)
  local command = parser:command("emulator", "The gateway on your own machine.")
    :handle_options(false):add_help(false)
  command:argument("arguments", "Its options; waba emulator --help lists them."):args "*"
end

---@param _ waba.cli.Context
---@param args table
---@return integer exit_code
function emulator.run(_, args)
  return require("waba.emulator.main").shell(args.arguments)
end

return emulator
