-- The values that the library returns have the fields and types of their annotations.

package.path = "scripts/?.lua;" .. package.path

local annotations = require "annotations"
local option = require "waba.option"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

describe("the annotations of", function()
  local result = {}

  setup(function()
    local aliases, classes = {}, {}
    for _, found in ipairs(annotations.scan()) do
      for _, class in ipairs(found.classes) do classes[class.name] = class.doc end
      for _, alias in ipairs(found.aliases) do
        local values = {}
        for i, choice in ipairs(alias.doc.choices) do values[i] = choice.value end
        aliases[alias.name] = alias.doc.alias_type or table.concat(values, "|")
      end
    end
    local function plain(kind) return (kind:gsub("waba[%w_.]+", aliases):gsub("%?", "")) end
    -- Adds the fields of a table type that has no name, such as "{ id: string, url: string? }".
    local function add_inline(place, kind)
      for body in kind:gmatch "%b{}" do
        local inner, types = body:sub(2, -2):gsub("%b{}", "table"):gsub("%b<>", ""), {}
        for name, its in inner:gmatch "([%w_]+)%??%s*:%s*([^,]+)" do types[name] = plain(its:match "^(.-)%s*$") end
        result[place] = types
      end
    end
    local function add_fields(types, name)
      for _, parent in ipairs(classes[name] and classes[name].parents or {}) do add_fields(types, parent) end
      for _, field in ipairs(classes[name] and classes[name].fields or {}) do
        types[field.name] = plain(field.type)
        add_inline(name .. "." .. field.name, field.type)
      end
      return types
    end
    for name in pairs(classes) do result[name] = add_fields({}, name) end
  end)

  -- Returns the fields of `value` that have no annotation or a wrong type. Fields that begin with "_" or are named in
  -- `private` are not checked.
  local function check(class, value, private)
    assert.is_table(value, class)
    local known = {}
    for _, name in ipairs(private or {}) do known[name] = true end
    for name, field in pairs(value) do
      if type(name) == "string" and not known[name] then
        local types = assert(result[class], class)[name]
        assert.is_string(types, ("%s does not tell of %s"):format(class, name))
        option.check({ [name] = field }, { [name] = types }, class)
      end
    end
    return value
  end

  it("events", function()
    local count = 0
    for _, row in ipairs(webhooks.rows()) do
      for _, hosting in ipairs { "on_premise", "cloud" } do
        local event = check("waba.Event", assert(waba.events(row[hosting]))[1])
        if event.contact then check("waba.EventContact", event.contact) end
        if event.reply then check("waba.EventReply", event.reply) end
        for _, err in ipairs(event.errors or {}) do check("waba.Error", err) end
        for _, name in ipairs { "media", "context", "location", "button", "order", "reaction", "edit", "pricing" } do
          if event[name] then check("waba.Event." .. name, event[name]) end
        end
        count = count + 1
      end
    end
    assert.is_true(count > 50)
  end)

  it("results, requests and errors of both hostings", function()
    local emulator = assert(waba.emulator.start { statuses = false })
    finally(function() emulator:stop() end)
    for _, hosting in ipairs { "on_premise", "cloud" } do
      local client = waba.client(emulator:options { hosting = hosting })
      local gateway = hosting == "cloud" and emulator.cloud or emulator
      local sent = check("waba.Sent", assert(client:send("+49 151 1234567", waba.text "Hello")))
      assert.is_string(sent.id)
      local texts = { waba.text "One", waba.text "Two" }
      local function source()
        local text = table.remove(texts)
        if text then return "+49 151 1234567", text end
      end
      local written = assert(gateway:customer("+49 151 1234567"):text "Hello")
      assert(client:mark_read(written, { typing = hosting == "cloud" or nil }))
      check("waba.BulkSummary", assert(client:send_all(source, {
        on_progress = function(figures) check("waba.BulkFigures", figures) end,
      })))
      local _, refused = client:send("+49 151 1234567", waba.text "")
      check("waba.Error", refused)
      gateway:fail_next { status = 500 }
      _, refused = client:request { method = "POST", path = "/nowhere" }
      check("waba.Error", refused)
      local media = check("waba.Media", assert(client.media:upload { data = "%PDF-1.4", type = "application/pdf" }))
      check("waba.Download", assert(client.media:download(media.id)))
      local health = check("waba.Health", assert(client:health()))
      for _, node in ipairs(health.nodes) do check("waba.HealthNode", node) end
      check("waba.TemplatePage", assert(client.templates:list()))
      check("waba.WebhookAddress", assert(client.webhook:get()))
      check("waba.emulator.Counts", assert(gateway:counts()))
      for _, request in ipairs(assert(gateway:received())) do check("waba.emulator.ReceivedRequest", request) end
      for _, message in ipairs(assert(gateway:messages())) do check("waba.emulator.Message", message) end
      client:close()
    end
  end)

  it("the emulator's handle, its customers and the inboxes, each method with a heading in the reference", function()
    local emulator = assert(waba.emulator.start { tls = false })
    finally(function() emulator:stop() end)
    local objects = { emulator = emulator, customer = emulator:customer "+49 151 1234567", inbox = waba.inbox.memory() }
    for name, object in pairs(objects) do
      local file = assert(io.open(("docs/reference/%s.md"):format(name == "inbox" and name or "emulator")))
      local page = file:read "*a"
      file:close()
      local described, class = {}, getmetatable(object).__index
      for method in page:gmatch("\n### " .. name .. ":([%w_]+)%(") do
        assert.is_function(object[method], name .. ":" .. method)
        described[method] = true
      end
      while class do
        for method, value in pairs(class) do
          if type(value) == "function" and not method:find "^_" and method ~= "ask" then
            assert.is_true(described[method], name .. ":" .. method)
          end
        end
        class = (getmetatable(class) or {}).__index
      end
    end
  end)
end)
