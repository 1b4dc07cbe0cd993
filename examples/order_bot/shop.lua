-- What the shop remembers, in SQLite: where each customer stands, and the orders.

local sqlite = require "luasql.sqlite3"

local Shop = {}
Shop.__index = Shop

local shop = {}

--- Opens the shop's file, and makes it when there is none.
---@param path string
function shop.open(path)
  local connection = assert(sqlite.sqlite3():connect(path))
  connection:execute("PRAGMA busy_timeout = 5000"):close() -- milliseconds: others may look into the file
  for _, columns in ipairs {
    "customers (number TEXT PRIMARY KEY, product TEXT, count INTEGER)",
    "orders (id TEXT PRIMARY KEY, number TEXT, product TEXT, count INTEGER)",
  } do
    assert(connection:execute("CREATE TABLE IF NOT EXISTS " .. columns))
  end
  return setmetatable({ connection = connection }, Shop)
end

local function value(connection, it)
  if it == nil then return "NULL" end
  if type(it) == "number" then return ("%d"):format(it) end
  return "'" .. connection:escape(it) .. "'"
end

local function execute(self, statement, ...)
  local values = {}
  for i = 1, select("#", ...) do values[i] = value(self.connection, (select(i, ...))) end
  return assert(self.connection:execute((statement:gsub("%?(%d)", function(i) return values[tonumber(i)] end))))
end

--- Where a customer stands.
---@return { product: string?, count: integer? }
function Shop:customer(number)
  local cursor = execute(self, "SELECT product, count FROM customers WHERE number = ?1", number)
  local row = cursor:fetch({}, "a") or {}
  cursor:close()
  return { product = row.product, count = row.count and math.floor(tonumber(row.count)) }
end

function Shop:set_customer(number, state)
  execute(self, "REPLACE INTO customers VALUES (?1, ?2, ?3)", number, state.product, state.count)
end

--- Takes an order. The id of the message that placed it is its key: the same message places it once only.
function Shop:order(id, number, order)
  execute(self, "INSERT OR IGNORE INTO orders VALUES (?1, ?2, ?3, ?4)", id, number, order.product, order.count)
end

return shop
