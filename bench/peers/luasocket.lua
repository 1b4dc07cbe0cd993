-- Sends messages with `https.request` of LuaSec, one at a time, each over a new connection.

package.path = arg[0]:match "^(.*)/[^/]*$" .. "/?.lua;" .. package.path

local support = require "support"
local cjson = require "cjson"
local https = require "ssl.https"
local ltn12 = require "ltn12"
local socket = require "socket"

local peer = support.read_arguments()
peer.headers["Content-Length"] = #peer.body

local function send()
  local parts = {}
  local done, status = https.request {
    url = peer.url, method = "POST", headers = peer.headers, source = ltn12.source.string(peer.body),
    sink = ltn12.sink.table(parts), cafile = peer.ca_file, verify = "peer", protocol = "any",
    options = { "all", "no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1_1" },
  }
  assert(done and (status == 200 or status == 201), status)
  return cjson.decode(table.concat(parts)).messages[1].id
end

support.run(peer, socket.gettime, function(count)
  for _ = 1, count do send() end
end)
