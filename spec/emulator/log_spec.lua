-- The lines that the emulator writes with its option `log`.

local core = require "waba.core"
local journal = require "waba.emulator.journal"

describe("a line of the emulator's log", function()
  local function line(method, hosting, fields)
    local lines = {}
    if type(fields.body) == "table" then fields.body = assert(core.encode(fields.body)) end
    local written = journal.new_log(function(text) lines[#lines + 1] = text end)
    written[method](written, hosting, fields, { status = fields.status })
    assert.equal(1, #lines)
    return lines[1]
  end

  local function request(fields)
    fields.method, fields.path = fields.method or "POST", fields.path or "/messages"
    return line("request", "cloud", fields)
  end

  local function webhook(body, attempt)
    attempt = attempt or { status = 200 }
    attempt.url, attempt.body = "http://127.0.0.1:9/", body
    return line("webhook", "cloud", attempt)
  end

  it("shows the purpose of a request, and the status", function()
    assert.equal("cloud  GET /whatsapp?a=b  404", request { method = "GET", path = "/whatsapp?a=b", status = 404, body = "" })
    assert.equal("cloud  GET /x  cut off", request { method = "GET", path = "/x", status = 0 })
    assert.equal("cloud  POST /media  200", request { path = "/media", status = 200, body = "\137PNG" })
    assert.equal("cloud  POST /media  200", request { path = "/media", status = 200, body = "5" })
    assert.equal("cloud  POST /messages  200  read", request { status = 200, body = { status = "read", message_id = "m" } })
    assert.equal("cloud  POST /messages  200", request { status = 200, body = { type = "text" } })
    assert.equal("cloud  POST /messages  200", request { status = 200, body = { to = "49" } })
  end)

  it("shows the readable part of a message", function()
    local shown = {
      ["text to 49: Hi"] = { type = "text", to = "49", text = { body = "Hi" } },
      ["text to DE.1: Hi"] = { type = "text", recipient = "DE.1", text = { body = "Hi" } },
      ["image to 49: A cap"] = { type = "image", to = "49", image = { caption = "A cap" } },
      ["image to 49"] = { type = "image", to = "49", image = { link = "x" } },
      ["template to 49: hello"] = { type = "template", to = "49", template = { name = "hello" } },
      ["interactive to 49: Ok?"] = { type = "interactive", to = "49", interactive = { body = { text = "Ok?" } } },
      ["button to 49: Yes"] = { type = "button", to = "49", button = { text = "Yes", payload = "y" } },
      ["text to ?: Hi"] = { type = "text", to = 49, text = { body = "Hi" } },
      ["text to 49"] = { type = "text", to = "49", text = { body = 5 } },
      ["contacts to 49"] = { type = "contacts", to = "49", contacts = "no object" },
    }
    for expected, body in pairs(shown) do
      assert.equal("cloud  POST /messages  200  " .. expected, request { status = 200, body = body })
    end
  end)

  it("cuts a long text after sixty characters, and has no control characters", function()
    local function text(body)
      return request { status = 200, body = { type = "text", to = "49", text = { body = body } } }:match ": (.*)$"
    end
    assert.equal(("\195\164"):rep(60), text(("\195\164"):rep(60)))
    assert.equal(("\195\164"):rep(60) .. "\226\128\166", text(("\195\164"):rep(61)))
    assert.equal("a \226\134\181 b?c?[2J?", text "a\nb\194\155c\27[2J\226\128\174")
  end)

  it("shows messages and statuses of a webhook of either hosting", function()
    local value = { messages = { { type = "text", from = "49", text = { body = "Hi" } },
      { type = "text", from_user_id = "DE.1", text = { body = "Ho" } } } }
    local head = "cloud  webhook to http://127.0.0.1:9/  "
    assert.equal(head .. "200  text from 49: Hi; text from DE.1: Ho", webhook(value))
    local change = function(of) return { changes = { { field = "messages", value = of } } } end
    assert.equal(head .. "200  text from 49: Hi; text from DE.1: Ho; status read",
      webhook { entry = { change(value), change { statuses = { { status = "read" } } } } })
    assert.equal(head .. "200  status ?", webhook { statuses = { { status = 5 } } })
    assert.equal(head .. "200", webhook { entry = { { changes = {} }, {} } })
    assert.equal(head .. "200", webhook { entry = "none", messages = 5, statuses = "x" })
    assert.equal(head .. "Connection refused", webhook({ messages = {} }, { error = "Connection refused" }))
  end)
end)
