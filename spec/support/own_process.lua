-- Runs a spec in a process of its own. A spec that runs the garbage collector many times is slow in a process in which
-- other specs have left many objects.

local process = require "spec.support.process"

local own_process = {}

local VARIABLE = "WABA_SPEC_OWN_PROCESS"

--- Returns whether this process was started to run this spec only.
---@param path string  the spec's file
---@return boolean
function own_process.is(path)
  return os.getenv(VARIABLE) == path
end

--- Runs a spec in a new process. Returns the output if the spec fails.
---@param path string
---@return string|nil output
function own_process.run(path)
  local folder = process.folder()
  local code = process.run(("%s=%s %s \"$(command -v busted)\" -o plainTerminal %s >%s 2>&1; echo $?"):format(VARIABLE, path,
    process.interpreter(), path, process.quote(folder:file "output")))
  local output = folder:read "output"
  folder:remove()
  return code ~= "0" and output or nil
end

return own_process
