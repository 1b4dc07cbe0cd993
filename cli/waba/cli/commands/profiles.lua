-- waba profiles: lists the names that --profile accepts.

local output = require "waba.cli.output"
local profiles = require "waba.cli.profiles"

local function add(parser)
  parser:command("profiles", "List the profiles."):epilog [[
A profile is a file of mode 600 in ~/.config/waba ($XDG_CONFIG_HOME/waba) with
the key and the settings of one number:

  api_key = KEY
  hosting = cloud

Further settings: base_url, ca_file, namespace, proxy, sandbox, timeout.
waba --profile NAME uses the file NAME.]]
end

local function run(ctx)
  local names = profiles.list()
  return ctx:show(output.list(names), nil, function()
    for _, name in ipairs(names) do output.line(output.printable(name)) end
  end)
end

return { add = add, run = run }
