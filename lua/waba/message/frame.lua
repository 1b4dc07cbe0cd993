-- Builds the outer object ("frame") of interactive messages: type, header, body, footer, action.

local parts = require "waba.message.parts"

local copy, is_table, header_content = parts.copy, parts.is_table, parts.header_content

local frame = {}

function frame.text_part(value)
  if value == nil or is_table(value) then return copy(value) end
  return { text = value }
end

function frame.header_part(header)
  if header == nil then return nil end
  local kind, content = header_content(header)
  if not kind then return copy(header) end
  return { type = kind, [kind] = content }
end

local text_part = frame.text_part

local FRAME = { header = true, body = true, footer = true, action = true }

-- Returns the fields of `content` that are not in `names`, and the fields that are in `names`.
local function split(content, names)
  local rest, taken = {}, {}
  for key, value in pairs(content) do
    if names[key] then taken[key] = value else rest[key] = value end
  end
  return rest, taken
end

-- Creates an interactive message. Adds the fields of `rest.action`, an action in the platform's form, to `action`.
local function framed(kind, rest, action)
  for key, value in pairs(is_table(rest.action) and rest.action or {}) do
    if action[key] == nil then action[key] = value end
  end
  rest.type = kind
  rest.header, rest.body, rest.footer = frame.header_part(rest.header), text_part(rest.body), text_part(rest.footer)
  rest.action = action
  return { type = "interactive", interactive = rest }
end

--- Creates a message, and moves the fields whose names are in `fields` into the action. Other fields of `content` stay
--- in the frame.
---@param kind string  the platform's name of the message: "button"
---@param content any  the argument of the builder
---@param fields table<string, true|fun(value: any): any>  for each field of the action, the
---  function that converts the value; true: the value is not converted
---@return waba.Message
---@return table? action  the message's action, which the caller may change
function frame.interactive(kind, content, fields)
  if not is_table(content) then return { type = "interactive", interactive = content } end
  local rest, action = split(content, fields)
  local result = framed(kind, rest, action)
  for name, convert in pairs(fields) do
    if convert ~= true then action[name] = convert(action[name]) end
  end
  return result, action
end

--- Creates a message whose action has a name. All fields except those of the frame become parameters of the action, so
--- that fields which the platform adds later are sent, too. If the argument of the builder is a string, the string is
--- the body.
---@return waba.Message
---@return table parameters  the action's parameters, which the caller may change
---@return table action
function frame.named(kind, action_name, content)
  if not is_table(content) then content = { body = content } end
  local parameters, rest = split(content, FRAME)
  local action = { name = action_name }
  local existing = is_table(rest.action) and rest.action.parameters
  for key, value in pairs(is_table(existing) and existing or {}) do
    if parameters[key] == nil then parameters[key] = value end
  end
  if next(parameters) ~= nil then action.parameters = parameters end
  return framed(kind, rest, action), parameters, action
end

return frame
