-- What Cloud hosting's rules refuse in a message: fields that have no counterpart are taken out, ids of files are
-- named one by one, and of everything else the first fault is told.

local schema = require "waba.schema"

local refusals = {}

-- Fields that can go without the message losing its sense, by their path; what else there is to say of each.
local LOST = {
  { "%.provider$", "upload the file, if its link is not" },
  { "%.ims$", "messengers have no place in a card" },
  { "^interactive%.header%.%a+%.caption$", "say it in the message's body" },
  { "^template%.components%[%d+%]%.parameters%[%d+%]%.%a+%.caption$", "say it in the template's text" },
  { "%.ttl$", "message_send_ttl_seconds of the template says how long it is tried" },
}

local MEDIA_ID = "^.*%f[%a](%a+)%.id$"
local MEDIA = { image = true, video = true, audio = true, document = true, sticker = true, gif = true }

-- Stands for the id that a file will have on Cloud hosting, so that the rest of the message can be checked.
local ANY_ID = "1"

-- More than there are cards in a message that Cloud hosting takes.
local MOST = 300

-- The table that holds the field of a path such as "contacts[1].ims", and the field's name.
local function place_of(message, path)
  local holder, name, value = nil, nil, message
  for step in path:gsub("%[(%d+)%]", ".[%1"):gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    holder, name = value, tonumber(step:match "^%[(%d+)$") or step
    value = holder[name]
  end
  return holder, name
end

local function lost(path)
  for _, row in ipairs(LOST) do
    if path:find(row[1]) then return row[2] end
  end
end

-- Whether it is the id of a file that On-Premise hosting gave.
local function is_old_media_id(path, value)
  return MEDIA[path:match(MEDIA_ID) or ""] and type(value) == "string" and value ~= "" and not value:find "^%d+$"
end

-- Mends one fault of `message`, or gives up.
local function mend(message, err)
  local holder, name = place_of(message, err.path)
  local value = holder and holder[name]
  local more = value ~= nil and lost(err.path)
  if more then
    holder[name] = nil
    return { path = err.path, why = err.message .. "; " .. more }, true
  elseif value ~= nil and is_old_media_id(err.path, value) then
    holder[name] = ANY_ID
    return { path = err.path, why = err.message .. "; upload the file again" }, true, true
  end
  return { path = err.path, why = err.message }, false, true
end

--- Goes through what Cloud hosting refuses.
---@param message waba.Message  is changed: what has no counterpart is taken out
---@param lacking { path: string, why: string }[]  gets each of them
---@return boolean is_valid  the message can be sent as it is now
function refusals.collect(message, lacking)
  local is_valid = true
  for _ = 1, MOST do
    local fine, err = schema.check(message, "cloud")
    if fine then return is_valid end
    local item, is_mended, is_fatal = mend(message, err)
    lacking[#lacking + 1] = item
    if is_fatal then is_valid = false end
    if not is_mended then return false end
  end
  return false
end

return refusals
