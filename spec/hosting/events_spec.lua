local waba = require "waba"
local webhooks = require "waba.hosting.events"

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

  it("raises an error for values that are not strings", function()
    assert.has_error(function() waba.events(nil) end)
    assert.has_error(function() waba.events {} end)
  end)

  it("recognizes the hosting by the fields of the body", function()
    local MESSAGES = '"messages":[{"from":"1","id":"m","type":"text","text":{"body":"Hi"}}]'
    local CHANGES = '[{"field":"messages","value":{' .. MESSAGES .. "}}]"
    for fields, hosting in pairs {
      [MESSAGES] = "on_premise", ['"object":"page",' .. MESSAGES] = "on_premise", ['"changes":"x",' .. MESSAGES] = "on_premise",
      ['"metadata":"x",' .. MESSAGES] = "on_premise", ['"messaging_product":"x",' .. MESSAGES] = "on_premise",
      ['"metadata":{},' .. MESSAGES] = "cloud", ['"object":"whatsapp_business_account",' .. MESSAGES] = "cloud",
      ['"messaging_product":"whatsapp",' .. MESSAGES] = "cloud", ['"changes":' .. CHANGES] = "cloud",
      ['"entry":[{"id":"1","changes":' .. CHANGES .. "}]"] = "cloud",
    } do
      local list = waba.events("{" .. fields .. "}")
      assert.same({ 1, "text", hosting }, { #list, list[1].type, list[1].hosting }, fields)
    end
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

  it("reads entries and changes in each of their forms, and no event from members with a known meaning", function()
    local message = '{"messages":[{"from":"1","id":"m","type":"text"}]}'
    for body, kinds in pairs {
      ['{"entry":[{"id":"1","time":1,"object":"o","changes":[]}]}'] = "",
      ['{"entry":[{"changes":[{"field":"messages","value":{"messaging_product":"whatsapp","field":"f","object":"o"}}]}]}'] = "",
      ['{"entry":[{"id":"1","field":"messages","changes":[{"value":' .. message .. '}]}]}'] = "message",
      ['{"entry":[{"value":' .. message .. '}]}'] = "message", ['{"entry":[{"field":"account_alert","id":"1"}]}'] = "account",
      ['{"entry":[{"field":"messages","value":' .. message .. '}]}'] = "message",
      ['{"entry":[{"changes":[{"value":{"statuses":[{"id":"s"}]}}]}]}'] = "status",
      ['{"entry":[{"changes":[{"value":{"errors":[{"code":1}]}}]}]}'] = "error",
      ['{"entry":[{"changes":[{"value":{"a":1}}]}]}'] = "account", ['{"entry":[{"id":"1","other":{"id":2}}]}'] = "account",
    } do
      local found = {}
      for index, event in ipairs(assert(waba.events(body))) do found[index] = event.kind end
      assert.equal(kinds, table.concat(found, " "), body)
    end
    local function field_of(field, value)
      return waba.events(('{"entry":[{"changes":[{"field":"%s","value":{%s}}]}]}'):format(field, value))[1].field
    end
    local score = '"new_quality_score":"RED"'
    assert.equal("message_template_quality_update", field_of("message_template_status_update", score))
    assert.equal("message_template_status_update", field_of("message_template_status_update", '"a":1'))
    assert.equal("other", field_of("other", score))
  end)

  it("reads contacts of On-Premise hosting in each of their forms", function()
    local function read(contacts)
      local events = assert(waba.events(('{"contacts":[%s],"messages":[{"from":"1","id":"m","type":"text"},'
        .. '{"from":"2","id":"n","type":"text"},{"id":"o","type":"text"}]}'):format(contacts)))
      local names = {}
      for index = 1, 3 do names[index] = events[index].contact.name or "-" end
      return table.concat(names, " "), #events - 3
    end
    local function named(name, more) return ('{"profile":{"name":"%s"}%s}'):format(name, more or "") end
    for index, row in ipairs {
      { named("a", ',"wa_id":"1"') .. "," .. named("b", ',"wa_id":"2"'), "a b -", 0 },
      { named("b", ',"wa_id":"2"') .. "," .. named("a", ',"wa_id":"1"'), "a b -", 0 },
      { named "a" .. "," .. named "b" .. "," .. named "c", "a b c", 0 },
      { named("x", ',"wa_id":"9"') .. "," .. named("b", ',"wa_id":"2"'), "- b -", 1 }, { "5," .. named("b", ',"wa_id":"2"'), "- b -", 1 },
      { named("a", ',"status":"valid","input":"1","wa_id":"1"') .. "," .. named("b", ',"wa_id":"2"'), "- b -", 1 },
    } do
      assert.same({ row[2], row[3] }, { read(row[1]) }, index)
    end
  end)

  it("restores events from the platform's own text of them", function()
    local value = '{"metadata":{"display_phone_number":"+49 30 5","phone_number_id":"7"},'
      .. '"contacts":[{"profile":{"name":"Eva"},"wa_id":"491"},{"wa_id":"492","user_id":"DE.2"}],'
      .. '"messages":[{"from":"491","id":"m1","type":"image","image":{"id":"i","caption":"\\ud83d\\ude00"}, "x" :null},'
      .. '{"from":"493","id":12345678901234567890,"type":"reaction"},{"from":"49305","id":"e","to":"491"}],'
      .. '"statuses":[{"id":"s1","status":"failed","recipient_id":"492","errors":[{"code":131026,"title":"t"}]},'
      .. '{"id":"s2","status":"sent","recipient_id":"495","timestamp":"1700000000"}],"errors":[{"code":130429}]}'
    local bodies = {
      '{"entry":[{"id":"9","changes":[{"field":"messages","value":' .. value
        .. '},{"field":"account_alert","value":{"id":"a"}}]}]}',
      '{"contacts":[{"profile":{"name":"Eva"}},{"wa_id":"492"}],"messages":[{"from":"1","id":"m1","type":"text",'
        .. '"text":{"body":"1"}},{"from":"492","id":"m2"}],"statuses":[{"id":"s"},"odd",null],"errors":[{"code":470}]}',
      '{"messages":[{"from":"1","id":"m1","type":"text","text":{"body":"1"}}]}',
    }
    for number, expected in ipairs { "mm-ssea", "mms-e", "m" } do
      local sources, kinds = {}, {}
      local list = assert(webhooks.read(bodies[number], sources))
      if number == 2 then list[1].number = "4930" end -- the receiver also sets this field
      for index, event in ipairs(list) do
        local stored = sources[index] and webhooks.store(event, sources[index])
        kinds[index] = stored and event.kind:sub(1, 1) or event.kind == "account" and "a" or "-"
        if stored then
          assert.is_truthy(stored:find(sources[index], 1, true))
          assert.same(event, webhooks.restore(stored))
          for _, err in ipairs(webhooks.restore(stored).errors or {}) do assert.equal("string", type(tostring(err))) end
        end
      end
      assert.equal(expected, table.concat(kinds))
    end
  end)

  it("restores events of the same kind that differ in the number, the account or the hosting", function()
    local base = { kind = "status", hosting = "cloud", number = "1", phone_number_id = "2", waba_id = "3" }
    local changes = { {}, { number = "4" }, {}, { phone_number_id = "5" }, {}, { waba_id = "6" }, {}, { hosting = "on_premise" }, {},
      { kind = "error" }, {}, { contact = { name = "Eva" } }, {} }
    for index, change in ipairs(changes) do
      local event = {}
      for name, value in pairs(base) do event[name] = value end
      for name, value in pairs(change) do event[name] = value end
      local restored = webhooks.restore(webhooks.store(event, '{"id":"a","status":"sent"}'))
      for name, value in pairs(event) do assert.same(value, restored[name], index .. name) end
    end
  end)
end)
