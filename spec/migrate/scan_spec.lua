-- Tests waba.migrate.scan, which reads files of On-Premise requests and returns the Cloud requests; the command `waba
-- migrate`; and docs/guides/moving-to-cloud.md.

local own_process = require "spec.support.own_process"
local random = require "spec.support.random"
local command = require "spec.support.command"
local core = require "waba.core"
local documents = require "spec.support.documents"
local folder = require "spec.support.folder"
local messages = require "spec.support.messages"
local waba = require "waba"

local migrate = waba.migrate

local PATH = "spec/migrate/scan_spec.lua"

if not own_process.is(PATH) then
  it("waba.migrate: passes in a process of its own", function()
    assert.is_nil(own_process.run(PATH))
  end)
  return
end

describe("waba.migrate.scan", function()
  local place

  setup(function() place = folder.new() end)
  teardown(function() place:remove() end)

  local function scan(text)
    local read = {}
    local summary = assert(migrate.scan(place:write("requests.jsonl", text), function(one) read[#read + 1] = one end))
    return read, summary
  end

  local function request(method, path, body)
    local read, summary = scan(assert(core.encode { method = method, path = path, body = body }))
    assert.equal("request", read[1].kind, read[1].error)
    assert.equal(1, summary.requests)
    return read[1]
  end

  describe("maps", function()
    -- Columns: method, path and body of the On-Premise request; method, path, query and body of the Cloud request.
    for name, case in pairs {
      ["reading"] = { "PUT", "/v1/messages/AB%2BGH/", { status = "read" },
        "POST", "/messages", nil, { messaging_product = "whatsapp", status = "read", message_id = "AB+GH" } },
      ["an upload"] = { "POST", "https://waba.360dialog.io/v1/media", "\255\216\255", "POST", "/media" },
      ["a download"] = { "GET", "/v1/media/5b0e-1f0a", nil, "GET", "/5b0e-1f0a" },
      ["a deletion"] = { "delete", "/v1/media/5b0e-1f0a", nil, "DELETE", "/5b0e-1f0a" },
      ["blocking"] = { "POST", "/v1/contacts/%2B491511234567/block", { reason = "spam" }, "POST", "/block_users", nil,
        { messaging_product = "whatsapp", block_users = { { user = "+491511234567" } } } },
      ["the webhook URL"] = { "POST", "/v1/configs/webhook", { url = "https://a.example" },
        "POST", "/v1/configs/webhook", nil, { url = "https://a.example" } },
      ["asking for it"] = { "GET", "/v1/configs/webhook", nil, "GET", "/v1/configs/webhook" },
      ["the number"] = { "GET", "/v1/configs/phone_number", nil, "GET", "/health_status",
        { fields = "display_phone_number" } },
      ["templates"] = { "GET", "/v1/configs/templates?limit=5&offset=5", nil, "GET", "/message_templates" },
      ["a new template"] = { "POST", "/v1/configs/templates",
        { name = "a", language = "de", category = "utility", components = { { type = "body", text = "Hi" } } },
        "POST", "/message_templates", nil,
        { name = "a", language = "de", category = "UTILITY", components = { { type = "BODY", text = "Hi" } } } },
      ["the end of a template"] = { "DELETE", "/v1/configs/templates/order_ready", nil, "DELETE", "/message_templates",
        { name = "order_ready" } },
      ["about"] = { "PATCH", "/v1/settings/profile/about", { text = "Hi" }, "POST", "/whatsapp_business_profile", nil,
        { messaging_product = "whatsapp", about = "Hi" } },
      ["asking about"] = { "GET", "/v1/settings/profile/about", nil, "GET", "/whatsapp_business_profile",
        { fields = "about" } },
      ["the business"] = { "POST", "/v1/settings/business/profile", { email = "a@b.example" },
        "POST", "/whatsapp_business_profile", nil, { messaging_product = "whatsapp", email = "a@b.example" } },
      ["the photo"] = { "GET", "/v1/settings/profile/photo", nil, "GET", "/whatsapp_business_profile",
        { fields = "profile_picture_url" } },
      ["the photo's link"] = { "GET", "/v1/settings/profile/photo?format=link", nil, "GET", "/whatsapp_business_profile",
        { fields = "profile_picture_url" } },
      ["a new photo"] = { "POST", "/v1/settings/profile/photo", "\255\216\255", "POST", "/whatsapp_business_profile" },
    } do
      it(name, function()
        local body = case[3]
        -- In a log the text "(bytes)" replaces the bytes of a file.
        local read = request(case[1], case[2], type(body) == "table" and body or body and "(bytes)" or nil)
        assert.same({}, read.lacking)
        assert.same({ method = case[4], path = case[5], query = case[6], body = case[7] }, read.cloud)
        if case[5] ~= "/v1/configs/webhook" then assert.matches("^becomes " .. case[4], read.changes[1].what) end
      end)
    end

    it("every endpoint of On-Premise hosting, or reports why it has no counterpart", function()
      local endpoints = require "waba.hosting.on_premise".endpoints
      for name, endpoint in pairs(endpoints) do
        if not endpoint.unsupported then
          local path = endpoint.path:gsub("{.-}", "491511234567")
          local made = require "waba.migrate.requests".map(endpoint.method, path, nil)
          assert.is_true(made.cloud ~= nil or #made.lacking == 1, name)
          for _, lack in ipairs(made.lacking) do assert.is_string(lack.why, name) end
        end
      end
    end)

    it("health without a path, and bodies that are logged as text", function()
      assert.equal("/health_status", request("GET", "/v1/health", nil).cloud.path)
      local read = scan(assert(core.encode {
        method = "POST", path = "/v1/messages", body = '{"to":"491511234567","type":"text","text":{"body":"x"}}',
      }))
      assert.equal("+491511234567", read[1].cloud.body.to)
      assert.equal("text", read[1].type)
    end)
  end)

  describe("reports that there is no counterpart for", function()
    for path, word in pairs {
      ["POST /v1/contacts"] = "131026", ["GET /v1/contacts/49151/identity"] = "identity_key_hash",
      ["PATCH /v1/settings/application"] = "webhook", ["POST /v1/users/login"] = "API key",
      ["GET /v1/stats/app"] = "statistics", ["GET /metrics"] = "statistics", ["GET /v1/stickerpacks/a"] = "sticker",
      ["POST /v1/groups"] = "groups", ["POST /v1/certificates/webhooks/ca"] = "certificates",
      ["GET /v1/nonsense"] = "not a known path", ["PATCH /v1/settings/application/media/providers"] = "public",
    } do
      it(path, function()
        local read = request(path:match "^%S+", path:match "%S+$", {})
        assert.is_nil(read.cloud)
        assert.matches(word, read.lacking[1].why)
      end)
    end

    it("values that Cloud hosting does not have", function()
      local read = request("POST", "/v1/configs/templates", { name = "a", language = "de",
        category = "SHIPPING_UPDATE", components = { { type = "BODY", text = "Hi" } } })
      assert.equal("body.category", read.lacking[1].path)
      assert.is_nil(read.cloud)
      read = request("POST", "/v1/settings/business/profile", { vertical = "Restaurant" })
      assert.equal("body.vertical", read.lacking[1].path)
    end)
  end)

  it("maps a send to the path of messages, and reports the change of the path", function()
    local body = { to = "491511234567", type = "text", text = { body = "x" } }
    for path, target in pairs {
      ["/v1/messages"] = "/messages", ["/messages"] = "/messages", ["/marketing_messages"] = "/marketing_messages",
    } do
      local read = scan(assert(core.encode { method = "POST", path = path, body = body }))[1]
      assert.equal(target, read.cloud.path)
      local changes = {}
      for _, change in ipairs(read.changes) do
        if change.path == "path" then changes[#changes + 1] = change.what end
      end
      assert.same(target ~= path and { "becomes POST " .. target } or {}, changes)
    end
  end)

  it("does not read null or other text as a body", function()
    local body = '"data":{"to":"491511234567","type":"text","text":{"body":"x"}}'
    for _, other in ipairs { "null", '"(bytes)"', "5", "true" } do
      local read = scan(('{"method":"POST","path":"/v1/messages","json":%s,%s}\n'):format(other, body))
      assert.equal("+491511234567", read[1].cloud.body.to)
    end
  end)

  it("recognises the bodies of a contacts check and of marking as read without their request", function()
    local read = scan '{"blocking":"wait","contacts":["+491511234567"]}\n{"status":"read"}\n'
    assert.matches("131026", read[1].lacking[1].why)
    assert.equal("/messages", read[2].cloud.path)
  end)

  it("reads a body or a request inside another object", function()
    local body = '{"to":"491511234567","type":"text","text":{"body":"x"}}'
    local read = scan('{"time":1,"body":' .. body .. '}\n{"level":"info","payload":' .. assert(core.encode(body))
      .. '}\n{"time":1,"request":{"method":"POST","url":"https://waba.360dialog.io/v1/messages","data":' .. body .. '}}\n')
    for i = 1, 2 do
      assert.equal("message", read[i].kind, read[i].error)
      assert.equal("+491511234567", read[i].cloud.to)
    end
    assert.equal("+491511234567", read[3].cloud.body.to)
  end)

  it("reports broken lines with their number, and continues", function()
    local read, summary = scan('\239\187\191{"to":"491511234567","type":"text","text":{"body":"x"}}\r\n\n'
      .. '{"to":\n[1]\n"x"\n{"a":1}\n{"method":"POST","path":"/v1/messages","body":"x"}\n\255\0\n'
      .. ("["):rep(2000) .. '\n{"to":"491511234567","type":"text","text":{"body":"y"}}')
    local broken = {}
    for _, one in ipairs(read) do
      if one.kind == "broken" then
        broken[#broken + 1] = one.line
        assert.is_string(one.error)
      end
    end
    assert.same({ 3, 4, 5, 6, 7, 8, 9 }, broken)
    assert.equal(10, read[#read].line)
    assert.equal("y", read[#read].cloud.text.body)
    assert.same({ 9, 2, 0, 7, 2, 0 }, { summary.lines, summary.messages, summary.requests, summary.broken, summary.changed,
      summary.lacking })
  end)

  it("counts by field", function()
    local image = '{"to":"491511234567","type":"image","image":{"id":"a-b"}}\n'
    local _, summary = scan(image:rep(3) .. '{"to":"491511234567","type":"contacts","contacts":['
      .. '{"name":{"formatted_name":"E","first_name":"E"},"ims":[{"service":"a"}]},'
      .. '{"name":{"formatted_name":"F","first_name":"F"},"ims":[{"service":"b"}]}]}')
    assert.same({ image = 3, contacts = 1 }, summary.types)
    assert.equal(4, summary.lacking)
    assert.equal("image.id", summary.lacks[1].path)
    assert.equal(3, summary.lacks[1].count)
    assert.equal(1, summary.lacks[1].line)
    assert.equal("contacts[].ims", summary.lacks[2].path)
    assert.equal(1, summary.lacks[2].count)
  end)

  it("holds one line in memory, and no line that is longer than any message", function()
    local handed, sizes = 0, {}
    local text = '{"to":"491511234567","type":"text","text":{"body":"' .. ("x"):rep(900) .. '"}}\n'
    local pieces = text:rep(60)
    -- A file whose content is generated when it is read.
    local file = { read = function()
      handed = handed + 1
      if handed == 40 then return ("x"):rep(5 * 1024 * 1024) end
      if handed == 41 then return "\n" end
      return handed <= 80 and pieces or nil
    end }
    local summary = assert(migrate.scan(file, function()
      if handed % 20 == 0 then
        collectgarbage()
        sizes[#sizes + 1] = collectgarbage "count"
      end
    end))
    assert.equal(1, summary.broken)
    assert.equal(78 * 60, summary.messages)
    assert.is_true(sizes[#sizes] < sizes[1] + 6000, sizes[1] .. " " .. sizes[#sizes])
  end)

  it("counts fields beyond the maximum in the totals", function()
    local lines = {}
    for i = 1, 700 do
      lines[i] = ('{"to":"491511234567","type":"text","text":{"body":"x"},"field_%d":1}'):format(i)
    end
    local _, summary = scan(table.concat(lines, "\n"))
    assert.equal(700, summary.lacking)
    assert.equal(500, #summary.lacks)
  end)

  it("prints the results without a function", function()
    local real, printed = print, {}
    _G.print = function(text) printed[#printed + 1] = text end
    local fine, summary = pcall(migrate.scan, place:write("one.jsonl", '{"to":"491511234567","type":"hsm"}\n'))
    _G.print = real
    assert(fine, summary)
    assert.matches("^line 1: hsm", printed[1])
    assert.matches("1 message", table.concat(printed, "\n"))
  end)

  it("reports that a file can't be read", function()
    for _, path in ipairs { place:file "missing.jsonl", place.path } do
      local summary, err = migrate.scan(path, function() end)
      assert.is_nil(summary)
      assert.equal("invalid", err.kind)
      assert.equal("path", err.path)
      assert.matches("path can't be read: " .. path .. ": ", err.message, 1, true)
    end
    assert.has_error(function() migrate.scan(5) end)
    assert.error_matches(function() migrate.scan("requests.jsonl", {}) end, "must be a function, not a table")
  end)

  it("raises no error for arbitrary bytes", function()
    local rng, lines = messages.rng(99), {}
    for i = 1, 400 do
      local message = messages.random(rng)
      message.to = "491511234567"
      local bytes = assert(core.encode(message))
      local at = rng(1, #bytes)
      lines[i] = (bytes:sub(1, at) .. random.pick(rng, { "", "\0", "}", '"', "[", "null", "\195", "9" })
        .. bytes:sub(at + rng(0, 3))):gsub("\n", " ")
    end
    local _, summary = scan(table.concat(lines, "\n"))
    assert.equal(400, summary.lines)
    assert.equal(400, summary.broken + summary.messages + summary.requests)
  end)
end)

describe("the guide to moving", function()
  it("lists the kinds of the codes", function()
    local compared = 0
    for _, row in ipairs(documents.rows "docs/guides/moving-to-cloud.md") do
      local kind = row.cells[2]:match "^`([%l_]+)`$"
      for i, hosting in ipairs(kind and { "on_premise", "cloud" } or {}) do
        for code in row.cells[i + 2]:gmatch "%d+" do
          assert.equal(kind, waba.explain(code, hosting).kind, row.cells[1] .. " " .. code)
          compared = compared + 1
        end
      end
    end
    assert.is_true(compared > 25)
  end)
end)

describe("waba migrate", function()
  local place

  setup(function() place = folder.new() end)
  teardown(function() place:remove() end)

  local TEXT = '{"to":"491511234567","type":"text","text":{"body":"Hi"}}\n'
  local IMAGE = '{"to":"491511234567","type":"image","image":{"id":"a-b"}}\n'

  local function run(arguments, input) return command.run({ HOME = "/nonexistent" }, arguments, input) end

  it("exits with 0 if everything has a counterpart", function()
    local result = run { "migrate", place:write("a.jsonl", TEXT) }
    assert.equal("", result.err)
    assert.equal(0, result.code)
    assert.matches("line 1: text: 2 changes\n", result.out)
    assert.matches("1 message, 0 other requests: 1 changed, 0 without a counterpart, 0 lines not read", result.out)
  end)

  it("exits with 1 if something has no counterpart, or can't be read", function()
    local result = run({ "migrate", "-" }, TEXT .. IMAGE)
    assert.equal(1, result.code)
    assert.matches("no counterpart: image.id", result.out)
    assert.matches("upload the file again", result.out)
    result = run({ "migrate", "-" }, "nonsense\27[2J\n")
    assert.equal(1, result.code)
    assert.is_nil(result.out:find("\27", 1, true))
    assert.matches("jq %-c", result.out)
  end)

  it("prints JSON lines", function()
    local result = run({ "migrate", "--json", "-" }, TEXT .. IMAGE .. '{"type":"reaction"}\n')
    local lines = {}
    for text in result.out:gmatch "[^\n]+" do lines[#lines + 1] = assert(core.decode(text)) end
    assert.equal(4, #lines)
    assert.equal("+491511234567", lines[1].cloud.to)
    assert.equal("image.id", lines[2].lacking[1].path)
    assert.is_string(lines[3].on_premise_error.message)
    assert.equal(3, lines[4].summary.messages)
    result = run({ "migrate", "--json", "-" }, '{"to":"491511234567","type":"text","text":{"body":"\255"}}\n' .. TEXT)
    assert.equal("", result.err)
    assert.matches("UTF%-8", result.out)
    assert.matches("%+491511234567", result.out)
    result = run({ "migrate", "--json", "--summary", "-" }, TEXT)
    assert.equal(1, result.json.summary.messages)
  end)

  it("exits with 2 for wrong use", function()
    for _, arguments in ipairs { { "migrate" }, { "migrate", place:file "missing" }, { "migrate", "--what", "-" },
      { "migrate", place:write("empty", "\n") } } do
      local result = run(arguments)
      assert.equal(2, result.code, table.concat(arguments, " "))
      assert.equal("", result.out)
      assert.matches("^waba: ", result.err)
    end
    assert.equal(2, run({ "migrate", place.path }).code)
  end)
end)
