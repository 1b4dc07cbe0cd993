-- lua/waba/outbox/entry.lua: invalid options of an entry, the fields that are stored, and the fields that a sender
-- reads.

local core = require "waba.core"
local entries = require "waba.outbox.entry"
local waba = require "waba"

local TO = "4915112345678"

local function fields(more)
  local entry = { to = "+49 151 12345678", message = waba.text "Hi" }
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

local function read(more, hosting) return entries.read(fields(more), hosting or "cloud") end

-- Returns the fields that are passed to the store for an entry, and the entry.
local function stored(more, hosting)
  local entry, body = read(more, hosting)
  assert.is_table(entry, tostring(body))
  return assert(entries.for_store(entry, body)), entry
end

describe("an entry of an outbox", function()
  it("may have every value at its bounds", function()
    for _, more in ipairs {
      { key = "k" }, { key = ("k"):rep(4096) }, { key = 0 }, { at = 0 }, { at = -5.5 }, { at = 1e12 - 1 }, { at = 1 - 1e12 },
      { number = "4930555019" }, { number = 4930555019 }, { bulk = true }, { bulk = false }, { options = {} },
      { options = { data = ("ä"):rep(486) } }, { options = { reply_to = "wamid.1" } }, { options = { timeout = 0.5 } },
    } do
      assert.is_table((read(more)))
    end
  end)

  it("raises an error for a value beyond its bounds", function()
    for _, row in ipairs {
      { { key = "" }, "option key has 0 bytes: expected 1 to 4096" },
      { { key = ("k"):rep(4097) }, "option key has 4097 bytes: expected 1 to 4096" },
      { { at = 1e12 }, "option at must be Unix seconds" }, { { at = -1e12 }, "option at must be Unix seconds" },
      { { at = 0 / 0 }, "option at must be" }, { { at = math.huge }, "option at must be" },
      { { number = "12x" }, "option number 12x is neither a phone number nor a phone_number_id" },
      { { message = "Hi" }, "option message must be table, not a string" },
      { { message = false }, "option message must be" },
      { { options = { timeout = 0 } }, "option timeout must be number above 0" }, { { options = { bulk = true } }, "unknown option bulk" },
      { { option = {} }, "unknown option option" },
    } do
      local ok, raised = pcall(read, row[1])
      assert.is_false(ok)
      assert.truthy(tostring(raised):find(row[2], 1, true), raised)
    end
  end)

  it("is refused with an error when its content is invalid", function()
    for path, more in pairs {
      to = { to = "12" }, ["text.body"] = { message = waba.text(("x"):rep(4097)) }, data = { options = { data = ("ä"):rep(487) } },
      check_contact = { options = { check_contact = true } },
    } do
      local entry, err = read(more)
      assert.is_nil(entry)
      assert.same({ "invalid", path }, { err.kind, err.path })
    end
    local entry, body = read { message = waba.text "\255", options = { data = "x" } }
    if entry then
      local result, err = entries.for_store(entry, body)
      assert.is_nil(result)
      assert.same({ "invalid", "text.body" }, { err.kind, err.path })
    end
  end)

  it("has the fields of the caller, in the form in which they are used", function()
    local entry, body = read { number = 4930555019, key = 7, at = 5, bulk = true, campaign = "c", options = { data = "d" } }
    assert.same({ TO, "cloud", "4930555019", "7", 5, true, "c", "d", require "waba.version" }, {
      entry.to, entry.hosting, entry.number, entry.key, entry.at, entry.bulk, entry.campaign, entry.options.data, entry.waba,
    })
    assert.equal("7", (("%s"):format(entry.key)))
    assert.matches("^%x+$", entry.id)
    assert.equal(20, #entry.id)
    assert.equal("waba:" .. entry.id .. ":d", body.biz_opaque_callback_data)
    entry, body = read { bulk = false, options = {} }
    assert.same({}, { entry.bulk, entry.options, entry.key, entry.number, entry.digest })
    assert.equal("waba:" .. entry.id .. ":", body.biz_opaque_callback_data)
    body = select(2, read({}, "on_premise"))
    assert.is_nil(body.biz_opaque_callback_data)
    local other = read {}
    assert.is_true(other.id ~= entry.id)
  end)

  it("keeps the options of the caller beside its own data", function()
    local _, body = read { options = { data = "d", reply_to = "wamid.1", identity_key_hash = "h" } }
    assert.same({ "wamid.1", "h" }, { body.context.message_id, body.recipient_identity_key_hash })
  end)

  it("has no namespace where the message has none", function()
    local template = waba.template { name = "t", language = "en", body = { "x" } }
    local _, body = read({ message = template }, "on_premise")
    assert.is_nil(body.template.namespace)
    template = waba.template { name = "t", language = "en", namespace = "n", body = { "x" } }
    _, body = read({ message = template }, "on_premise")
    assert.equal("n", body.template.namespace)
  end)

  it("is stored with its recipient, its lane and its key", function()
    local row, entry = stored {}
    assert.same({ entry.id, { " " .. TO }, "" }, { row.id, row.names, row.lane })
    assert.same({}, { row.bulk, row.at, row.key, row.value, row.same })
    row, entry = stored { bulk = true, number = "4930555019", key = "k" }
    assert.same({ { "4930555019 " .. TO }, "bulk:", true, "4930555019:k", entry.digest .. entry.id, 32 },
      { row.names, row.lane, row.bulk, row.key, row.value, row.same })
    assert.equal(32, #entry.digest)
    assert.equal(":k", (stored { key = "k" }).key)
    local now = os.time()
    assert.equal(now + 1000, (stored { at = now + 1000 }).at)
    assert.is_nil((stored { at = now - 1000 }).at)
  end)

  it("has the same digest for the same content only", function()
    local function digest(more)
      more.key = more.key or "k"
      return (read(more)).digest
    end
    local same = digest {}
    assert.equal(same, digest { key = "another", number = "4930555019", at = 5, campaign = "c", bulk = false, options = {} })
    for _, more in ipairs { { to = "+49 151 12345679" }, { message = waba.text "Bye" }, { bulk = true }, { options = { data = "d" } } } do
      assert.is_true(digest(more) ~= same)
    end
  end)

  it("is read again by a sender, with its message", function()
    for _, message in ipairs {
      waba.text "Hi\nthere", waba.text { body = "https://a.example", preview_url = true },
      waba.template { name = "t", language = "en", namespace = "n", body = { "x" } },
    } do
      for _, hosting in ipairs { "cloud", "on_premise" } do
        local row, entry = stored({ message = message, key = "k" }, hosting)
        local read_entry, body = entries.decode(row.body)
        assert.same({ entry.id, TO, "k", hosting }, { read_entry.id, read_entry.to, read_entry.key, read_entry.hosting })
        local again = entries.message_of(body)
        assert.equal(message.type, again.type)
        assert.same(core.decode(body)[message.type].body, again[message.type].body)
        assert.equal(message.type == "text" and message.text.preview_url or nil, again.text and again.text.preview_url)
      end
    end
    local row = stored { message = waba.text "Hi", options = { category = "utility", ttl_seconds = 60 } }
    local again = entries.message_of(select(2, entries.decode(row.body)))
    assert.same({ "utility", 60, "Hi" }, { again.category, again.ttl_seconds, again.text.body })
  end)

  it("is read as a JSON decoder reads it, whichever byte is changed", function()
    for _, more in ipairs { {}, { number = "4930555019" } } do
      local bytes = stored(more).body
      for position = 1, bytes:find("\n", 1, true) - 1 do
        for _, byte in ipairs { "", "0", "a", '"', "\\", " ", "\0", "\255" } do
          local changed = bytes:sub(1, position - 1) .. byte .. bytes:sub(position + 1)
          local head, body = changed:match "^([^\n]*)\n(.*)$"
          local expected, entry, content = core.decode(head), entries.decode(changed)
          if entry or type(expected) == "table" and expected.version == 1 then
            assert.same({ expected, body }, { entry, content }, changed)
          end
        end
      end
    end
  end)

  it("is read in the same way whatever the order of its fields", function()
    for _, more in ipairs { {}, { number = "4930555019" }, { key = "k" }, { bulk = true, campaign = 'a "b"\n' } } do
      local row, entry = stored(more)
      local head, body = row.body:match "^(.-)\n(.*)$"
      entry.is_uncertain = false -- with another field the JSON text has no fixed order
      local other = entries.encode(entry, body)
      assert.same(core.decode(head), (entries.decode(row.body)))
      entry = entries.decode(other)
      entry.is_uncertain = nil
      assert.same({ core.decode(head), body }, { entry, (select(2, entries.decode(other))) })
      assert.equal(next(more) == nil or more.number ~= nil, (select(3, entries.decode(row.body))))
      -- an entry that is cut has no message, and one with other bytes is no entry
      assert.same({ nil, "the entry has no message" }, { entries.decode(head) })
      assert.is_nil((entries.decode((row.body:gsub('"stored":1', '"stored":x')))))
    end
  end)

  it("has the same state as JSON text and as a table", function()
    for _, number in ipairs { false, "4930555019" } do
      for _, sent in ipairs { { id = "wamid.1" }, { id = 'a"b', wa_id = "\255" }, { id = "", wa_id = TO } } do
        local _, entry = stored { number = number or nil }
        local state, before = entries.state(entry, "sent", { stored = entry.stored, sending = 5 }), os.time()
        state.message_id, state.wa_id = entries.plain(sent.id), entries.plain(sent.wa_id)
        local text = core.decode(entries.sent_text(entry, 5, sent))
        assert.is_true(text.times.sent >= before and text.times.sent - state.times.sent <= 1)
        text.times.sent = state.times.sent
        assert.same(state, text)
      end
    end
    assert.is_nil(entries.sent_text({}, 5, { wa_id = "1" }))
    assert.is_nil(entries.sent_text({}, 5, { id = "1", wa_id = 1 }))
  end)

  it("that a sender cannot read has a reason", function()
    local no_entry = "the entry is not a JSON object with a version"
    for bytes, reason in pairs {
      [""] = no_entry, ["x"] = no_entry, ["5\n{}"] = no_entry, ["{}\n{}"] = no_entry,
      ['{"version":2}\n{}'] = "the entry has version 2, from another version of waba: expected version 1",
      ['{"version":1}'] = "the entry has no message",
    } do
      local entry, message = entries.decode(bytes)
      assert.is_nil(entry)
      assert.equal(reason, message)
    end
    local entry, body = entries.decode '{"version":1}\n'
    assert.same({ { version = 1 }, "" }, { entry, body })
  end)

  it("stores the fields of an error that are plain", function()
    local errors = require "waba.errors"
    local err = errors.new { kind = "api", message = "m", code = 5, response = {}, errors = {}, index = 1, scope = "key",
      subcode = 1, status = 2, title = "t", details = "d", href = "h", path = "p", retry_after = 3, trace_id = "i" }
    assert.same({ kind = "api", message = "m", code = 5, scope = "key", subcode = 1, status = 2, title = "t", details = "d",
      href = "h", path = "p", retry_after = 3, trace_id = "i", retryable = false, maybe_sent = false }, entries.plain_error(err))
    assert.is_nil(getmetatable(entries.plain_error(err)))
    assert.is_nil(entries.plain_error(nil))
  end)
end)
