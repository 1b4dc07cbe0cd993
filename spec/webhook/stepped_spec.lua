-- The webhook server in a program whose own event loop calls `server:step()`. The program also uses its client outside
-- of the server, so the client's option `loop` names the event loop of the program.

local core = require "waba.core"
local http1 = require "spec.support.plain_http"
local server = require "spec.support.server"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

-- Steps a server until a condition is true.
local steppers = {}

function steppers.luv(one, is_over)
  local uv = require "luv"
  local timer = uv.new_timer()
  timer:start(0, 5, function()
    assert(one:step())
    if is_over() then timer:close() end
  end)
  uv.run()
end

function steppers.copas(one, is_over)
  local copas = require "copas"
  local over = false
  copas.addthread(function()
    while not is_over() do
      assert(one:step())
      waba.sleep(0.005)
    end
    over = true
  end)
  while not over do copas.step(0.01) end
end

function steppers.native(one, is_over)
  waba.run(function()
    while not is_over() do
      assert(one:step())
      waba.sleep(0.005)
    end
  end)
end

function steppers.cqueues(one, is_over)
  local controller = require("cqueues").new()
  controller:wrap(function()
    while not is_over() do
      assert(one:step())
      waba.sleep(0.005)
    end
  end)
  assert(controller:loop())
end

describe("a webhook server that is stepped by", function()
  local gateway

  setup(function() gateway = server.start {} end)
  teardown(function() gateway:stop() end)

  for _, name in ipairs { "luv", "copas", "native", "cqueues" } do
    for _, named in ipairs { name, "its own" } do
      it(("%s, with a client in %s loop"):format(name, named), function()
        local client = waba.client {
          api_key = "key", base_url = gateway.url, ca_file = gateway.ca_file, pace = false, retry = false,
          loop = named == name and name or nil,
        }
        local replied, errors = {}, {}
        local receiver = waba.receiver { open = true, client = client, on = {
          text = function(event)
            waba.sleep(0.01)
            local response, err = client:request { method = "POST", path = "/v1/x", body = { id = event.id } }
            replied[#replied + 1] = event.id
            errors[#errors + 1] = not response and tostring(err) or nil
          end,
          error = function(_, err) errors[#errors + 1] = tostring(err) end,
        } }
        local one = assert(waba.webhook.server { receiver = receiver, interval = 0.01 })
        local post = http1.posting(one.port, { webhooks.texts("a", "b"), webhooks.texts "c" })
        local deadline = core.clock() + 10
        steppers[name](one, function() return post() == 2 and #replied == 3 or core.clock() > deadline end)
        one:close()
        client:close()
        table.sort(replied)
        assert.same({}, errors)
        assert.same({ "a", "b", "c" }, replied)
      end)
    end
  end
end)
