-- A program that sends while it can open few files: none at the first send, one at the second send, and so on. Prints
-- the result of each send, then "done". Arguments: event loop, URL of the gateway, file of its certificate authority,
-- file to upload (or "").

local loop, url, ca_file, upload = arg[1], arg[2], arg[3], arg[4]

local waba = require "waba"

local MOST = 10
local held = {}

local function hold_all()
  while true do
    local file = io.open "/dev/null"
    if not file then return end
    held[#held + 1] = file
  end
end

local function release(count)
  for _ = 1, count do table.remove(held):close() end
end

local function new_client()
  return waba.client { api_key = "key", base_url = url, ca_file = ca_file, retry = false, pace = false,
    loop = loop ~= "native" and loop or nil }
end

local function send(client)
  if upload ~= "" then return client.media:upload { file = upload, type = "image/jpeg" } end
  return client:send("4915112345678", waba.text "Hi")
end

local function describe(fine, sent, err)
  if not fine then return "raised: " .. tostring(sent) end
  if sent then return "sent" end
  return ("%s; kind %s, retryable %s, maybe_sent %s"):format(err.message, err.kind, tostring(err.retryable),
    tostring(err.maybe_sent))
end

-- The first send must not load any module, so the program sends nothing before.
local function run()
  local results = {}
  for count = 0, MOST do
    local client = new_client()
    hold_all()
    release(count)
    results[#results + 1] = describe(pcall(send, client))
    release(#held)
    results[#results + 1] = describe(pcall(send, client)) -- the same client sends again
    client:close()
  end
  print(table.concat(results, "\n") .. "\ndone")
  io.stdout:flush()
  os.exit(0) -- the loop of old versions of copas never ends
end

local starters = {
  blocking = function(fn) fn() end,
  native = function(fn) waba.run(fn) end,
  cqueues = function(fn)
    local controller = require("cqueues").new()
    controller:wrap(fn)
    assert(controller:loop())
  end,
  luv = function(fn)
    require "luv"
    coroutine.wrap(fn)()
    require("luv").run()
  end,
  copas = function(fn)
    local copas = require "copas"
    copas.addthread(fn)
    copas.loop()
  end,
}

starters[loop](run)
