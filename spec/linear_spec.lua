-- The time to read external data grows in proportion to the size of the data, even if the data are deeply nested. The
-- tests count instructions of Lua's virtual machine and allocated bytes instead of seconds.

local own_process = require "spec.support.own_process"
local core = require "waba.core"
local keys = require "waba.inbox.keys"
local waba = require "waba"

local jit = rawget(_G, "jit")

-- Returns the cost of a call: the number of executed instructions in hundreds, and the allocated memory in KiB.
local function work_of(fn)
  collectgarbage()
  collectgarbage "stop"
  if jit then jit.off() end -- compiled code does not call hooks
  local steps, before = 0, collectgarbage "count"
  debug.sethook(function() steps = steps + 1 end, "", 100)
  fn()
  debug.sethook()
  local memory = collectgarbage "count" - before
  if jit then jit.on() end
  collectgarbage "restart"
  return steps, memory
end

-- Asserts that an input of four times the size costs about four times as much.
local function assert_linear(make)
  local function measure(levels)
    local input = make(levels)
    return work_of(input)
  end
  measure(100) -- loads modules before the measurement
  local steps, memory = measure(200)
  local more_steps, more_memory = measure(800)
  assert(more_steps < 8 * steps + 100, ("%d and %d steps"):format(steps, more_steps))
  assert(more_memory < 8 * memory + 1000, ("%.0f and %.0f KiB"):format(memory, more_memory))
end

local WIDE = ("1,"):rep(30)

-- Functions that return nested JSON of several shapes with `levels` levels around a null.
local SHAPES = {
  objects = function(levels) return ('{"a":'):rep(levels) .. "null" .. ("}"):rep(levels) end,
  ["lists with much before the null"] = function(levels)
    return ("[" .. WIDE):rep(levels) .. "null" .. ("]"):rep(levels)
  end,
  ["lists with a null in each"] = function(levels)
    return ("[" .. WIDE):rep(levels) .. "1" .. (",null]"):rep(levels)
  end,
  ["objects with a null in each"] = function(levels)
    return ('{"n":null,"b":[' .. WIDE .. '1],"a":'):rep(levels) .. "1" .. ("}"):rep(levels)
  end,
}

local function cloud(field, value)
  return '{"object":"whatsapp_business_account","entry":[{"id":"1","time":1,"changes":[{"field":"' .. field
    .. '","value":' .. value .. "}]}]}"
end

local function quoted(text) return (core.encode { text }):sub(2, -2) end

-- Functions that return a webhook with a nested value at a certain place.
local PLACES = {
  ["news on Cloud"] = function(json) return cloud("something_new", json) end,
  ["an unknown field of a message"] = function(json)
    return cloud("messages", '{"messages":[{"id":"a","from":"1","type":"image","image":{"id":"1","x":' .. json .. "}}]}")
  end,
  ["shared contacts"] = function(json)
    return '{"messages":[{"id":"a","from":"1","type":"contacts","contacts":[' .. json .. "]}]}"
  end,
  ["an edited message"] = function(json)
    return cloud("messages", '{"messages":[{"id":"a","from":"1","type":"edit","edit":{"message":' .. json .. "}}]}")
  end,
  ["a flow's response_json"] = function(json)
    return cloud("messages", '{"messages":[{"id":"a","from":"1","type":"interactive","interactive":{"type":"nfm_reply",'
      .. '"nfm_reply":{"response_json":' .. quoted(json) .. "}}}]}")
  end,
  ["a list that On-Premise hosting does not have"] = function(json) return '{"news":[' .. json .. "]}" end,
}

local PATH = "spec/linear_spec.lua"

if not own_process.is(PATH) then
  it("reading external data takes linear work: passes in a process of its own", function()
    assert.is_nil(own_process.run(PATH))
  end)
  return
end

describe("reading a deep webhook is linear:", function()
  for place, around in pairs(PLACES) do
    for shape, of in pairs(SHAPES) do
      it(place .. ", " .. shape, function()
        assert_linear(function(levels)
          local body = around(of(levels))
          return function() assert.equal(1, #assert(waba.events(body))) end
        end)
      end)
    end
  end

  for shape, of in pairs(SHAPES) do
    it("the key of an account event, " .. shape, function()
      assert_linear(function(levels)
        local event = assert(waba.events(cloud("something_new", of(levels))))[1]
        return function() assert.is_string(keys.identity(event)) end
      end)
    end)
  end

  it("more than 1000 levels are an error", function()
    local events, err = waba.events(cloud("x", ("["):rep(1000) .. ("]"):rep(1000)))
    assert.is_nil(events)
    assert.equal("protocol", err.kind)
    assert.matches("more than 1000 levels", err.message)
  end)
end)

describe("an error response that is not JSON", function()
  local scripted = require "spec.support.scripted_transport"

  -- Returns the error of a send whose response has status 400 and this body.
  local function refused(body, hosting)
    local client = scripted.client({ { status = 400, body = body } }, { hosting = hosting, retry = false })
    return select(2, client:send("491511234567", waba.text "Hello"))
  end

  it("is read in time in proportion to its size", function()
    for _, body in ipairs {
      ("<"):rep(1e6), (" "):rep(1e6) .. "x", '{"error":"' .. ("this url "):rep(1e5) .. '"}',
      '{"meta":{"developer_message":"' .. ("1 request every "):rep(6e4) .. '"}}',
    } do
      for _, hosting in ipairs { "cloud", "on_premise" } do
        local err = refused(body, hosting)
        assert.is_number((core.utf8_length(err.message)))
      end
    end
  end)

  it("is quoted up to a complete character", function()
    assert.equal(("x"):rep(200) .. "…", refused(("x"):rep(5000)).message)
    assert.equal("a…", refused("<b>a</b>" .. ("<i>"):rep(5000)).message)
    local err = refused("a" .. ("<i>"):rep(664) .. "<br>aaü" .. (" "):rep(3000))
    assert.is_number((core.utf8_length(err.message)))
  end)
end)
