-- The check of a message and the encoder ignore metatables, so that both read the same members.

local core = require "waba.core"
local messages = require "spec.support.messages"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local NUMBER = "491511234567"

-- Functions that return a metatable. With the metatable an empty table seems to have the members of `content`.
local WAYS = {
  index = function(content) return { __index = content } end,
  everything = function(content)
    return {
      __index = content, __len = function() return #content end, __pairs = function() return next, content end,
      __ipairs = function() return ipairs(content) end,
    }
  end,
}

-- Returns the number of tables in a value.
local function count(value)
  local total = 1
  for _, member in pairs(value) do
    if type(member) == "table" then total = total + count(member) end
  end
  return total
end

-- Returns two copies of a value in which the table with the number `number` is empty. In the first copy the empty table
-- has a metatable that returns the original members.
local function with_hidden(value, number, way)
  local at = 0
  local function build(table_)
    at = at + 1
    local is_hidden = at == number
    local shown, bare = {}, {}
    for name, member in pairs(table_) do
      if type(member) == "table" then
        shown[name], bare[name] = build(member)
      else
        shown[name], bare[name] = member, member
      end
    end
    if is_hidden then return setmetatable({}, way(shown)), {} end
    return shown, bare
  end
  return build(value)
end

describe("a message with metatables", function()
  for _, hosting in ipairs { "on_premise", "cloud" } do
    it("is checked in the form that is sent, on " .. hosting, function()
      for _, example in ipairs(messages.examples(hosting)) do
        for name, way in pairs(WAYS) do
          for number = 1, math.min(count(example.message), 6) do
            local shown, bare = with_hidden(example.message, number, way)
            local place = ("%s, table %d (%s)"):format(example.name, number, name)
            local valid, err = waba.check(shown, hosting)
            local bare_valid, bare_err = waba.check(bare, hosting)
            assert.equal(bare_valid, valid, place)
            if not valid then
              assert.equal(bare_err.path, err.path, place)
              assert.matches("only the __index of a metatable returns", err.message)
            end
          end
        end
      end
    end)

    it("is sent in the form of the check, also without a check, on " .. hosting, function()
      local responses = {}
      for i = 1, 2 do responses[i] = { status = 201, body = '{"messages":[{"id":"wamid.1"}]}' } end
      for _, validate in ipairs { true, false } do
        for _, example in ipairs(messages.examples(hosting)) do
          for number = 1, math.min(count(example.message), 4) do
            local shown, bare = with_hidden(example.message, number, WAYS.everything)
            local bodies = {}
            for i, message in ipairs { shown, bare } do
              local client, transport = scripted.client({ responses[i] }, { hosting = hosting, validate = validate, retry = false })
              client:send(NUMBER, message)
              bodies[i] = transport.requests[1] and core.decode(transport.requests[1].body) or false
            end
            assert.same(bodies[2], bodies[1], example.name)
          end
        end
      end
    end)
  end

  it("is sent unchanged if its metatables only add methods", function()
    local Message = { shout = function() end }
    Message.__index = Message
    local client, transport = scripted.client { { status = 201, body = '{"messages":[{"id":"gBEG"}]}' } }
    assert(client:send(NUMBER, setmetatable({ type = "text", text = setmetatable({ body = "x" }, Message) }, Message)))
    assert.same({ body = "x" }, core.decode(transport.requests[1].body).text)
  end)

  it("is not changed", function()
    local text = setmetatable({}, { __index = { body = "x" } })
    local message = { type = "text", text = text }
    waba.check(message)
    assert.equal(text, message.text)
    assert.equal("x", text.body)
  end)

  it("that contains itself is refused", function()
    local message = setmetatable({ type = "text" }, { __index = {} })
    message.text = { body = "x", more = message }
    local valid, err = waba.check(message)
    assert.is_nil(valid)
    assert.equal("text.more", err.path)
    assert.is_nil((scripted.client({}, { validate = false }):send(NUMBER, message)))
  end)
end)

describe("the body of a resource with metatables", function()
  it("is checked in the form that is sent", function()
    local template = { name = "a_name", language = "en", category = "UTILITY", components = { { type = "BODY", text = "Hello" } } }
    local client, transport = scripted.client {}
    for name in pairs(template) do
      local shown = {}
      for other, value in pairs(template) do
        if other ~= name then shown[other] = value end
      end
      setmetatable(shown, { __index = template })
      local created, err = client.templates:create(shown)
      assert.is_nil(created)
      assert.equal(name, err.path)
    end
    assert.equal(0, #transport.requests)
  end)
end)

describe("core.plain", function()
  it("copies a value only if a metatable may change how it is read", function()
    local named = setmetatable({ 1 }, { __name = "n", __tostring = function() return "n" end })
    for _, value in ipairs { {}, { a = { 1, { b = "x" } } }, named, { named } } do
      local result, is_copy = core.plain(value)
      assert.equal(value, result)
      assert.is_false(is_copy)
    end
    for name, way in pairs(WAYS) do
      for _, value in ipairs { setmetatable({ a = 1 }, way { b = 2 }), { a = setmetatable({ 1 }, way { 2, 3 }) } } do
        local result, is_copy = core.plain(value)
        assert.not_equal(value, result, name)
        assert.is_true(is_copy)
        assert.is_nil(rawget(result, "b"))
        assert.equal(next(value), next(result))
      end
    end
  end)
end)
