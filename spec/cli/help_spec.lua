-- The command line's own description: help, completion, manual page.

local cli = require "waba.cli"

local function each_command(visit)
  local function walk(command, path)
    visit(command, path)
    for _, below in ipairs(command._commands) do walk(below, path .. " " .. below._name) end
  end
  walk(cli.parser(), "waba")
end

describe("the description of the command line", function()
  it("fits 80 columns in every subcommand's help", function()
    local count = 0
    each_command(function(command, path)
      count = count + 1
      for line in command:get_help():gmatch "[^\n]+" do assert.is_true(#line <= 80, path .. ": " .. line) end
    end)
    assert.is_true(count > 50)
  end)

  it("has a sentence for every option and argument", function()
    each_command(function(command, path)
      for _, list in ipairs { command._options, command._arguments } do
        for _, element in ipairs(list) do
          assert.matches("%S.*%S", element:_get_description(), path)
        end
      end
    end)
  end)

  it("completes file names with blanks in bash", function()
    local pipe = io.popen("mktemp -d")
    local folder = pipe:read "*l"
    pipe:close()
    local script = assert(io.open(folder .. "/complete.sh", "w"))
    script:write(require("waba.cli.commands.completion").text "bash", ([[
      cd %s; touch 'my list.csv'
      COMP_WORDS=(waba bulk --journal my); COMP_CWORD=3; _waba waba my --journal
      printf '%%s=' "${#COMPREPLY[@]}" "${COMPREPLY[0]}"]]):format(folder))
    script:close()
    pipe = io.popen(("bash %s/complete.sh 2>&1; rm -r %s"):format(folder, folder))
    local said = pipe:read "*a"
    pipe:close()
    assert.equal("1=my list.csv=", said)
  end)
end)
