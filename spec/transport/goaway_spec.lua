-- Messages through a real nginx that ends each HTTP/2 connection with a GOAWAY after a few requests.

local folder = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local waba = require "waba"

local NUMBER = "4915112345678"
local MESSAGES, IN_FLIGHT, PER_CONNECTION = 400, 16, 20

-- nginx passes the requests to a second server, so that several requests are in flight when a connection ends.
local CONFIGURATION = [[
pid nginx.pid;
error_log error.log;
events { worker_connections 512; }
http {
  access_log access.log;
  server {
    listen 127.0.0.1:%d ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    keepalive_requests %d;
    location / { proxy_pass http://127.0.0.1:%d; }
  }
  server {
    listen 127.0.0.1:%d;
    access_log off;
    default_type application/json;
    location / { return 201 '{"messages":[{"id":"gBEG"}]}'; }
  }
}
]]

describe("a gateway that closes its connections gracefully", function()
  local files, program, client

  setup(function()
    files = folder.new()
    nginx.certify(files)
    local port, inner = process.free_port(), process.free_port()
    program = nginx.start(files, CONFIGURATION:format(port, PER_CONNECTION, inner, inner), port)
    client = waba.client {
      api_key = "key", base_url = "https://localhost:" .. port, ca_file = files:file "ca.pem", pace = false,
      retry = { attempts = 4, base = 0.01 },
    }
  end)
  teardown(function()
    client:close()
    program:stop()
    files:remove()
  end)

  it("receives each message of a burst once, with no uncertain result", function()
    local left, accepted = MESSAGES, 0
    local function work()
      while left > 0 do
        left = left - 1
        if assert(client:send(NUMBER, waba.text "Hi")) then accepted = accepted + 1 end
      end
    end
    waba.run(function()
      for _ = 1, IN_FLIGHT do waba.spawn(work) end
    end)
    assert.equal(MESSAGES, accepted)
    local processed
    process.wait_for(function() -- nginx writes its log after it has sent the response
      processed = select(2, files:read "access.log":gsub(" 201 ", ""))
      return processed >= MESSAGES
    end, "the log of " .. MESSAGES .. " requests")
    assert.equal(MESSAGES, processed)
  end)
end)
