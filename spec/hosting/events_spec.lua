local waba = require "waba"

describe("waba.events", function()
  it("reads bytes", function()
    local events = waba.events '{"messages":[{"from":"1","id":"m","type":"text","text":{"body":"Hi 🙂"}}]}'
    assert.equal(1, #events)
    assert.equal("Hi 🙂", events[1].text)
    assert.same({}, waba.events "{}")
    assert.same({}, waba.events ' \n{ "messages" : [] }')
  end)

  for _, bytes in ipairs { "", "{", "no json", "[]", '[{"messages":[]}]', "3", '"x"', "null", "true", "{}{}", " [ ] " } do
    it("returns an error for " .. ("%q"):format(bytes), function()
      local events, err = waba.events(bytes)
      assert.is_nil(events)
      assert.equal("protocol", err.kind)
    end)
  end

  it("raises for what is no string", function()
    assert.has_error(function() waba.events(nil) end)
    assert.has_error(function() waba.events {} end)
  end)

  it("reads a batch of a thousand in order", function()
    local messages, statuses = {}, {}
    for number = 1, 500 do
      messages[number] = ('{"from":"%d","id":"m%d","timestamp":"%d","type":"text","text":{"body":"%d"}}'):format(
        number, number, number, number)
      statuses[number] = ('{"id":"s%d","status":"sent","recipient_id":"%d"}'):format(number, number)
    end
    local events = waba.events(('{"statuses":[%s],"messages":[%s]}'):format(
      table.concat(statuses, ","), table.concat(messages, ",")))
    assert.equal(1000, #events)
    for number = 1, 500 do
      assert.equal("m" .. number, events[number].id)
      assert.equal(tostring(number), events[number].text)
      assert.equal("s" .. number, events[500 + number].id)
    end
  end)
end)
