-- waba completion: prints the completion script of a shell.

local output = require "waba.cli.output"

---@type waba.cli.Command
local completion = {}

function completion.add(parser)
  local command = parser:command("completion", "Print the completion script for a shell.")
    :epilog [[
bash: eval "$(waba completion bash)"
zsh:  waba completion zsh > _waba, in a folder of $fpath
fish: waba completion fish > ~/.config/fish/completions/waba.fish]]
  command:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
end

-- By default bash splits the output of compgen at blanks and appends a blank to a folder; `with_files` changes both.
local FILES = 'COMPREPLY=($(compgen -f -- "$cur"))'

local function with_files(text)
  local replacement = ("compopt -o filenames 2>/dev/null; local IFS=$'\\n'; %s"):format(FILES)
  return (text:gsub(FILES:gsub("%p", "%%%0"), (replacement:gsub("%%", "%%%%"))))
end

-- In argparse's scripts, the shell completes an option without choices with file names. For --profile, the replacements
-- make the shell complete the names of profiles.
local PROFILES = {
  bash = { '(%-%-profile%)\n%s*)[^\n]*', '%1COMPREPLY=($(compgen -W "$(waba profiles 2>/dev/null)" -- "$cur"))' },
  zsh = { '("%-%-profile%[[^\n]-): :_files', "%1: :($(waba profiles 2>/dev/null))" },
  fish = { "(%-l profile) %-r", "%1 -xa '(waba profiles 2>/dev/null)'" },
}

--- Returns the completion script of a shell.
function completion.text(shell)
  local parser = require("waba.cli").parser()
  local text = parser["get_" .. shell .. "_complete"](parser)
  text = text:gsub(PROFILES[shell][1], PROFILES[shell][2])
  return shell == "bash" and with_files(text) or text
end

function completion.run(ctx, args)
  return ctx:show({ shell = args.shell, script = completion.text(args.shell) }, nil, function(result)
    output.write(result.script)
  end)
end

return completion
