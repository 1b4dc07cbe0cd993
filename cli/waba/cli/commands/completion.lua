-- waba completion: prints the completion script of a shell.

local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("completion", "Print the completion script for a shell.")
    :epilog [[
bash: eval "$(waba completion bash)"
zsh:  waba completion zsh > _waba, in a folder of $fpath
fish: waba completion fish > ~/.config/fish/completions/waba.fish]]
  command:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
end

-- FILES is the completion of file names in the bash script of argparse. BEFORE_FILES keeps bash from splitting file
-- names at blanks.
local FILES = 'COMPREPLY=($(compgen -f -- "$cur"))'
local BEFORE_FILES = "compopt -o filenames 2>/dev/null; local IFS=$'\\n'; "

-- For each shell, a pattern and a replacement. The pattern finds the code that completes --profile in the script of
-- argparse. The replacement is code that completes the names of profiles.
local PROFILES = {
  bash = { '(%-%-profile%)\n%s*)[^\n]*', '%1COMPREPLY=($(compgen -W "$(waba profiles 2>/dev/null)" -- "$cur"))' },
  zsh = { '("%-%-profile%[[^\n]-): :_files', "%1: :($(waba profiles 2>/dev/null))" },
  fish = { "(%-l profile) %-r", "%1 -xa '(waba profiles 2>/dev/null)'" },
}

local function text_of(shell)
  local parser = require("waba.cli").parser()
  local text = parser["get_" .. shell .. "_complete"](parser):gsub(PROFILES[shell][1], PROFILES[shell][2])
  return shell == "bash" and text:gsub(FILES:gsub("%p", "%%%0"), BEFORE_FILES .. "%0") or text
end

local function run(ctx, args)
  return ctx:show({ shell = args.shell, script = text_of(args.shell) }, nil, function(result)
    output.write(result.script)
  end)
end

return { add = add, text = text_of, run = run }
