-- Writes a file under a temporary name in the same folder, and renames the complete file, which replaces an existing
-- file.

local core = require "waba.core"
local ensure = require("waba.coroutines").ensure
local errors = require "waba.errors"
local open_file = require "waba.open"

local new_file = {}

local function write_error(path, message)
  return errors.invalid("file", ("file %s can't be written: %s"):format(path, tostring(message)))
end

function new_file.discard(temporary)
  os.remove(temporary)
  core.remove_at_exit(temporary, false)
end

local function fill_and_rename(temporary, path, fill)
  local result, message = fill(temporary)
  if not result then return nil, errors.is_error(message) and message or write_error(path, message) end
  local renamed
  renamed, message = os.rename(temporary, path)
  if renamed then return result end
  return nil, write_error(path, message)
end

--- Creates a file. `fill` writes the file `temporary`, which does not exist yet.
---@param path string
---@param fill fun(temporary: string): any, waba.Error|string?  returns a result; or nil, and an error or its text
---@return any|nil result  of `fill`
---@return waba.Error? err
function new_file.create(path, fill)
  local temporary = ("%s.%08x.part"):format(path, math.floor(core.random() * 4294967296))
  -- creates and removes the file once, to find out whether the folder is writable
  local file, message = open_file(temporary, "wb")
  if not file then return nil, write_error(path, message) end
  file:close()
  os.remove(temporary)
  core.remove_at_exit(temporary, true)
  return ensure(new_file.discard, temporary, fill_and_rename, temporary, path, fill)
end

function new_file.write(path, bytes)
  return new_file.create(path, function(temporary)
    local file, message = open_file(temporary, "wb")
    if not file then return nil, message end
    local written, write_message = file:write(bytes)
    local closed, close_message = file:close()
    return written and closed, write_message or close_message
  end)
end

return new_file
