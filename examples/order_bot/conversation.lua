-- The conversation: a function that returns the customer's next state and the next message, from the current state and an event.
-- It uses neither the network nor the database, so it is easy to test.

local waba = require "waba"

local PRODUCTS = {
  { id = "daily", title = "Daily lenses", description = "30 pieces, 19.90 EUR" },
  { id = "monthly", title = "Monthly lenses", description = "6 pieces, 24.90 EUR" },
  { id = "solution", title = "Lens solution", description = "360 ml, 9.90 EUR" },
}

local conversation = {}

local function title_of(id)
  for _, product in ipairs(PRODUCTS) do
    if product.id == id then return product.title end
  end
end

local function ask_for_product()
  local rows = {}
  for i, product in ipairs(PRODUCTS) do
    rows[i] = { id = "product:" .. product.id, title = product.title, description = product.description }
  end
  return waba.list { header = "Kern Optics", body = "What may we send you?", button = "Choose",
    sections = { { title = "In stock", rows = rows } } }
end

local function ask_for_count(state)
  local buttons = {}
  for count = 1, 3 do buttons[count] = { id = "count:" .. count, title = tostring(count) } end
  return waba.buttons { body = title_of(state.product) .. ": how many?", buttons = buttons }
end

local function ask_for_confirmation(state)
  return waba.buttons {
    body = ("%d x %s. Shall we send them?"):format(state.count, title_of(state.product)),
    footer = "Payment on account",
    buttons = { { id = "confirm:yes", title = "Yes, please" }, { id = "confirm:no", title = "No" } },
  }
end

local function question(state)
  if not state.product then return ask_for_product() end
  if not state.count then return ask_for_count(state) end
  return ask_for_confirmation(state)
end

--- Returns the next step. The customer may tap a button of an earlier question at any time, because it stays in the chat; then the
--- function repeats the open question.
---@param state { product: string?, count: integer? }  the current state of the customer
---@param event waba.Event
---@return { product: string?, count: integer? } state  the next state
---@return waba.Message message
---@return { product: string, count: integer }? order  nil without an order
function conversation.step(state, event)
  local step, choice = (event.reply and event.reply.id or ""):match "^(%a+):(%w+)$"
  if step == "product" and title_of(choice) then
    state = { product = choice }
  elseif step == "count" and state.product then
    state = { product = state.product, count = tonumber(choice) }
  elseif step == "confirm" and state.count then
    if choice == "yes" then return {}, waba.text "Thank you! Your order is on its way.", state end
    return {}, waba.text "Nothing was ordered. Write to us whenever you like."
  end
  return state, question(state)
end

return conversation
