-- Finds an endpoint of a hosting by its name, or says that this hosting lacks it and what to do instead.

local errors = require "waba.errors"

--- An endpoint that only one of the hostings may have.
---@param hosting table  with `endpoints`, and `lacks`: a sentence for each endpoint that it has not
---@param name string
---@return waba.Endpoint|nil
---@return waba.Error? err  of kind "invalid": its sentence names the hosting that has it
local function endpoint(hosting, name)
  local found = hosting.endpoints[name]
  if found then return found end
  return nil, errors.new { kind = "invalid", message = hosting.lacks[name] }
end

return endpoint
