-- Measures how much memory an upload or a download of 200 MB needs, for every function that does not return the bytes.
-- The emulator is the gateway, over TLS; with HTTP/2 an nginx is in front of the emulator.
--
--   lua5.4 bench/media.lua              luajit bench/media.lua      (after: eval "$(make -s env)")
--   lua5.4 bench/media.lua --quick      with 20 MB
--
-- Each transfer runs in a process of its own. The memory after a first, small request is "idle"; the result is the peak
-- of resident memory minus idle. A download to memory is measured for comparison. Linux only.

local core = require "waba.core"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local waba = require "waba"

local MB = 1024 * 1024
local ALLOWED = 20 -- the largest allowed growth above idle, in MB
local CHUNK = ("0123456789abcdef"):rep(4096)

-- Memory of this process --------------------------------------------------------------------------

-- Returns "VmRSS" (current) or "VmHWM" (peak) in MB.
local function memory(name)
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match("^" .. name .. ":%s*(%d+) kB")
    if kilobytes then return kilobytes / 1024 end
  end
  error("there is no " .. name)
end

local function forget_peak()
  local file = assert(io.open("/proc/self/clear_refs", "w"))
  file:write "5"
  file:close()
end

-- The transfers: each runs alone in a process -----------------------------------------------------

local function reader(size)
  local left = size
  return function()
    if left <= 0 then return nil end
    local piece = left < #CHUNK and CHUNK:sub(1, left) or CHUNK
    left = left - #piece
    return piece
  end
end

local function upload(client, options)
  options.type, options.timeout = "application/octet-stream", 600
  return assert(client.media:upload(options)).id
end

local ways = {
  ["upload of a file"] = function(client, job) upload(client, { file = job.file }) end,
  ["upload from a reader"] = function(client, job)
    upload(client, { reader = reader(job.size), size = job.size })
  end,
  ["upload from a reader without a size"] = function(client, job)
    upload(client, { reader = reader(job.size) })
  end,
  ["download to a file"] = function(client, job)
    local got = assert(client.media:download(job.id, { file = job.file .. ".got", sha256 = job.sha256, timeout = 600 }))
    assert(got.size == job.size)
  end,
  ["download to a sink"] = function(client, job)
    local size = 0
    assert(client.media:download(job.id, {
      sha256 = job.sha256, timeout = 600, sink = function(bytes) size = size + #bytes end,
    }))
    assert(size == job.size)
  end,
  -- For comparison: a download that returns the bytes.
  ["download to memory"] = function(client, job)
    assert(#assert(client.media:download(job.id, { max_body = job.size, timeout = 600 })).data == job.size)
  end,
}

local function run_one(job_file, way)
  local job = dofile(job_file)
  local client = waba.client {
    api_key = job.api_key, base_url = job.url, ca_file = job.ca_file, validate = false, pace = false, retry = false,
  }
  assert(client.media:upload { data = "small", type = "text/plain" })
  collectgarbage()
  collectgarbage()
  local idle = memory "VmRSS"
  forget_peak()
  local started = core.clock()
  ways[way](client, job)
  print(("%.3f %.3f %.3f"):format(idle, memory "VmHWM" - idle, core.clock() - started))
  client:close()
end

if arg[1] == "--one" then return run_one(arg[2], arg[3]) end

-- All of them -------------------------------------------------------------------------------------

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  for piece in bytes do file:write(piece) end
  file:close()
end

local ORDER = {
  "upload of a file", "upload from a reader", "upload from a reader without a size", "download to a file",
  "download to a sink", "download to memory",
}

local function run_all(size, folder, http2)
  local emulator = assert(waba.emulator.start { statuses = false, max_media = size })
  local client = waba.client(emulator:options { validate = false, pace = false, retry = false })
  local proxy = http2 and nginx.http2_proxy(emulator.url)
  local server = proxy or emulator
  local job = { file = folder .. "/large.bin", size = size, url = server.url, ca_file = server.ca_file,
    api_key = emulator.api_key }
  job.id = upload(client, { file = job.file })
  job.sha256 = assert(client.media:download(job.id, { sink = function() end, timeout = 600 })).sha256
  client:close()

  local job_file = folder .. "/job.lua"
  write(job_file, coroutine.wrap(function()
    coroutine.yield "return {"
    for name, value in pairs(job) do
      coroutine.yield((type(value) == "number" and "%s = %.0f," or "%s = %q,"):format(name, value))
    end
    coroutine.yield "}"
  end))
  local worst = 0
  for _, way in ipairs(ORDER) do
    local text = process.run(("%s %s --one %s '%s'"):format(arg[-1], arg[0], job_file, way))
    local idle, above, seconds = text:match "^([%d.-]+) ([%d.-]+) ([%d.-]+)"
    assert(idle, way .. " failed: " .. text)
    if way ~= "download to memory" then worst = math.max(worst, tonumber(above)) end
    print(("  %-36s %-8s  idle %5.1f MB   peak %+6.2f MB   %6.1f MB/s"):format(way, http2 and "HTTP/2" or "HTTP/1.1",
      idle, above, size / MB / seconds))
  end
  if proxy then proxy.stop() end
  emulator:stop()
  return worst
end

local size = (arg[1] == "--quick" and 20 or 200) * MB
local folder = process.run "mktemp -d"
write(folder .. "/large.bin", reader(size))
print(("%s, a file of %d MB"):format(jit and jit.version or _VERSION, size / MB))
local finished, worst = pcall(function()
  return math.max(run_all(size, folder, false), run_all(size, folder, true))
end)
os.execute("rm -rf '" .. folder .. "'")
if not finished then error(worst, 0) end
print(("  most above idle: %.2f MB (allowed: %d)"):format(worst, ALLOWED))
os.exit(worst <= ALLOWED and 0 or 1)
