-- waba completion: what a shell needs to complete the command.

local output = require "waba.cli.output"

local completion = {}

---@param parser table
function completion.add(parser)
  local command = parser:command("completion", "Print the completion for a shell.")
    :epilog [[
bash: eval "$(waba completion bash)"
zsh:  waba completion zsh > _waba, in a folder of $fpath
fish: waba completion fish > ~/.config/fish/completions/waba.fish]]
  command:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
end

-- bash splits what compgen says at every blank, and puts a blank behind a folder, unless it is told.
local FILES = 'COMPREPLY=($(compgen -f -- "$cur"))'

local function with_files(text)
  local mended = ("compopt -o filenames 2>/dev/null; local IFS=$'\\n'; %s"):format(FILES)
  return (text:gsub(FILES:gsub("%p", "%%%0"), (mended:gsub("%%", "%%%%"))))
end

-- The profiles complete --profile; argparse offers files for each option without choices.
local PROFILES = {
  bash = { '(%-%-profile%)\n%s*)[^\n]*', '%1COMPREPLY=($(compgen -W "$(waba profiles 2>/dev/null)" -- "$cur"))' },
  zsh = { '("%-%-profile%[[^\n]-): :_files', "%1: :($(waba profiles 2>/dev/null))" },
  fish = { "(%-l profile) %-r", "%1 -xa '(waba profiles 2>/dev/null)'" },
}

--- What a shell reads.
---@param shell "bash"|"zsh"|"fish"
---@return string
function completion.text(shell)
  local parser = require("waba.cli").parser()
  local text = parser["get_" .. shell .. "_complete"](parser)
  text = text:gsub(PROFILES[shell][1], PROFILES[shell][2])
  return shell == "bash" and with_files(text) or text
end

---@param ctx waba.cli.Context
---@param args table
---@return integer exit_code
function completion.run(ctx, args)
  return ctx:show({ shell = args.shell, script = completion.text(args.shell) }, nil, function(it)
    output.write(it.script)
  end)
end

return completion
