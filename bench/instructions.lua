-- Counts the instructions that each library executes while a message is sent, with valgrind (--tool=callgrind). The
-- counts do not depend on the speed of the machine. The programs are those of bench/send.lua.
--
--   make bench BENCH=bench/instructions.lua
--   lua5.4 bench/instructions.lua [HTTP/1.1|HTTP/2] [in flight]     by default HTTP/2 and 64
--
-- Each program runs twice, the second time with more messages. The difference of the counts is the cost of the
-- additional messages.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local message = require "message"
local peers = require "peers"
local process = require "spec.support.process"
local stub = require "stub"

local protocol, in_flight = arg[1] or "HTTP/2", tonumber(arg[2] or 64)
local FEW, MORE = 1000, 3000 -- LuaJIT compiles the code during the first thousand messages

-- The rows of the result table. An object file belongs to the row with the first pattern that matches its name.
local LAYERS = {
  { "libcurl", { "libcurl" } }, { "nghttp2", { "nghttp2" } }, { "OpenSSL", { "libssl", "libcrypto" } },
  { "cjson", { "cjson" } }, { "waba.curl", { "waba/curl%.so" } }, { "waba.core", { "waba/core%.so" } },
  { "Lua", { "liblua", "/lua5%.%d$", "luajit" } },
  { "libc", { "/libc[%.%-]", "ld%-linux", "vdso", "libpthread" } },
  { "program", { "build/bench/" } },
}

local function layer_of(object)
  for _, layer in ipairs(LAYERS) do
    for _, pattern in ipairs(layer[2]) do
      if object:find(pattern) then return layer[1] end
    end
  end
  return "other"
end

-- Returns the sum of the costs in a callgrind file for each row. The line after "calls=" is left out: it has the cost
-- of a called function, which the lines of that function contain too.
local function read_counts(path)
  local counts, names, layer, is_call = { total = 0 }, {}, "other", false
  for line in io.lines(path) do
    local id, name = line:match "^ob=(%(%d+%))%s*(.*)$"
    if id then
      if name ~= "" then names[id] = name end
      layer = layer_of(names[id] or "")
    elseif line:find "^calls=" then
      is_call = true
    elseif line:find "^[%+%-%*%d]" then
      local cost = tonumber(line:match "^%S+%s+(%d+)")
      if cost and not is_call then
        counts[layer], counts.total = (counts[layer] or 0) + cost, counts.total + cost
      end
      is_call = false
    else
      local own, own_name = line:match "^cob=(%(%d+%))%s*(.*)$"
      if own and own_name ~= "" then names[own] = own_name end
    end
  end
  return counts
end

local function count(peer, job, messages)
  local path = os.tmpname()
  local counted = {}
  for name, value in pairs(job) do counted[name] = value end
  counted.warm_up, counted.count = in_flight, messages
  local words = { "valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" .. path }
  for _, word in ipairs(peer.command(counted)) do words[#words + 1] = word end
  for i, word in ipairs(words) do words[i] = process.quote(word) end
  local output = process.run(table.concat(words, " ") .. " 2>/dev/null")
  if not output:find "^[%d.]+ [%d.]+$" then error(peer.name .. " failed: " .. output, 0) end
  local counts = read_counts(path)
  os.remove(path)
  return counts
end

local function per_message(peer, job)
  local few, more, result = count(peer, job, FEW), count(peer, job, MORE), {}
  for layer, cost in pairs(more) do result[layer] = (cost - (few[layer] or 0)) / (MORE - FEW) end
  return result
end

local function main()
  local server = stub.start()
  local sized = message.sized()
  local job = message.job(sized, {
    url = server:url(protocol == "HTTP/2" and "http2" or "http1", 0), ca_file = server.ca_file, protocol = protocol,
    in_flight = in_flight,
  })
  local results = {}
  local ok, fault = pcall(function()
    for _, name in ipairs { "waba", "floor", "bare" } do
      for _, peer in ipairs(peers.list) do
        if peer.name == name then results[name] = per_message(peer, job) end
      end
    end
  end)
  server:stop()
  if not ok then error(fault, 0) end
  print(("%s, %s, %d in flight: thousands of instructions per message\n"):format(jit and jit.version or _VERSION,
    protocol, in_flight))
  print(("%-12s %8s %8s %8s"):format("", "waba", "floor", "bare"))
  local layers = { "total" }
  for _, layer in ipairs(LAYERS) do layers[#layers + 1] = layer[1] end
  layers[#layers + 1] = "other"
  for _, layer in ipairs(layers) do
    local function thousands(name) return (results[name][layer] or 0) / 1000 end
    print(("%-12s %8.1f %8.1f %8.1f"):format(layer, thousands "waba", thousands "floor", thousands "bare"))
  end
end

main()
