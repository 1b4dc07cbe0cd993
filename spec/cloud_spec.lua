-- A client on Cloud hosting with the emulator's Cloud gateway.

local waba = require "waba"

local NUMBER = "4915112345678"

describe("a client on Cloud hosting", function()
  local emulator, gateway, client

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    gateway = emulator.cloud
    client = waba.client(emulator:options { hosting = "cloud", retry = false })
  end)

  teardown(function()
    client:close()
    emulator:stop()
  end)

  local function count(path) return #gateway:received { path = path } end

  it("runs the program that runs on On-Premise hosting", function()
    local function program(one)
      local sent = assert(one:send("+49 151 12345678", waba.text { body = "see https://x.example", preview_url = true }))
      assert(one:send(NUMBER, waba.template { name = "order_done", namespace = "9c1f", language = "de", body = { "Eva" } }))
      assert(one:send(NUMBER, waba.image { link = "https://cdn.example/blue.jpg" }))
      local uploaded = assert(one.media:upload { data = "%PDF-1.4", type = "application/pdf" })
      assert(one:send(NUMBER, waba.document { id = uploaded.id, filename = "a.pdf" }))
      local download = assert(one.media:download(uploaded.id))
      assert.equal("%PDF-1.4", download.data)
      assert(one.media:delete(uploaded.id))
      assert.equal("not_found", select(2, one.media:download(uploaded.id)).kind)
      local health = assert(one:health())
      assert.is_true(health.healthy)
      assert.matches("^%d+$", one:phone_number())
      assert.is_true(one:verify(one:phone_number()))
      return sent
    end
    local on_premise = waba.client(emulator:options { retry = false })
    assert.equal(NUMBER, program(on_premise).wa_id)
    on_premise:close()
    local sent = program(client)
    assert.matches("^wamid%.", sent.id)
    assert.equal(NUMBER, sent.wa_id)
  end)

  it("downloads a customer's file by its id, and by the URL of its webhook", function()
    local bytes = "\255\216\255\224" .. ("jpeg"):rep(1000)
    local customer = gateway:customer(NUMBER)
    local id = customer:image { data = bytes, type = "image/jpeg" }
    assert.truthy(id)
    local info = assert(client.media:upload { data = bytes, type = "image/jpeg" })
    local known = assert(client.media:info(info.id))
    assert.equal(#bytes, known.size)
    local before = count("/" .. info.id)
    assert.equal(bytes, assert(client.media:download(info.id, { url = known.url, sha256 = known.sha256 })).data)
    assert.equal(before, count("/" .. info.id))
    assert(gateway:advance(301))
    assert.equal(bytes, assert(client.media:download(info.id, { url = known.url })).data)
    assert.equal(before + 1, count("/" .. info.id))
  end)

  it("refuses further downloads before the gateway's limit of failed requests", function()
    local other = waba.client(emulator:options { hosting = "cloud", retry = false, pace = false })
    local asked = 0
    for i = 1, 30 do
      local _, err = other.media:info(("%d"):format(900 + i))
      asked = asked + 1
      if err.kind == "rate_limited" then break end
    end
    assert.is_true(asked < 20)
    local uploaded = assert(client.media:upload { data = "x", type = "image/png" })
    assert.equal("x", client.media:download(uploaded.id).data)
    assert.equal("rate_limited", select(2, other.media:download(uploaded.id)).kind)
    other:close()
    assert(gateway:advance(3600))
  end)

  it("reports the gateway's limit of failed requests", function()
    local other = waba.client(emulator:options { hosting = "cloud", retry = false, pace = false })
    local id = assert(other.media:upload { data = "x", type = "image/png" }).id
    gateway:fail_next { path = "/" .. id, status = 400,
      body = '{"meta":{"httpCode":400,"developerMessage":"You have exceeded the limit of 20 request every 3600 seconds"}}' }
    local _, err = other.media:info(id)
    assert.equal("rate_limited", err.kind)
    assert.equal(3600, err.retry_after)
    local before = count("/" .. id)
    assert.equal("rate_limited", select(2, other.media:info(id)).kind)
    assert.equal(before, count("/" .. id))
    other:close()
  end)

  it("has a rate limit for uploads", function()
    local other = waba.client(emulator:options { hosting = "cloud", pace = { media = { rate = 0.01, burst = 1 } } })
    local before = count "/media"
    assert(other.media:upload { data = "x", type = "image/png" })
    assert.equal("timeout", select(2, other.media:upload { data = "x", type = "image/png", timeout = 0.05 }).kind)
    assert.equal(before + 1, count "/media")
    assert(other:health())
    other:close()
    local pace = require("waba.hosting.cloud").pace.media
    assert.is_true(pace.rate + pace.burst <= 25) -- the gateway accepts 25 requests for media per second
  end)

  it("resumes an upload and returns a handle", function()
    local handle = assert(client.media:resumable { data = "\255\216\255" .. ("x"):rep(50000), type = "image/jpeg" })
    assert.matches("^4:", handle)
  end)

  it("marks a customer's message as read and shows that it is typing", function()
    local id = assert(gateway:customer(NUMBER):text "Hello?")
    if type(id) == "table" then id = id.id end
    assert.is_true(client:mark_read(id))
    assert.is_true(client:mark_read(id, { typing = true }))
  end)

  it("pauses one recipient only if the gateway's error names the rate of this recipient", function()
    local patient = waba.client(emulator:options { hosting = "cloud", retry = false })
    gateway:fail_next { path = "/messages", code = 131056 }
    local _, err = patient:send(NUMBER, waba.text "Hi")
    assert.equal("pair", err.scope)
    assert.equal(1, err.retry_after)
    assert(patient:send("4915187654321", waba.text "Hi"))
    _, err = patient:send(NUMBER, waba.text "Hi", { timeout = 0.2 })
    assert.equal("rate_limited", err.kind)
    assert.equal("pair", err.scope)
    patient:close()
  end)

  it("calls any path, also with a body on DELETE", function()
    local json = assert(client:request { path = "/health_status" })
    assert.truthy(json.health_status)
    client:request { method = "DELETE", path = "/block_users",
      body = { messaging_product = "whatsapp", block_users = { { user = "+" .. NUMBER } } } }
    local received = gateway:received { method = "DELETE", path = "/block_users" }
    assert.equal("+" .. NUMBER, received[1].json.block_users[1].user)
    -- A client of On-Premise hosting refuses this path with the kind "blocked". A client of Cloud hosting sends the
    -- request.
    assert.are_not.equal("blocked", (select(2, client:request { path = "/v1/users" }) or {}).kind)
  end)

  it("gets an error with the key of the other hosting", function()
    local wrong = waba.client(emulator:options { hosting = "cloud", api_key = emulator.api_key, retry = false })
    local _, err = wrong:send(NUMBER, waba.text "Hi")
    assert.equal("auth", err.kind)
    assert.equal("auth", select(2, wrong:phone_number()).kind)
    wrong:close()
  end)
end)
