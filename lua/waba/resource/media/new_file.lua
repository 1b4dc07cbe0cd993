-- Writes a file under a temporary name in the same folder, and renames the complete file, which replaces an existing
-- file.

local core = require "waba.core"
local errors = require "waba.errors"
local open_file = require "waba.open"

local new_file = {}

function new_file.error(path, message)
  return errors.invalid("file", ("file %s can't be written: %s"):format(path, message))
end

-- Returns the path of a temporary file that does not exist yet. Creates and removes the file once, to find out whether
-- the folder is writable.
function new_file.create(path)
  local temporary = ("%s.%08x.part"):format(path, math.floor(core.random() * 4294967296))
  local file, message = open_file(temporary, "wb")
  if not file then return nil, new_file.error(path, message) end
  file:close()
  os.remove(temporary)
  core.remove_at_exit(temporary, true)
  return temporary
end

function new_file.discard(temporary)
  os.remove(temporary)
  core.remove_at_exit(temporary, false)
end

function new_file.keep(temporary, path)
  local renamed, message = os.rename(temporary, path)
  new_file.discard(temporary)
  if renamed then return true end
  return nil, new_file.error(path, message)
end

function new_file.write(path, bytes)
  local temporary, err = new_file.create(path)
  if not temporary then return nil, err end
  local file, message = open_file(temporary, "wb")
  local written = file
  if file then
    written, message = file:write(bytes)
    local closed, close_message = file:close()
    if not closed then written, message = nil, message or close_message end
  end
  if written then return new_file.keep(temporary, path) end
  new_file.discard(temporary)
  return nil, new_file.error(path, tostring(message))
end

return new_file
