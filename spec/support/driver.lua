-- Runs transfers of waba.curl to their end, as a minimal event loop.

local curl = require "waba.curl"

local driver = {}

--- Starts a transfer and waits until it has finished.
---@param options? table  the options of `engine:start`; also reader: function() -> bytes|nil, sink: function(bytes),
---  on_progress: function(sent, to_send, received, to_receive)
---@return waba.Response|nil, waba.TransferFailure|nil
function driver.run(engine, head, body, options)
  options = options or {}
  local transfer, id = engine:start(head, body, options)
  if not transfer then return nil, { kind = "invalid", message = id, sent = "no" } end
  return driver.finish(engine, transfer, options)
end

local function serve(transfer, options)
  local want = transfer:wants()
  if want == "input" then
    transfer:feed(options.reader())
  elseif want == "drain" then
    options.sink(transfer:drain())
  elseif want == "progress" then
    options.on_progress(transfer:progress())
  end
  return want == "finished"
end

--- Runs a started transfer, and the other transfers of its engine, until it has finished.
function driver.finish(engine, transfer, options)
  while not serve(transfer, options or {}) do
    engine:wait(5)
    engine:pump()
    while engine:ready() do end
  end
  return transfer:finish()
end

--- Starts several transfers and runs all of them.
---@return waba.Response[]  in the order in which they finished
function driver.run_many(engine, head, body, count, options)
  local flying, responses = {}, {}
  for _ = 1, count do
    local transfer, id = assert(engine:start(head, body, options))
    flying[id] = transfer
  end
  while next(flying) do
    engine:wait(5)
    engine:pump()
    for id in function() return engine:ready() end do
      local response, failure = flying[id]:finish()
      assert(response, failure and failure.message)
      responses[#responses + 1] = response
      flying[id] = nil
    end
  end
  return responses
end

--- Runs an engine for some seconds, also after its transfers have finished.
function driver.pump_for(engine, seconds)
  local core = require "waba.core"
  local stop = core.clock() + seconds
  while core.clock() < stop do
    engine:wait(stop - core.clock())
    engine:pump()
  end
end

driver.curl = curl

return driver
