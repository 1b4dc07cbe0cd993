-- The curl transport beyond the contract of transports: its engine, its connections, and the coroutine that drives the
-- engine.

local curl_transport = require "waba.transport.curl"
local server = require "spec.support.server"
local waba = require "waba"

describe("the curl transport", function()
  local gateway, transport

  before_each(function()
    gateway = server.start { protocol = "HTTP/1.1" }
    transport = curl_transport.new { ca_file = gateway.ca_file, max_connections = 2 }
  end)

  after_each(function()
    transport:close()
    gateway:stop()
  end)

  local function send(head)
    return assert(transport:send { head = head, body = "x", timeout = 20, connect_timeout = 20 })
  end

  it("ends the requests of more senders than it has connections", function()
    local head = { method = "POST", url = gateway.url .. "/many", headers = {}, idempotent = false }
    local responses = 0
    waba.run(function()
      for _ = 1, 24 do
        waba.spawn(function()
          for _ = 1, 5 do
            send(head)
            responses = responses + 1
          end
        end)
      end
    end)
    assert.equal(120, responses)
    assert.equal(120, gateway:count("/many"))
    assert.is_true(gateway:most_connections() <= 2)
  end)

  it("makes only the status and the body of a brief response", function()
    gateway:respond("/brief", { headers = { { "X-Thing", "a" } }, body = "1234" })
    gateway:respond("/refused", { status = 503, headers = { { "Retry-After", "7" } }, body = "later" })
    local function brief(path)
      local head = { method = "POST", url = gateway.url .. path, headers = {}, idempotent = false }
      return assert(transport:send({ head = head, body = "x", timeout = 20 }, true))
    end
    local response = brief "/brief"
    assert.same({ status = 200, body = "1234" }, response)
    assert.is_nil(response.headers)
    assert.equal("7", brief("/refused").headers["retry-after"])
  end)

  it("makes the fields of a response at their first use, all at once", function()
    gateway:respond("/fields", { headers = { { "X-Thing", "a" } }, body = "1234" })
    local response = send { method = "GET", url = gateway.url .. "/fields", headers = {}, idempotent = true }
    assert.equal(200, response.status)
    assert.equal("1234", response.body)
    assert.is_nil(response.nonsense)
    assert.is_nil(getmetatable(response))
    local fields = {}
    for name in pairs(response) do fields[#fields + 1] = name end
    table.sort(fields)
    assert.same({ "body", "bytes_received", "bytes_sent", "headers", "protocol", "reused", "sent", "status",
      "timings" }, fields)
    assert.equal("a", response.headers["x-thing"])
  end)
end)
