-- Calls every function of waba.curl, for a run under valgrind. Arguments: CA-FILE URL…

local ca_file = ...
local urls = { select(2, ...) }

package.path = "./?.lua;" .. package.path

local core = require "waba.core"
local curl = require "waba.curl"
local driver = require "spec.support.driver"

local function use(url)
  local engine = assert(curl.engine({ ca_file = ca_file }))
  local credentials = assert(core.credentials({ header = "D360-API-KEY", value = "secret", origin = url }))
  local function head(path, method)
    return assert(engine:prepare({ method = method or "POST", url = url .. path, credentials = credentials,
      headers = { ["Content-Type"] = "text/plain" }, idempotent = false }))
  end
  local target = os.tmpname()
  driver.run_many(engine, head("/a"), "body", 20)
  assert(driver.run(engine, head("/a"), ("x"):rep(100000)))
  assert(driver.run(engine, head("/a", "PUT"), { file = ca_file }, { save_as = target }))
  os.remove(target)
  local left = 3
  assert(driver.run(engine, head("/a"), {}, {
    stream = true, sink = function() end,
    reader = function()
      left = left - 1
      return left > 0 and "piece" or nil
    end,
  }))
  assert(not driver.run(engine, head("/a"), "x", { max_body = 1 }))
  assert(not engine:prepare({ method = "GET", url = "nonsense" }))
  assert(not engine:prepare({ method = "GET", url = url, headers = { Bad = "a\nb" } }))
  assert(not engine:start(head("/a"), { file = "/nonexistent" }))
  pcall(driver.run, engine, head("/a"), {}, { reader = function() error("broken") end })
  -- Transfers that are cancelled, collected as garbage or closed with the engine before they have finished.
  local transfer = assert(engine:start(head("/a"), "x"))
  engine:pump()
  transfer:cancel()
  transfer:finish()
  engine:start(head("/a"), "x")
  engine:pump()
  collectgarbage()
  transfer = assert(engine:start(head("/a"), "x"))
  collectgarbage() -- collects the head of the request
  assert(driver.finish(engine, transfer))
  local kept = assert(engine:start(head("/a"), { size = 5 }, { save_as = target }))
  engine:pump()
  return engine, kept
end

for _, url in ipairs(urls) do
  local engine, kept = use(url)
  engine:close()
  assert(not kept:finish())
end
-- The end of the Lua state closes the last transfers.
urls.kept = { use(urls[1]) }
