-- The JSON body of a call whose lists may be empty: an empty Lua table would be written as an object.

local core = require "waba.core"
local errors = require "waba.errors"

--- Makes the part of a call that holds the body.
---@param body table
---@param lists string[]  fields that are lists
---@return waba.Call|nil
---@return waba.Error? err  of kind "invalid": what JSON can't say
local function json_body(body, lists)
  local rest, empty = {}, {}
  for name, value in pairs(body) do rest[name] = value end
  for _, name in ipairs(lists) do
    if type(rest[name]) == "table" and next(rest[name]) == nil then
      rest[name], empty[#empty + 1] = nil, ('"%s":[]'):format(name)
    end
  end
  if #empty == 0 then return { json = body } end
  if next(rest) == nil then
    return { body = "{" .. table.concat(empty, ",") .. "}", media_type = "application/json" }
  end
  local json, message, path = core.encode(rest)
  if not json then return nil, errors.invalid(path, message) end
  return { body = json:sub(1, -2) .. "," .. table.concat(empty, ",") .. "}", media_type = "application/json" }
end

return json_body
