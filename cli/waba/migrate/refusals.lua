-- Lists the fields of a message that violate the rules of Cloud hosting. A check finds only the first error, so each
-- invalid field is removed or replaced before the next check.

local schema = require "waba.schema"

-- Patterns for the paths of fields that are removed from a message, each with the advice in the report.
local REMOVABLE = {
  { "%.provider$", "upload the file if its link is not public" },
  { "%.ims$", "contact cards of Cloud hosting have no field for messengers" },
  { "^interactive%.header%.%a+%.caption$", "write it into the body of the message" },
  { "^template%.components%[%d+%]%.parameters%[%d+%]%.%a+%.caption$", "write it into the text of the template" },
  { "%.ttl$", "set message_send_ttl_seconds of the template instead" },
}

local MEDIA_ID = "^.*%f[%a](%a+)%.id$"
local MEDIA = { image = true, video = true, audio = true, document = true, sticker = true, gif = true }

local MOST = 300 -- the largest number of checks, and therefore of listed errors, for one message

-- Returns the table with the field at a path such as "contacts[1].ims", and the name of the field.
local function place_of(message, path)
  local holder, name, value = nil, nil, message
  for step in path:gsub("%[(%d+)%]", ".[%1"):gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    holder, name = value, tonumber(step:match "^%[(%d+)$") or step
    value = holder[name]
  end
  return holder, name
end

local function advice_of(path)
  for _, row in ipairs(REMOVABLE) do
    if path:find(row[1]) then return row[2] end
  end
end

-- Returns whether a value is a media id of On-Premise hosting. A media id of Cloud hosting has only digits.
local function is_old_media_id(path, value)
  return MEDIA[path:match(MEDIA_ID) or ""] and type(value) == "string" and value ~= "" and not value:find "^%d+$"
end

-- Removes or replaces the invalid field of an error, if possible. Returns the entry for the list, whether the field was
-- removed or replaced, and whether the message can't be sent.
local function repair(message, err)
  local holder, name = place_of(message, err.path)
  local value = holder and holder[name]
  local advice = value ~= nil and advice_of(err.path)
  if advice then
    holder[name] = nil
    return { path = err.path, why = err.message .. "; " .. advice }, true
  elseif value ~= nil and is_old_media_id(err.path, value) then
    holder[name] = "1" -- a valid id, so that the next check finds further errors
    return { path = err.path, why = err.message .. "; upload the file again" }, true, true
  end
  return { path = err.path, why = err.message }, false, true
end

---@param message waba.Message  the function removes the fields without a counterpart
---@param lacking waba.migrate.Lack[]  the list to which the errors are added
---@return boolean is_valid  true: the changed message can be sent
return function(message, lacking)
  local is_valid = true
  for _ = 1, MOST do
    local valid, err = schema.check(message, "cloud")
    if valid then return is_valid end
    local item, is_repaired, is_fatal = repair(message, err)
    lacking[#lacking + 1] = item
    if is_fatal then is_valid = false end
    if not is_repaired then return false end
  end
  return false
end
