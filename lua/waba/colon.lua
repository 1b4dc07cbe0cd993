-- Names a method that was called with a dot where a colon belongs: `client.templates.list()`.

local colon = {}

-- Plain Lua 5.1 counts a tail call as a level, so that an error of the method would not find the caller's line.
local counts_tail_calls = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

local guarded = setmetatable({}, { __mode = "k" })

local function guard(method, what, field)
  return function(self, ...)
    if type(self) ~= "table" or self[field] == nil then error(what .. " is called with a colon", 2) end
    return method(self, ...)
  end
end

--- Lets the methods of a class raise when their first argument is no object of it. Each class is guarded once.
---@param class table<string, any>
---@param what string   what users call an object of it: "client.templates"
---@param field string  that every object has
---@param except? table<string, true>  methods that look for themselves
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
