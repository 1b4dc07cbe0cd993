-- Encodes JSON bodies whose empty lists must become `[]`; an empty table would otherwise become an object.

local core = require "waba.core"
local errors = require "waba.errors"

--- Creates the call of an endpoint with a JSON body.
---@param body table
---@param lists string[]  the names of the fields that are lists
---@return waba.Call|nil
---@return waba.Error? err  an error of kind "invalid": JSON can't represent a value of the body
local function json_body(body, lists)
  local rest, empty = {}, {}
  for name, value in pairs(body) do rest[name] = value end
  for _, name in ipairs(lists) do
    if type(rest[name]) == "table" and next(rest[name]) == nil then
      rest[name], empty[#empty + 1] = nil, ('"%s":[]'):format(name)
    end
  end
  if #empty == 0 then return { json = body } end
  local json, message, path = core.encode(rest)
  if not json then return nil, errors.invalid(path, message) end
  if json ~= "{}" then table.insert(empty, 1, json:sub(2, -2)) end
  return { body = "{" .. table.concat(empty, ",") .. "}", media_type = "application/json" }
end

return json_body
