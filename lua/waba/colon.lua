-- Reports a method that was called with a dot instead of a colon: `client.templates.list()`.

local colon = {}

-- PUC Lua 5.1 counts a tail call as a level, so that an error of the method would not name the caller's line.
local counts_tail_calls = require("waba.runtime").IS_PUC_51

local guarded = setmetatable({}, { __mode = "k" })

local function guard(method, what, field)
  return function(self, ...)
    if type(self) ~= "table" or self[field] == nil then error(what .. " is called with a colon", 2) end
    return method(self, ...)
  end
end

--- Makes the methods of a class raise when their first argument is not an object of it. A second call for the same class
--- has no effect.
---@param class table<string, any>
---@param what string   the user's expression for an object: "client.templates"
---@param field string  a field that every object has
---@param except? table<string, true>  methods that check their arguments themselves
function colon.guard(class, what, field, except)
  if counts_tail_calls or guarded[class] then return end
  guarded[class] = true
  for name, method in pairs(class) do
    if type(method) == "function" and not name:find("^__") and not (except and except[name]) then
      class[name] = guard(method, what .. ":" .. name, field)
    end
  end
end

return colon
