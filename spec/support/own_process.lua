-- Runs a spec in a new process. Specs that run the garbage collector many times use this module, because the collector
-- is slow if the objects of other specs are in memory.

local process = require "spec.support.process"

local own_process = {}

local VARIABLE = "WABA_SPEC_OWN_PROCESS"

--- Returns whether this process runs this spec only.
---@param path string  the spec's file
function own_process.is(path) return os.getenv(VARIABLE) == path end

--- Runs a spec in a new process. Returns the output if the spec has failed.
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
