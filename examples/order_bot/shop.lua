-- The data of the shop, in SQLite: the state of each customer, and the orders.

local Shop = {}
Shop.__index = Shop

local shop = {}

-- Runs a statement and returns its first row.
local function execute(self, sql, ...)
  local statement = assert(self.connection:prepare(sql))
  local ok, message = statement:execute(...)
  local row = ok and statement:fetch(true)
  statement:close()
  assert(ok, message)
  return row
end

--- Opens the file of the shop. Creates it if there is none.
---@param path string
function shop.open(path)
  local self = setmetatable({ connection = assert(require("dbd.sqlite3").New(path)) }, Shop)
  self.connection:autocommit(true) -- otherwise the driver begins a transaction that nobody ends
  execute(self, "PRAGMA busy_timeout = 5000") -- milliseconds: others may look into the file
  for _, columns in ipairs {
    "customers (number TEXT PRIMARY KEY, product TEXT, count INTEGER)",
    "orders (id TEXT PRIMARY KEY, number TEXT, product TEXT, count INTEGER)",
  } do
    execute(self, "CREATE TABLE IF NOT EXISTS " .. columns)
  end
  return self
end

--- Returns the state of a customer.
---@return { product: string?, count: integer? }
function Shop:customer(number)
  local row = execute(self, "SELECT product, count FROM customers WHERE number = ?", number) or {}
  return { product = row.product, count = row.count }
end

function Shop:set_customer(number, state)
  execute(self, "REPLACE INTO customers VALUES (?, ?, ?)", number, state.product, state.count)
end

--- Stores an order. Its key is the id of the customer's message, so that a repeated message does not store it again.
function Shop:order(id, number, order)
  execute(self, "INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?)", id, number, order.product, order.count)
end

return shop
