-- Runs a spec in a process of its own. For specs that collect all garbage again and again: that takes very long beside
-- everything that the specs before have left.

local process = require "spec.support.process"

local alone = {}

local VARIABLE = "WABA_SPEC_ALONE"

--- Whether this is the process of that spec alone.
---@param path string  of the spec's file
---@return boolean
function alone.is(path)
  return os.getenv(VARIABLE) == path
end

--- Runs a spec to its end. The output where it fails.
---@param path string
---@return string|nil output
function alone.run(path)
  local folder = process.folder()
  local code = process.run(("%s=%s %s \"$(command -v busted)\" -o plainTerminal %s >%s 2>&1; echo $?"):format(VARIABLE, path,
    process.interpreter(), path, process.quote(folder:file "output")))
  local output = folder:read "output"
  folder:remove()
  return code ~= "0" and output or nil
end

return alone
