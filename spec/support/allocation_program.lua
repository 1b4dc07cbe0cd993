-- Fails each allocation of the C modules once, first those of Lua, then those of C. Each failure must result in a memory
-- error or in nil and a message, without a leak or a double free, and the modules must work afterwards.
-- spec/support/interpreter.c runs this program under a sanitizer: make sanitize.

package.path = "./?.lua;" .. package.path

local core = require "waba.core"
local curl = require "waba.curl"
local server = require "spec.support.server"

local fail_lua, fail_c = _G.fail_lua, _G.fail_c

local gateway = server.start { tls = false }
gateway:answer("/x", { headers = { { "X-Name", "value" } }, body = ("body"):rep(500) })
local target = os.tmpname()
local credentials = assert(core.credentials { header = "D360-API-KEY", value = "secret", origin = gateway.url })
local value = { text = "Grüße", number = 123456789012345, list = { 1.5, true, { name = "x" } } }
local json = '{"messages":[{"id":"wamid.x"}],"long":12345678901234567890,"half":"\\ud800"}'
local pick = core.picker("messages.id")

local function prepare(engine)
  return engine:prepare { method = "POST", url = gateway.url .. "/x", credentials = credentials, idempotent = false,
    headers = { ["Content-Type"] = "text/plain" } }
end

-- The tested operations. Each makes and closes all that it uses. A result other than nil is a success.
local steps = {
  { "encode", function() return core.encode(value) end },
  { "decode", function() return core.decode(json) end },
  { "pick", function() return pick '{"messages":[{"id":"wamid.x"}]}' end },
  { "credentials", function() return core.credentials { header = "X", value = "y", origin = gateway.url } end },
  { "hash", function() return core.sha256():update("x"):hex(), core.hmac_sha256("key", "x") end },
  { "headers", function() return core.headers("A: b\r\nA: c\r\n", 1, 12) end },
  { "text", function() return core.base64 "abcd", core.percent_encode "ä b", core.basic("user", "password") end },
  { "append", function() return core.append(target) end },
  { "engine", function()
    local engine, message = curl.engine { ca_file = gateway.ca_file, proxy = "http://127.0.0.1:1" }
    if engine then engine:close() end
    return engine, message
  end },
  { "alarm", function() return curl.alarm() end },
}

-- Runs a function again and again, each time with a later failure, until no allocation fails.
local function exhaust(name, fail, step)
  local count = -1
  repeat
    count = count + 1
    local failed, fine, result, message = fail(count, step)
    if not fine then
      assert(tostring(result):find("memory", 1, true), name .. ": " .. tostring(result))
    elseif result == nil then
      message = type(message) == "table" and message.message or message
      assert(tostring(message):lower():find "memory", name .. ": " .. tostring(message))
    end
    assert(count < 5000, name .. ": too many allocations")
  until failed == 0
  collectgarbage()
  return count
end

local function drive(transfer)
  for _ = 1, 10000 do
    if transfer:wants() then return end
    transfer:step(0.01)
  end
  error("the transfer does not end")
end

local total = 0
for _, fail in ipairs { fail_lua, fail_c } do
  for _, step in ipairs(steps) do
    total = total + exhaust(step[1], fail, step[2])
  end
  -- All operations use one engine, because it must work after a failure.
  local engine, body = assert(curl.engine()), ("body"):rep(500)
  local function started(options)
    local transfer = assert(engine:start(assert(prepare(engine)), "x", options))
    drive(transfer)
    return transfer
  end
  total = total + exhaust("prepare", fail, function() return prepare(engine) end)
  for _, options in ipairs { {}, { stream = true }, { save_as = target }, { max_body = 1 }, { progress = true } } do
    total = total + exhaust("start", fail, function()
      local head, message = prepare(engine)
      if not head then return nil, message end
      local transfer, problem = engine:start(head, "x", options)
      if transfer then
        transfer:cancel()
        transfer:finish()
      end
      return transfer, problem
    end)
  end
  total = total + exhaust("file", fail, function()
    local head, message = prepare(engine)
    if not head then return nil, message end
    return engine:start(head, { file = arg[0] })
  end)
  -- A complete request, on an open connection and on a new one. It must end, whichever allocation fails.
  local function request(on)
    local head, message = prepare(on)
    if not head then return nil, message end
    local transfer, problem = on:start(head, "x")
    if not transfer then return nil, problem end
    drive(transfer)
    return transfer:finish()
  end
  total = total + exhaust("request", fail, function() return request(engine) end)
  local fresh = {}
  total = total + exhaust("first request", fail, function()
    local another, message = curl.engine()
    if not another then return nil, message end
    fresh[#fresh + 1] = another
    return request(another)
  end)
  for _, another in ipairs(fresh) do another:close() end
  -- An error while a result is read does not lose the result.
  local transfer, response = started(), nil
  total = total + exhaust("finish", fail, function()
    response = response or transfer:finish()
    return response
  end)
  assert(response.status == 200 and response.body == body)
  total = total + exhaust("fields", fail, function() return response.headers end)
  assert(response.headers["x-name"] == "value" and response.timings.total >= 0)
  transfer = started { stream = true }
  local part
  total = total + exhaust("drain", fail, function()
    part = part or transfer:drain()
    return part
  end)
  assert(part == body, "a part of a stream is lost")
  assert(transfer:finish().status == 200)
  transfer = started { max_body = 1 }
  local failure
  exhaust("failure", fail, function()
    if not failure then failure = select(2, transfer:finish()) end
    return failure
  end)
  assert(failure.code == "too_large", failure.message)
  assert(started():finish().status == 200)
  engine:close()
end
os.remove(target)
gateway:stop()
print(total .. " allocations have failed")
