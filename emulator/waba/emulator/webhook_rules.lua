-- What is wrong with a webhook address and its headers, in the sentences of 360dialog's gateway.

local walker = require "waba.emulator.walker"
local webhooks = require "waba.emulator.webhooks"

local webhook_rules = {}

local function header_problems(headers, found)
  if type(headers) ~= "table" or headers[1] ~= nil then
    found[#found + 1] = "headers: must be an object"
    return
  end
  for name, value in pairs(headers) do
    if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      found[#found + 1] = "headers: a name is not the name of an HTTP header"
    elseif type(value) ~= "string" or value:find("%c") then
      found[#found + 1] = ("headers: the value of %s must be a text of one line"):format(name)
    end
  end
end

--- Everything that is wrong with a body.
---@param body table
---@param known table<string, boolean>  its fields
---@return string[]
function webhook_rules.problems(body, known)
  local found = {}
  found[#found + 1] = webhooks.problem(body.url)
  if not walker.absent(body.headers) then header_problems(body.headers, found) end
  for name in pairs(body) do
    if not known[name] then found[#found + 1] = ("%s: unknown field"):format(tostring(name)) end
  end
  table.sort(found)
  return found
end

return webhook_rules
