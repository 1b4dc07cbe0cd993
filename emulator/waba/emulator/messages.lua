-- Sent messages on both hostings: their products, their statuses, and the buttons and rows that a customer can tap.

local messages = {}

-- Products ----------------------------------------------------------------------------------------

--- Returns the function that rules call to find products in the option `catalogs`. The function returns an error if
--- none of the products exists; if only some products are missing, it sets `context.missing`. The fields `no_catalog`
--- and `no_product` of `codes` are names of error codes.
function messages.product_finder(gateway, codes, context)
  return function(action, path)
    local catalogs, new_error = gateway.options.catalogs, gateway.checker.new_error
    if not catalogs then return nil end
    local catalog = catalogs[action.catalog_id]
    if not catalog then
      return new_error(codes.no_catalog, "Parameter '%s.catalog_id' is '%s', which the option catalogs does not "
        .. "have", path, tostring(action.catalog_id))
    end
    local known, wanted, found = {}, { action.product_retailer_id }, 0
    for _, product in ipairs(catalog) do known[product] = true end
    for _, section in ipairs(action.sections or {}) do
      for _, item in ipairs(section.product_items) do wanted[#wanted + 1] = item.product_retailer_id end
    end
    for _, product in ipairs(wanted) do found = found + (known[product] and 1 or 0) end
    if found == 0 then
      return new_error(codes.no_product, "product_retailer_id: catalog %s has none of the products", action.catalog_id)
    end
    context.missing = found < #wanted
  end
end

-- Statuses ----------------------------------------------------------------------------------------

--- Reports a status of an accepted message at once. The gateway's method `post_status` posts the webhook.
function messages.report(gateway, record, status, errors)
  record.status = status
  record.statuses[#record.statuses + 1] = status
  if errors then record.errors = errors end
  gateway:on_change("message", record)
  gateway:post_status(record, status, errors)
end

--- Schedules the statuses of an accepted message in their order, or its failure. `failure.errors` has the errors,
--- `failure.after` the last status before the failure (by default none), and `failure.status` is "failed" or "warning".
function messages.schedule_statuses(gateway, record, order, failure)
  local delays = gateway.options.statuses or {}
  local function fail() messages.report(gateway, record, failure.status or "failed", failure.errors) end
  local fatal = failure and failure.status ~= "warning"
  if failure and not failure.after then
    gateway.clock:after(delays.sent or 0, fail)
    if fatal then return end
  end
  for _, status in ipairs(order) do
    if delays[status] then
      gateway.clock:after(delays[status], function() messages.report(gateway, record, status) end)
    end
    if failure and failure.after == status then
      gateway.clock:after(delays[status] or 0, fail)
      if fatal then return end
    end
  end
end

--- Returns the record of a sent message; or nil and an error message.
function messages.find_sent(gateway, id)
  local record = gateway.by_id[id]
  if record and record.direction == "outbound" then return record end
  return nil, "id: expected the id of a message that the gateway has accepted, not " .. tostring(id)
end

-- What a customer can tap -------------------------------------------------------------------------

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

-- Finds a quick-reply button of a template message. The text of the button is in the template, and the payload is in
-- the message.
local function tapped_button(gateway, content, choice)
  local template = gateway.templates:find(content.name, content.language.code)
  local texts, payloads = {}, {}
  for _, component in ipairs(template and template.components or {}) do
    for i, button in ipairs(component.buttons or {}) do
      texts[i - 1] = button.type == "QUICK_REPLY" and button.text or nil
    end
  end
  for _, component in ipairs(content.components or {}) do
    if component.type:lower() == "button" and component.sub_type:lower() == "quick_reply" then
      local index = tonumber(component.index)
      payloads[index] = component.parameters and component.parameters[1] and component.parameters[1].payload
      texts[index] = texts[index] or payloads[index]
    end
  end
  for index, text in pairs(texts) do
    if choice == text or choice == payloads[index] then return { text = text, payload = payloads[index] } end
  end
end

--- Finds a button or a row in a sent message by its id, title, text or payload. Returns the type ("reply" or "button")
--- and the content of the message that the customer sends by tapping; or nil and an error message.
function messages.find_tapped(gateway, id, choice)
  local record, message = messages.find_sent(gateway, id)
  if not record then return nil, message end
  local content
  if record.type == "interactive" then
    content = tapped_reply(record.content, choice)
    if content and record.direct_send then -- the platform has made a template from the message, so the customer
                                           -- has tapped the button of a template
      return "button", { text = content.title, payload = content.id }
    end
  elseif record.type == "template" then
    content = tapped_button(gateway, record.content, choice)
  end
  if not content then
    return nil, ("message %s has no button or row with the id, title, text or payload %q"):format(id, tostring(choice))
  end
  return record.type == "interactive" and "reply" or "button", content
end

return messages
