-- Creates JSON bodies with empty lists. The JSON encoder writes an empty table as `{}`.

local copy = require("waba.message.parts").copy
local core = require "waba.core"
local errors = require "waba.errors"

--- Returns a waba.Call with a JSON body; nil and an error if JSON can't represent a value. `lists` has the names of the
--- fields whose empty tables become `[]`.
return function(body, lists)
  local rest, empty = copy(body), {}
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
