-- Runs the command `waba` in a process of its own, and returns its exit code and its output.

local core = require "waba.core"
local documents = require "spec.support.documents"

local command = {}

local INTERPRETER = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"

function command.quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

--- Returns whether the system has pseudo-terminals, which some containers do not have.
function command.has_terminals()
  local ran = os.execute "script -qec true /dev/null >/dev/null 2>&1"
  return ran == true or ran == 0
end

--- Returns the shell command that runs `waba` with arguments.
function command.line(environment, arguments)
  local words = { "env -u D360_API_KEY -u WABA_HOSTING -u WABA_CLOUD_BASE_URL -u NO_COLOR" }
  for name, value in pairs(environment) do words[#words + 1] = name .. "=" .. command.quote(value) end
  words[#words + 1] = INTERPRETER .. " cli/bin/waba"
  for _, argument in ipairs(arguments) do words[#words + 1] = command.quote(argument) end
  return table.concat(words, " ")
end

--- Runs `waba` to its end.
---@param input? string  its standard input
---@return { code: integer, out: string, err: string, json: any }
function command.run(environment, arguments, input)
  local base = os.tmpname()
  local file = assert(io.open(base .. ".in", "wb"))
  file:write(input or "")
  file:close()
  local pipe = assert(io.popen(("{ %s; } <%s.in >%s.out 2>%s.err; echo $?"):format(
    command.line(environment, arguments), base, base, base)))
  local code = tonumber(pipe:read "*l")
  pipe:close()
  local result = { code = code, out = documents.read(base .. ".out"), err = documents.read(base .. ".err") }
  for _, suffix in ipairs { "", ".in", ".out", ".err" } do os.remove(base .. suffix) end
  if result.out:find "^[%[{]" then result.json = core.decode(result.out) end
  return result
end

--- Runs `waba` once, with the arguments of the first list and then those of the second.
---@param input? string
function command.run_with(first, rest, input)
  local arguments = {}
  for _, list in ipairs { first, rest } do
    for _, argument in ipairs(list) do arguments[#arguments + 1] = argument end
  end
  return command.run({}, arguments, input)
end

--- Returns the environment variables with which `waba` uses an emulator and no file of the user.
function command.environment(emulator)
  return { D360_API_KEY = emulator.api_key, WABA_BASE_URL = emulator.url, WABA_CA_FILE = emulator.ca_file,
    HOME = "/nonexistent" }
end

--- Runs a shell command in which WABA stands for the command `waba`.
---@param line string  such as "WABA number >/dev/full"
---@return { code: integer, out: string }  `out` is standard output and standard error
function command.shell(environment, line)
  local pipe = assert(io.popen(("exec 2>&1; %s\necho \"=$?\""):format((line:gsub("%f[%w_]WABA%f[^%w_]", function()
    return command.line(environment, {})
  end)))))
  local out, code = pipe:read "*a":match "^(.*)=(%d+)\n$"
  pipe:close()
  return { code = tonumber(code), out = out }
end

return command
