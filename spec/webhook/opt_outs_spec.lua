-- lua/waba/webhook/opt_outs.lua: the records that an event adds when a customer stops or resumes marketing messages.

local opt_outs = require "waba.webhook.opt_outs"

-- Returns the records that an event adds as one text, without their times.
local function note(event)
  event.customer = event.customer or { phone = "491511", user_id = "DE.1" }
  local records, texts = { { name = "before" } }, {}
  opt_outs.note(event, "4930/", records)
  for index, record in ipairs(records) do
    local reason, time = tostring(record.value):match "^(%S+) ?(%d*)$"
    if time ~= "" then assert.is_true(math.abs(tonumber(time) - os.time()) < 60) end
    texts[index] = record.name .. " " .. reason
  end
  table.sort(texts)
  return table.concat(texts, ", ")
end

local function preference(value, category, customer)
  return { kind = "preference", category = category or "marketing_messages", value = value, customer = customer }
end

local function failed(...)
  local errors = {}
  for index, code in ipairs { ... } do errors[index] = { code = code } end
  return { kind = "status", status = "failed", errors = errors }
end

local function both(reason)
  return ("before nil, suppressed:4930/491511 %s, suppressed:4930/DE.1 %s"):format(reason, reason)
end

describe("the records of an event", function()
  it("name the phone number and the user id of a customer who stops or resumes", function()
    for expected, event in pairs {
      [both "preference"] = preference "stop", [both "nil"] = preference "resume", [both "131050"] = failed(1, 131050),
      ["before nil, suppressed:4930/491511 preference"] = preference("stop", nil, { phone = "491511" }),
      ["before nil, suppressed:4930/DE.1 preference"] = preference("stop", nil, { user_id = "DE.1" }),
    } do
      assert.equal(expected, note(event))
    end
  end)

  it("are none for other events", function()
    for index, event in ipairs {
      preference "other", preference(nil), preference("stop", "utility"), { kind = "message", value = "stop" }, failed(131049),
      { kind = "status" }, { kind = "message", errors = { { code = 131050 } } }, preference("stop", nil, {}),
    } do
      assert.equal("before nil", note(event), index)
    end
  end)
end)
