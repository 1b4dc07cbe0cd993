-- What customers send, as far as both gateways agree: what it quotes, the replies of buttons and lists,
-- and what the gateway keeps of it.

local inbound = {}

--- The context of a message, if it has any.
---@param gateway table
---@param options table  see waba.emulator.InboundOptions
---@return table|nil
function inbound.context(gateway, options)
  local context = {}
  if options.reply_to then
    local quoted = gateway.by_id[options.reply_to]
    context.id = options.reply_to
    context.from = quoted and quoted.direction == "inbound" and quoted.wa_id or gateway.options.number
  end
  context.forwarded = options.forwarded
  context.frequently_forwarded = options.frequently_forwarded
  context.referred_product = options.referred_product
  context.mentions = options.mentions
  return next(context) and context or nil
end

--- The answer to a list, or to reply buttons.
---@param content { kind: string?, id: string, title: string, description: string? }
---@return table
function inbound.reply(content)
  if content.kind == "list" then
    return { type = "list_reply",
      list_reply = { id = content.id, title = content.title, description = content.description } }
  end
  return { type = "button_reply", button_reply = { id = content.id, title = content.title } }
end

--- Keeps a message, whose window opens with it. Tells whether the program hears of it.
---@param gateway table
---@param contact waba.emulator.Contact  who sent it
---@param kind string
---@param event table  the message as the webhook has it
---@return boolean heard
function inbound.keep(gateway, contact, kind, event)
  local sandbox = gateway.sandbox
  if sandbox then sandbox.number = sandbox.number or contact.wa_id end
  if kind ~= "system" then contact.last_inbound = gateway.clock:now() end
  gateway:keep({ id = event.id, direction = "inbound", wa_id = contact.wa_id, type = event.type,
    content = event[event.type] })
  return not (contact.blocked or sandbox and sandbox.number ~= contact.wa_id)
end

return inbound
