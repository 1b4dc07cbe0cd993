-- Files by id, kept in the emulator's own folder until they expire: what was uploaded, and what
-- customers send.

local media_store = {}

---@class waba.emulator.Media
---@field id string
---@field type string    MIME type, as it came
---@field size integer
---@field sha256 string  hexadecimal
---@field file string
---@field expires number clock time

local Store = {}
Store.__index = Store
Store.__name = "waba.emulator.MediaStore"

--- Makes a store.
---@param gateway table
---@param retention number      seconds a file is kept
---@param new_id fun(): string  makes the id of a file
---@return table
function media_store.new(gateway, retention, new_id)
  return setmetatable({ gateway = gateway, retention = retention, new_id = new_id, files = {} }, Store)
end

--- Where the bytes of a file that is about to arrive are to go.
---@return string
function Store:new_file() return self.gateway.folder .. "/" .. self.new_id() end

--- Keeps a file that has arrived at `new_file()`.
---@param file string
---@param about { type: string, size: integer, sha256: string }
---@param retention? number
---@return waba.emulator.Media
function Store:add(file, about, retention)
  retention = retention or self.retention
  local id = file:match("[^/]+$")
  local kept = { id = id, type = about.type, size = about.size, sha256 = about.sha256, file = file,
    expires = self.gateway.clock:now() + retention }
  self.files[id] = kept
  self.gateway.clock:after(retention, function() self:remove(id) end)
  return kept
end

---@param id string
---@return waba.emulator.Media|nil
function Store:get(id) return self.files[id] end

---@param id string
---@return boolean  whether there was such a file
function Store:remove(id)
  local kept = self.files[id]
  if kept then
    os.remove(kept.file)
    self.files[id] = nil
  end
  return kept ~= nil
end

--- Whether a MIME type may be sent as a kind of media.
---@param kind { types: table<string, true|string>|nil }  a text: a parameter that the type needs
---@param mime_type string
---@return boolean
function media_store.type_fits(kind, mime_type)
  local types = kind.types
  if not types then return true end
  local plain = mime_type:lower():match("^([^;%s]+)")
  local parameter = types[plain or ""]
  if type(parameter) == "string" then
    return mime_type:lower():gsub("[%s\"]", ""):find(parameter, 1, true) ~= nil
  end
  return parameter ~= nil
end

return media_store
