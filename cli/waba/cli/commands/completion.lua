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

-- The completion of file names in the script that argparse writes for bash. `with_files` replaces this line, with which
-- bash splits file names at blanks, and appends a blank to the name of a folder.
local FILES = 'COMPREPLY=($(compgen -f -- "$cur"))'

local function with_files(text)
  local replacement = ("compopt -o filenames 2>/dev/null; local IFS=$'\\n'; %s"):format(FILES)
  return (text:gsub(FILES:gsub("%p", "%%%0"), (replacement:gsub("%%", "%%%%"))))
end

-- For each shell, the pattern of the completion of --profile in the script of argparse, and the replacement that completes
-- the names of profiles.
local PROFILES = {
  bash = { '(%-%-profile%)\n%s*)[^\n]*', '%1COMPREPLY=($(compgen -W "$(waba profiles 2>/dev/null)" -- "$cur"))' },
  zsh = { '("%-%-profile%[[^\n]-): :_files', "%1: :($(waba profiles 2>/dev/null))" },
  fish = { "(%-l profile) %-r", "%1 -xa '(waba profiles 2>/dev/null)'" },
}

local function text_of(shell)
  local parser = require("waba.cli").parser()
  local text = parser["get_" .. shell .. "_complete"](parser):gsub(PROFILES[shell][1], PROFILES[shell][2])
  return shell == "bash" and with_files(text) or text
end

local function run(ctx, args)
  return ctx:show({ shell = args.shell, script = text_of(args.shell) }, nil, function(result)
    output.write(result.script)
  end)
end

return { add = add, text = text_of, run = run }
