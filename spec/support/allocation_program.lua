-- Calls the functions of both C modules while allocations fail: each allocation of Lua, and each allocation of the
-- modules and libcurl. Each call runs twice: one allocation fails, or this allocation and all later ones fail. The call
-- must return its usual result or a memory error. A failed call must leak no block and no descriptor, and its objects
-- must work afterwards. Run by spec/support/interpreter.c.

package.path = "./?.lua;" .. package.path

local core = require "waba.core"
local curl = require "waba.curl"
local encoding = require "waba.encoding"
local process = require "spec.support.process"
local server = require "spec.support.server"

local fail_lua, fail_c, blocks, descriptors = _G.fail_lua, _G.fail_c, _G.blocks, _G.descriptors
local CASES = { { fail_c, true }, { fail_c, false }, { fail_lua, true }, { fail_lua, false } }
if rawget(_G, "jit") then CASES[3], CASES[4] = nil, nil end -- LuaJIT itself crashes when it has no memory for its traces

local gateway = server.start { tls = false }
local url = "http://127.0.0.1:" .. gateway.port -- an address, because libcurl would resolve a name in a thread
local folder = process.folder()
local target, upload = folder:file "target", folder:file("upload", ("upload"):rep(30000))
local credentials = assert(core.credentials { header = "D360-API-KEY", value = "secret", origin = url })
local body = ("body"):rep(500)
gateway:respond("/x", { headers = { { "X-Name", "value" } }, body = body })
gateway:respond("/large", { body = "0123456789", times = 20000 })
local large = ("0123456789"):rep(20000)

local function is_memory(message)
  return tostring(message):lower():find("memory", 1, true) ~= nil
end

-- Returns whether missing memory can be the cause of a failure. libcurl often reports another error code than
-- CURLE_OUT_OF_MEMORY.
local function is_possible(failure)
  if type(failure) ~= "table" then return is_memory(failure) end
  return is_memory(failure.message) or type(failure.code) == "number"
end

-- Calls `use(fail)` repeatedly; in each run one more allocation succeeds, until none fails. `fail(f, ...)` calls f
-- while allocations fail; it returns the results of f, or nil and the memory error. If `strict` is true, f must fail
-- when an allocation of the modules or of libcurl fails.
local function exhaust(name, use, strict)
  local total = 0
  for _, case in ipairs(CASES) do
    local count, failed = 0, nil
    local function check(failures, succeeded, result, ...)
      failed = failed + failures
      local message = result == nil and ... or nil
      if not succeeded then result, message = nil, result end
      if not succeeded or message then
        if failures == 0 or not is_possible(message) then
          error(("%s, %d allocations, then %s: %s"):format(name, count, case[2] and "one fails" or "all fail",
            tostring(type(message) == "table" and message.message or message)))
        end
      end
      local has_effect = failures == 0 or result == nil or case[1] == fail_lua
      assert(has_effect or not strict, name .. ": a failed allocation is ignored")
      return result, message or ...
    end
    local function fail(f, ...) return check(case[1](count, case[2], f, ...)) end
    collectgarbage()
    local blocks_before, descriptors_before = blocks(), descriptors()
    repeat
      failed = 0
      use(fail)
      total, count = total + failed, count + 1
      assert(count < 5000, name .. ": too many allocations")
    until failed == 0
    collectgarbage()
    collectgarbage()
    local lost, open = blocks() - blocks_before, descriptors() - descriptors_before
    if lost ~= 0 or open ~= 0 then error(("%s: %d blocks and %d descriptors are lost"):format(name, lost, open)) end
  end
  return total
end

-- Returns the content of a value as text, with the names in alphabetical order.
local function plain(value)
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for name, part in pairs(value) do parts[#parts + 1] = tostring(name) .. "=" .. plain(part) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Calls of functions of waba.core. While allocations fail, each call returns its usual result or a memory error.
local value = { text = ("Grüße\n"):rep(500), number = 123456789012345, list = { 1.5, true, { name = "x" } } }
local json = '{"messages":[{"id":"wamid.x"}],"long":12345678901234567890,"half":"\\ud800' .. ("x"):rep(600)
  .. '","exact":0.' .. ("1"):rep(80) .. ',"escape":"\\n"}'
local with_index = { list = { setmetatable({ name = "x" }, { __index = {} }) } }
local pick = core.picker("messages.id", "object")
local lists, entry = { messages = true }, folder:file "entry"
local secret = assert(core.header_secret { header = "D360-API-KEY", value = "secret", origin = url })

local functions = {
  encode = function() return #assert(core.encode(value)) end,
  refuse = function() return select(3, core.encode { list = { 1, { name = 0 / 0 } } }) end,
  decode = function()
    local decoded, texts = core.decode(json, lists)
    return decoded, texts and texts[decoded.messages[1]]
  end,
  malformed = function() return select(2, core.decode '{"a":"\\q"}') end,
  plain = function() return core.plain(with_index) end,
  picker = function() return core.picker("messages.id", "object") '{"messages":[{"id":"wamid.x"}]}' end,
  pick = function() return pick '{"messages":[{"id":"wamid.x"}],"object":true}' end,
  credentials = function()
    return tostring(assert(core.credentials { header = "X", value = "y", origin = url }))
  end,
  redact = function() return core.redact("the secret and the secret", credentials) end,
  head = function()
    return assert(core.ready_head("POST", "/x", "127.0.0.1:" .. gateway.port, { ["X-Name"] = "value" }, secret,
      url)):bytes(5)
  end,
  redis = function() return core.redis_commands { { "XADD", "key", ("x"):rep(100) }, { "PING" } } end,
  parts = function() return core.redis_parts("100 - =1\n" .. ("x"):rep(100)) end,
  response = function() return select(2, core.response_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 1)) end,
  headers = function() return core.headers("A: b\r\nA: c\r\n", 1, 12) end,
  hash = function() return core.sha256():update("x"):hex() end,
  hmac = function() return core.hmac_sha256("key", "x") end,
  base64 = function() return encoding.base64 "abcd" end,
  percent = function() return encoding.percent "ä b" end,
  basic = function() return encoding.basic("user", "password") end,
  origin = function() return core.origin "https://Example.com/x" end,
  path = function() return core.absolute_path "file" end,
  identity = function() return core.file_identity(upload) end,
  space = function() return core.free_space(upload) ~= nil end,
  error = function() return core.system_error(2) end,
  append = function()
    local file, message = core.append(target)
    if file then
      message = nil
      file:close()
    end
    return file and "written", message
  end,
  remove = function()
    core.remove_at_exit(entry, true)
    core.remove_at_exit(entry, false)
    return true
  end,
}
-- check_proxy returns an error text, or nothing for a valid URL.
for name, proxy in pairs { proxy = "http://127.0.0.1:1/path?query#fragment", scheme = "ftp://127.0.0.1:1", malformed_proxy = "http://[" } do
  functions[name] = function()
    local message = curl.check_proxy(proxy)
    if is_memory(message) then return nil, message end
    return message or "valid"
  end
end

local total = 0
for name, call in pairs(functions) do
  local expected = plain(call())
  total = total + exhaust(name, function(fail)
    local result = fail(call)
    assert(result == nil or plain(result) == expected, name .. ": an incorrect result: " .. plain(result))
    assert(plain(call()) == expected, name .. ": an incorrect result after a failure")
  end, true)
end

-- Calls of engines and transfers. Each run has an engine of its own, which must send a request after the failure.
local function prepare(engine, path)
  return engine:prepare { method = "POST", url = url .. (path or "/x"), credentials = credentials, idempotent = false,
    headers = { ["Content-Type"] = "text/plain", ["X-Name"] = "" } }
end

local function drive(engine, transfer, serve)
  local ends = core.clock() + 20
  while core.clock() < ends do
    local want = transfer:wants()
    if want == "finished" then return transfer:finish() end
    if want then serve[want](transfer) end
    transfer:step(0.01)
    while engine:ready() do end
  end
  error "the transfer does not end"
end

-- Runs a transfer to its end. An error of the reader or the sink cancels the transfer.
local function run(engine, request, options, serve, path)
  local head, message = prepare(engine, path)
  if not head then return nil, message end
  local transfer, problem = engine:start(head, request, options, nil, credentials)
  if not transfer then return nil, problem end
  local results = { pcall(drive, engine, transfer, serve) }
  if results[1] then return results[2], results[3] end
  transfer:cancel()
  error(results[2], 0)
end

local function with_engine(name, use, options, strict)
  total = total + exhaust(name, function(fail)
    local engine = assert(curl.engine(options))
    use(fail, engine)
    local response = assert(run(engine, "after"))
    assert(response.status == 200 and response.body == body, name .. ": the engine does not work after a failure")
    engine:close()
  end, strict)
end

local function expect(result, expected, name)
  assert(result == nil or result == expected, name .. ": an incorrect result")
end

total = total + exhaust("engine", function(fail)
  local engine = fail(curl.engine, { ca_file = gateway.ca_file, proxy = "http://127.0.0.1:1", max_connections = 2 })
  if engine then
    assert(engine:pollfd() and engine:in_flight() == 0)
    engine:close()
  end
end, true)
total = total + exhaust("alarm", function(fail)
  local alarm = fail(curl.alarm)
  if alarm then alarm:close() end
end)
with_engine("prepare", function(fail, engine)
  local head = fail(prepare, engine, "/x")
  if head then assert(engine:start(head, "x")):cancel() end
end, nil, true)
local starts = { string = { "x" }, ["long string"] = { ("x"):rep(70000) }, file = { { file = upload } }, fed = { {} },
  ["save_as"] = { "x", { save_as = target } }, timeout = { "x", { timeout = 5, connect_timeout = 5 } } }
for name, case in pairs(starts) do
  with_engine("start of " .. name, function(fail, engine)
    local transfer = fail(engine.start, engine, assert(prepare(engine)), case[1], case[2], nil, credentials)
    if transfer then
      transfer:cancel()
      transfer:finish()
    end
  end, nil, true)
end

local received
local requests = {
  { "string", "x" }, { "long string", ("x"):rep(70000) }, { "file", { file = upload } },
  { "save_as", "x", { save_as = target } }, { "timeout", "x", { timeout = 5, connect_timeout = 5 } },
  { "stream", "x", { stream = true }, { drain = function(transfer)
    local part = transfer:drain()
    received = received .. part
  end } },
  { "fed", {}, nil, { input = function(transfer)
    transfer:feed "piece"
    transfer:feed()
  end } },
}
for _, case in ipairs(requests) do
  local name, request, options, serve = case[1], case[2], case[3], case[4]
  with_engine(name, function(fail, engine)
    received = ""
    gateway:forget()
    local response = fail(run, engine, request, options, serve)
    if not response then return end
    assert(response.status == 200 and response.headers["x-name"] == "value", name .. ": an incorrect response")
    if name == "fed" then assert(gateway:received()[1].body == "piece", "a piece is lost") end
    if name == "save_as" then
      assert(folder:read "target" == body, "an incorrect file")
      assert(response.body == "")
    elseif name == "stream" then
      assert(received == body and response.body == "", "an incorrect stream")
    else
      assert(response.body == body, name .. ": an incorrect body")
    end
  end)
end
with_engine("large body", function(fail, engine)
  local response = fail(run, engine, "x", nil, nil, "/large")
  if response then expect(response.body, large, "large body") end
end)
-- If setting the proxy failed and was not reported, the transfer would not use the proxy.
gateway:respond("gateway.invalid:443", { status = 403 })
with_engine("proxy", function(fail, engine)
  local head = assert(engine:prepare { method = "GET", url = "https://gateway.invalid/", idempotent = true })
  local transfer = fail(engine.start, engine, head) or assert(engine:start(head))
  local _, failure = drive(engine, transfer)
  assert(failure.path == "proxy", failure.message)
end, { proxy = url, ca_file = gateway.ca_file })
-- The handle of a cancelled transfer is not used again, so the next transfer needs a new handle.
with_engine("discarded handle", function(fail, engine)
  local head = assert(prepare(engine))
  local transfer = assert(engine:start(head, "x"))
  transfer:cancel()
  transfer:finish()
  transfer = fail(engine.start, engine, head, "x") or assert(engine:start(head, "x"))
  assert(tostring(transfer):find("transfer 1 ", 1, true), "a transfer is lost")
  assert(drive(engine, transfer).body == body)
end)
-- The pool of transfers must grow for the 17th transfer.
with_engine("many transfers", function(fail, engine)
  local head, flying = assert(prepare(engine)), {}
  for i = 1, 16 do flying[i] = assert(engine:start(head, "x")) end
  flying[17] = fail(engine.start, engine, head, "x")
  for _, transfer in ipairs(flying) do assert(assert(drive(engine, transfer)).body == body) end
end)
with_engine("wait", function(fail, engine)
  fail(function()
    curl.wait({ engine }, 0)
    return true
  end)
end, nil, true)
-- The table of sockets must grow for a socket with a high number, while another socket is in use.
with_engine("many sockets", function(fail, engine)
  gateway:respond("/held", { held = true, body = body })
  local held = assert(engine:start(assert(prepare(engine, "/held")), "x"))
  while gateway:count "/held" == 0 do held:step(0.01) end
  local files = {}
  for i = 1, 64 do files[i] = assert(io.open "/dev/null") end
  local response = fail(run, engine, "x")
  assert(response == nil or response.body == body)
  for _, file in ipairs(files) do file:close() end
  gateway:release()
  local kept, failure = drive(engine, held)
  assert(kept and kept.body == body or is_possible(failure), failure and failure.message)
  gateway:forget()
end)
-- If Lua can't make the table of a response, the transfer keeps the response.
with_engine("finish", function(fail, engine)
  local transfer = assert(engine:start(assert(prepare(engine)), "x"))
  while transfer:wants() ~= "finished" do transfer:step(1) end
  local response = fail(transfer.finish, transfer) or assert(transfer:finish())
  local headers = fail(function() return response.headers end) or response.headers
  assert(response.body == body and headers["x-name"] == "value" and response.timings.total >= 0)
end)
with_engine("drain", function(fail, engine)
  local transfer = assert(engine:start(assert(prepare(engine)), "x", { stream = true }))
  while transfer:wants() ~= "drain" do transfer:step(1) end
  assert((fail(transfer.drain, transfer) or transfer:drain()) == body, "a part of a stream is lost")
  assert(drive(engine, transfer, {}).status == 200)
end)
with_engine("failure", function(fail, engine)
  local transfer = assert(engine:start(assert(prepare(engine)), "x", { max_body = 1 }))
  while transfer:wants() ~= "finished" do transfer:step(1) end
  local failure = fail(function()
    local _, failure = transfer:finish()
    return failure
  end) or select(2, transfer:finish())
  assert(failure.code == "too_large", failure.message)
end)

assert(not folder:names():find(".part", 1, true), "an incomplete file is left")
folder:remove()
gateway:stop()
print(total .. " allocations have failed")
