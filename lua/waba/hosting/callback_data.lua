-- The callback data of a message on Cloud hosting: a text that the platform returns in every status of the message
-- (biz_opaque_callback_data; cloud.md, section 2.1). The text contains the caller's option `data`; for a message from
-- an outbox, the id of the outbox entry comes first.

local callback_data = {}

local MARK = "waba:"

-- The number of hexadecimal digits in an entry's id.
local ID_LENGTH = 20

--- The number of characters that precede the caller's text: the mark, the id and a colon.
callback_data.OVERHEAD = #MARK + ID_LENGTH + 1

--- Returns the text for a message from an outbox.
---@param id string    the id of the entry
---@param data? string  the text of the caller
function callback_data.join(id, data)
  return MARK .. id .. ":" .. (data or "")
end

--- Returns the caller's text or nil, and the id of the outbox entry.
function callback_data.split(text)
  if not text or text:sub(1, #MARK) ~= MARK then return text end
  local id, data = text:match("^(%x+):(.*)$", #MARK + 1)
  if not id or #id ~= ID_LENGTH then return text end
  return data ~= "" and data or nil, id
end

return callback_data
