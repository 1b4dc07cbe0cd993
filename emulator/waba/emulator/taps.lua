-- What a customer can tap in a message it received: reply buttons, a list's rows, a template's
-- quick-reply buttons.

local taps = {}

local function tapped_reply(content, choice)
  for _, button in ipairs(content.action.buttons or {}) do
    if button.reply.id == choice or button.reply.title == choice then
      return { kind = "button", id = button.reply.id, title = button.reply.title }
    end
  end
  for _, section in ipairs(content.action.sections or {}) do
    for _, row in ipairs(section.rows or {}) do
      if row.id == choice or row.title == choice then
        return { kind = "list", id = row.id, title = row.title, description = row.description }
      end
    end
  end
end

-- A quick-reply button of a template: its text is in the template, its payload in the message.
local function tapped_button(gateway, content, choice)
  local template = gateway.templates:find_any(content.name, content.language.code)
  local texts = {}
  for _, component in ipairs(template and template.components or {}) do
    for i, button in ipairs(component.buttons or {}) do
      texts[i - 1] = button.type == "QUICK_REPLY" and button.text or nil
    end
  end
  local payloads = {}
  for _, component in ipairs(content.components or {}) do
    if component.type:lower() == "button" and component.sub_type:lower() == "quick_reply" then
      local index = tonumber(component.index)
      payloads[index] = component.parameters and component.parameters[1] and component.parameters[1].payload
      texts[index] = texts[index] or payloads[index]
    end
  end
  for index, text in pairs(texts) do
    if choice == text or choice == payloads[index] then
      return { text = text, payload = payloads[index] }
    end
  end
end

--- Finds what is tapped.
---@param gateway table
---@param id string       of the message
---@param choice string   the id, title, text or payload of what is tapped
---@return string|nil kind  "reply" or "button"
---@return table|string content  or a message
function taps.find(gateway, id, choice)
  local record = gateway.by_id[id]
  if not record or record.direction ~= "outbound" then
    return nil, "there is no sent message " .. tostring(id)
  end
  local content
  if record.type == "interactive" then
    content = tapped_reply(record.content, choice)
    if content and record.direct_send then -- the platform made a template of it, so the tap is one on a template
      return "button", { text = content.title, payload = content.id }
    end
  elseif record.type == "template" then
    content = tapped_button(gateway, record.content, choice)
  end
  if not content then
    return nil, ("message %s has nothing to tap that is called %q"):format(id, tostring(choice))
  end
  return record.type == "interactive" and "reply" or "button", content
end

return taps
