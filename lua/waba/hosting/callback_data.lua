-- The text in the field biz_opaque_callback_data of a message. The platform returns the text in every status of the
-- message (cloud.md, section 2.1). The text is the caller's option `data`. For a message from an outbox, the id of the
-- outbox entry comes first: "waba:<id>:<data>".

local callback_data = {}

local MARK = "waba:"

local ID_LENGTH = 20 -- hexadecimal digits

--- The number of characters before the caller's text.
callback_data.OVERHEAD = #MARK + ID_LENGTH + 1

function callback_data.join(id, data) return MARK .. id .. ":" .. (data or "") end

--- Returns the caller's text, and the id of the outbox entry; a missing part is nil.
function callback_data.split(text)
  if not text or text:sub(1, #MARK) ~= MARK then return text end
  local id, data = text:match("^(%x+):(.*)$", #MARK + 1)
  if not id or #id ~= ID_LENGTH then return text end
  return data ~= "" and data or nil, id
end

return callback_data
