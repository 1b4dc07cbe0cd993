local bytes_support = require "spec.support.bytes"
local cloud_gateway = require "spec.support.cloud_gateway"
local core = require "waba.core"
local digest = require "waba.resource.media.digest"
local folders = require "spec.support.folder"
local hosting_media = require "waba.hosting.cloud.media"
local media_rules = require "waba.resource.media.rules"
local scripted_transport = require "spec.support.scripted_transport"

local bytes_of, reader_of = bytes_support.of, bytes_support.reader
local KB, MB = 1024, 1024 * 1024
local ID = "7781230045"
local PLACE = "/whatsapp_business/attachments/"

-- Returns the parts of an upload form, each as { headers, body }. The keys are the names of the parts.
local function parts_of(request)
  local boundary = assert(request.headers["content-type"]:match("^multipart/form%-data; boundary=(%S+)$"))
  local text, parts = "\r\n" .. request.body, {}
  local mark = "\r\n--" .. boundary
  local position = assert(select(2, text:find(mark, 1, true)))
  while text:sub(position + 1, position + 2) == "\r\n" do
    local first, last = text:find("\r\n\r\n", position + 1, true)
    local head = text:sub(position + 3, first - 1)
    local start, finish = text:find(mark, last - 1, true)
    local name = assert(head:match('form%-data; name="([^"]*)"'))
    assert(not parts[name], "twice the same part")
    parts[name] = { head = head, body = text:sub(last + 1, start - 1) }
    position = finish
  end
  assert.equal("--\r\n", text:sub(position + 1))
  return parts
end

local function url_of(query) return "https://lookaside.fbsbx.com" .. PLACE .. "?" .. query end

describe("media on Cloud hosting", function()
  local gateway, client, folder

  setup(function()
    gateway = cloud_gateway.start()
    folder = folders.new()
  end)

  teardown(function()
    gateway:stop()
    folder:remove()
  end)

  before_each(function()
    gateway:forget()
    folder:clear()
    client = cloud_gateway.client(gateway)
    gateway:respond("/media", cloud_gateway.json { id = ID })
  end)

  after_each(function() client:close() end)

  local function describe_file(bytes, fields)
    local response = {
      messaging_product = "whatsapp", id = ID, url = url_of("mid=" .. ID .. "&ext=1767225600&hash=ATvX%2B%7e"),
      mime_type = "image/jpeg", sha256 = digest.of(bytes), file_size = tostring(#bytes),
    }
    for name, value in pairs(fields or {}) do response[name] = value end
    return cloud_gateway.json(response)
  end

  local function serve(bytes, fields)
    gateway:respond("/" .. ID, describe_file(bytes, fields))
    gateway:respond(PLACE, { headers = { { "content-type", "image/jpeg" } }, body = bytes })
  end

  local function paths()
    local found = {}
    for i, request in ipairs(gateway:received()) do found[i] = request.path end
    return found
  end

  describe("upload", function()
    local bytes = bytes_of(300000)

    for way, source in pairs {
      ["a few bytes"] = function() return { data = bytes:sub(1, 700) }, bytes:sub(1, 700) end,
      ["many bytes"] = function() return { data = bytes }, bytes end,
      ["a file"] = function() return { file = folder:write("order.pdf", bytes) }, bytes end,
      ["a reader with a size"] = function() return { reader = reader_of(bytes, 7001), size = #bytes }, bytes end,
      ["a reader without a size"] = function() return { reader = reader_of(bytes, 100000) }, bytes end,
    } do
      it("sends every byte in a form, from " .. way, function()
        local options, all = source()
        options.type = "application/pdf"
        assert.same({ id = ID }, client.media:upload(options))
        local request = cloud_gateway.last(gateway)
        assert.equal("POST", request.method)
        assert.equal("/media", request.path)
        assert.equal(tostring(#request.body), request.headers["content-length"])
        local parts = parts_of(request)
        assert.equal("whatsapp", parts.messaging_product.body)
        assert.equal("application/pdf", parts.type.body)
        assert.is_true(parts.file.body == all)
        assert.matches("\r\nContent%-Type: application/pdf$", parts.file.head)
      end)
    end

    it("has the file's name, in which no character ends the quotes or the line", function()
      for name, written in pairs {
        ["order.pdf"] = "order.pdf", ["Grüße 1.pdf"] = "Grüße 1.pdf", ['a"b.pdf'] = "a%22b.pdf",
        ["a\\"] = "a%5C", ["a\r\nX-Evil: 1.pdf"] = "a%0D%0AX-Evil: 1.pdf", ["a\0b"] = "a%00b",
      } do
        assert(client.media:upload { data = "x", type = "application/pdf", filename = name })
        local head = parts_of(cloud_gateway.last(gateway)).file.head
        assert.truthy(head:find('; filename="' .. written .. '"\r\n', 1, true), head)
      end
      assert(client.media:upload { file = folder:write("note.pdf", "x") })
      assert.truthy(parts_of(cloud_gateway.last(gateway)).file.head:find('filename="note.pdf"', 1, true))
    end)

    it("uses another boundary each time", function()
      local seen = {}
      for _ = 1, 5 do
        assert(client.media:upload { data = "x", type = "image/png" })
        local boundary = cloud_gateway.last(gateway).headers["content-type"]
        assert.is_nil(seen[boundary])
        seen[boundary] = true
      end
    end)

    it("reports progress in bytes of the file", function()
      local reports = {}
      assert(client.media:upload {
        file = folder:write("big.pdf", bytes_of(2 * MB)), progress = function(sent, total)
          reports[#reports + 1] = sent
          assert.equal(2 * MB, total)
          assert.is_true(sent >= 0 and sent <= total)
        end,
      })
      assert.equal(2 * MB, reports[#reports])
    end)

    it("reports how long a number without storage keeps the file", function()
      assert(client.media:upload { data = "x", type = "image/png", ttl_minutes = 60 })
      assert.equal("60", parts_of(cloud_gateway.last(gateway)).ttl_minutes.body)
      for _, minutes in ipairs { 59, 43201 } do
        local uploaded, err = client.media:upload { data = "x", type = "image/png", ttl_minutes = minutes }
        assert.is_nil(uploaded)
        assert.equal("ttl_minutes", err.path)
      end
    end)

    it("starts again with bytes and files after the gateway was too busy, but not with a reader", function()
      for _, case in ipairs {
        { { data = bytes } }, { { data = "x" } }, { { file = folder:write("a.pdf", bytes) } },
        { { reader = reader_of(bytes, 65536) } }, { { reader = reader_of(bytes, 65536), size = #bytes }, 1 },
      } do
        local options, tries = case[1], case[2] or 2
        options.type = "application/pdf"
        local again = cloud_gateway.client(gateway, { retry = { attempts = 2, base = 0 } })
        gateway:forget()
        gateway:respond("/media", {
          status = 429, headers = { { "retry-after", "0" } }, body = "",
        }, cloud_gateway.json { id = ID })
        local uploaded = again.media:upload(options)
        assert.equal(tries, gateway:count("/media"))
        assert.equal(tries == 2, uploaded ~= nil)
        if tries == 2 then
          assert.is_true(parts_of(cloud_gateway.last(gateway)).file.body == (options.data or bytes))
        end
        again:close()
      end
    end)

    it("reports a file that can't be read any more", function()
      local path = folder:write("gone.pdf", bytes)
      local scripted, transport = scripted_transport.client({
        { failure = { kind = "invalid", message = "the reader gave fewer bytes", sent = "no" } },
      }, { hosting = "cloud" })
      local send = transport.send
      function transport:send(request)
        os.remove(path)
        return send(self, request)
      end
      local uploaded, err = scripted.media:upload { file = path }
      assert.is_nil(uploaded)
      assert.equal("invalid", err.kind)
      assert.equal("file", err.path)
      assert.matches("gone.pdf", err.message)
    end)

    it("reports that a file may have been stored if the response has no id", function()
      for _, body in ipairs { "{}", "null", '{"id":""}', '{"id":null}', "[]" } do
        gateway:respond("/media", cloud_gateway.json(body))
        local uploaded, err = client.media:upload { data = "x", type = "image/png" }
        assert.is_nil(uploaded)
        assert.equal("protocol", err.kind)
        assert.is_true(err.maybe_sent)
      end
    end)
  end)

  describe("limits", function()
    local limits = {
      { "image", "image/jpeg", 5 * MB }, { "image", "image/png", 5 * MB }, { "sticker", "image/webp", 500 * KB },
      { "audio", "audio/aac", 16 * MB }, { "audio", "audio/amr", 16 * MB }, { "audio", "audio/mpeg", 16 * MB },
      { "audio", "audio/mp4", 16 * MB }, { "audio", "audio/ogg", 16 * MB }, { "audio", "audio/ogg; codecs=opus", 16 * MB },
      { "video", "video/mp4", 16 * MB }, { "video", "video/3gpp", 16 * MB }, { "document", "text/plain", 100 * MB },
      { "document", "application/pdf", 100 * MB }, { "document", "application/msword", 100 * MB },
      { "document", "application/vnd.ms-excel", 100 * MB }, { "document", "application/vnd.ms-powerpoint", 100 * MB },
      { "document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 * MB },
      { "document", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 * MB },
      { "document", "application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 * MB },
    }
    for _, limit in ipairs(limits) do
      local kind, media_type, most = limit[1], limit[2], limit[3]
      it(("allow %s up to %d bytes"):format(media_type, most), function()
        assert.is_nil(media_rules.check_upload(hosting_media, media_type, most))
        assert.is_nil(media_rules.check_upload(hosting_media, media_type, most, kind))
        for _, as in ipairs { false, kind } do
          local err = media_rules.check_upload(hosting_media, media_type, most + 1, as or nil)
          assert.equal("size", err.path)
        end
      end)
    end

    it("have the types that messages do not accept", function()
      for media_type, kind in pairs {
        ["image/gif"] = "image", ["audio/wav"] = "audio", ["audio/ogg; codecs=vorbis"] = "audio",
        ["video/webm"] = "video", ["application/zip"] = "document", ["image/jpeg"] = "sticker",
      } do
        local err = media_rules.check_upload(hosting_media, media_type, 10, kind)
        assert.equal("type", err.path)
      end
      assert.equal("type", media_rules.check_upload(hosting_media, "application/zip", 10).path)
      assert.equal("size", media_rules.check_upload(hosting_media, "image/png", 0).path)
    end)
  end)

  describe("download", function()
    local bytes = bytes_of(3000)

    it("requests the file's URL, and fetches it from the gateway with path and query unchanged", function()
      serve(bytes)
      local download = assert(client.media:download(ID))
      assert.is_true(download.data == bytes)
      assert.equal("image/jpeg", download.type)
      assert.equal(#bytes, download.size)
      assert.equal(digest.of(bytes), download.sha256)
      local requests = gateway:received()
      assert.equal(2, #requests)
      assert.equal("/" .. ID, requests[1].path)
      assert.equal(PLACE, requests[2].path)
      assert.equal("GET", requests[2].method)
      assert.equal("mid=" .. ID .. "&ext=1767225600&hash=ATvX%2B%7e", requests[2].query)
      assert.equal(cloud_gateway.KEY, requests[2].headers["d360-api-key"])
    end)

    it("writes into a file and into a sink", function()
      serve(bytes)
      local path, parts = folder:file("photo.jpg"), {}
      assert.equal(path, assert(client.media:download(ID, { file = path })).file)
      assert.is_true(folder:read("photo.jpg") == bytes)
      assert(client.media:download(ID, { sink = function(piece) parts[#parts + 1] = piece end }))
      assert.is_true(table.concat(parts) == bytes)
    end)

    it("fetches a large file, and reports progress", function()
      serve("hello")
      gateway:respond("/" .. ID, describe_file(("hello"):rep(MB)))
      gateway:respond(PLACE, { body = "hello", times = MB })
      local received
      local download = assert(client.media:download(ID, {
        file = folder:file("big"), progress = function(done) received = done end,
      }))
      assert.equal(5 * MB, download.size)
      assert.equal(5 * MB, received)
    end)

    it("compares the platform's hash, in hex or base64, and the caller's hash instead if there is one", function()
      serve("hello", { sha256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" })
      assert(client.media:download(ID))
      serve("hello", { sha256 = digest.of("other") })
      local download, err = client.media:download(ID)
      assert.is_nil(download)
      assert.equal("media", err.kind)
      assert(client.media:download(ID, { sha256 = digest.of("hello") }))
      assert(client.media:download(ID, { sha256 = false }))
      serve("hello", { sha256 = "no sum at all" })
      assert(client.media:download(ID))
    end)

    it("returns the metadata of a file", function()
      serve(bytes)
      local info = assert(client.media:info(ID))
      assert.equal(ID, info.id)
      assert.equal(#bytes, info.size)
      assert.equal("image/jpeg", info.type)
      assert.equal(digest.of(bytes), info.sha256)
      assert.equal(1767225600, info.expires_at)
      gateway:respond("/" .. ID, cloud_gateway.json("[]"))
      assert.same({ id = ID }, client.media:info(ID))
      gateway:respond("/" .. ID, cloud_gateway.json("true"))
      assert.equal("protocol", select(2, client.media:info(ID)).kind)
    end)

    it("requests the URL once again if the file does not exist", function()
      serve(bytes)
      gateway:respond(PLACE, { status = 404, body = "" }, { body = bytes })
      assert(client.media:download(ID, { sha256 = false }))
      assert.same({ "/" .. ID, PLACE, "/" .. ID, PLACE }, paths())
      for _, status in ipairs { 404, 410 } do
        gateway:forget()
        gateway:respond(PLACE, { status = status, body = "" })
        local download, err = client.media:download(ID)
        assert.is_nil(download)
        assert.equal(status, err.status)
        assert.same({ "/" .. ID, PLACE, "/" .. ID, PLACE }, paths())
      end
    end)

    it("requests an unknown id once", function()
      gateway:respond("/" .. ID, cloud_gateway.refusal(100, 400, { error_subcode = 33 }))
      local download, err = client.media:download(ID)
      assert.is_nil(download)
      assert.equal("not_found", err.kind)
      assert.same({ "/" .. ID }, paths())
    end)

    it("uses a webhook's URL first until it expires", function()
      serve(bytes)
      local alive = url_of(("mid=%s&ext=%d&hash=x"):format(ID, os.time() + 300))
      assert(client.media:download(ID, { url = alive }))
      assert.same({ PLACE }, paths())
      gateway:forget()
      assert(client.media:download(ID, { url = url_of(("mid=%s&ext=%d"):format(ID, os.time() - 1)) }))
      assert.same({ "/" .. ID, PLACE }, paths())
      gateway:forget()
      gateway:respond(PLACE, { status = 404, body = "" }, { body = bytes })
      assert(client.media:download(ID, { url = url_of("mid=1") }))
      assert.same({ PLACE, "/" .. ID, PLACE }, paths())
    end)

    it("leaves no file after a failure", function()
      serve(bytes, { sha256 = digest.of("other") })
      local download = client.media:download(ID, { file = folder:file("photo.jpg") })
      assert.is_nil(download)
      assert.equal("", folder:names())
    end)

    it("deletes a file", function()
      gateway:respond("/" .. ID, cloud_gateway.json { success = true })
      assert.is_true(client.media:delete(ID))
      assert.equal("DELETE", cloud_gateway.last(gateway).method)
    end)

    it("returns an error if the gateway responds that the file was not deleted", function()
      gateway:respond("/" .. ID, cloud_gateway.json { success = false })
      local deleted, err = client.media:delete(ID)
      assert.is_nil(deleted)
      assert.equal("api", err.kind)
      assert.matches("success: false", err.message)
    end)
  end)

  it("uses HTTP/2 too", function()
    local modern = cloud_gateway.start { protocol = "HTTP/2" }
    local other, bytes = cloud_gateway.client(modern), bytes_of(400000)
    modern:respond("/media", cloud_gateway.json { id = ID })
    modern:respond("/uploads", cloud_gateway.json { id = "upload:A?sig=b" })
    modern:respond("/upload:A", cloud_gateway.json { h = "4:x" })
    modern:respond("/" .. ID, describe_file("hello"))
    modern:respond(PLACE, { body = "hello" })
    assert(other.media:upload { file = folder:write("a.pdf", bytes) })
    assert.is_true(parts_of(cloud_gateway.last(modern)).file.body == bytes)
    assert.equal("4:x", other.media:resumable { data = bytes, type = "image/png" })
    assert.equal("0", cloud_gateway.last(modern).headers.file_offset)
    assert.is_true(cloud_gateway.last(modern).body == bytes)
    assert.equal("hello", other.media:download(ID).data)
    assert.equal("mid=7781230045&ext=1767225600&hash=ATvX%2B%7e", cloud_gateway.last(modern).query)
    other:close()
    modern:stop()
  end)

  describe("after many refusals", function()
    local real_clock = core.clock
    after_each(function() core.clock = real_clock end)

    it("requests no further files until the oldest refusal is an hour ago", function()
      local now = 1000
      core.clock = function() return now end
      local responses = {}
      for i = 1, 17 do responses[i] = { status = 404, body = "" } end
      local scripted, transport = scripted_transport.cloud_client(responses)
      for i = 1, 15 do
        now = now + 60
        assert.equal("not_found", select(2, scripted.media:download("id" .. i)).kind)
      end
      assert.equal(15, #transport.requests)
      local download, err = scripted.media:download("id")
      assert.is_nil(download)
      assert.equal("rate_limited", err.kind)
      assert.equal("endpoint", err.scope)
      assert.equal(3600 - 14 * 60, err.retry_after)
      assert.is_true(err.retryable)
      assert.matches("20", err.message)
      assert.is_nil((scripted.media:info("id")))
      assert.equal(15, #transport.requests)
      now = now + err.retry_after
      assert.equal("not_found", select(2, scripted.media:download("id")).kind)
      -- The oldest failure is more than an hour old and no longer counts, but the last request failed too.
      assert.equal("rate_limited", select(2, scripted.media:download("id")).kind)
      assert.equal(16, #transport.requests)
      now = now + 60
      assert.equal("not_found", select(2, scripted.media:info("id")).kind)
    end)

    it("counts refusals of the gateway, but not failures of the network", function()
      local responses = {}
      for i = 1, 40 do responses[i] = { status = i % 2 == 0 and 500 or 200, body = "{}" } end
      local scripted = scripted_transport.cloud_client(responses)
      for _ = 1, 40 do
        local _, err = scripted.media:download("id")
        assert.is_true(err.kind == "unavailable" or err.kind == "protocol", err.kind)
      end
    end)

    it("does not affect sending and uploading", function()
      local responses = {}
      for i = 1, 15 do responses[i] = { status = 400, body = "" } end
      responses[16] = { body = '{"id":"7"}' }
      local scripted = scripted_transport.cloud_client(responses)
      for _ = 1, 15 do scripted.media:info("id") end
      assert.equal("rate_limited", select(2, scripted.media:info("id")).kind)
      assert(scripted.media:upload { data = "x", type = "image/png" })
    end)
  end)

  describe("resumable upload", function()
    local SESSION, SIGNED = "upload:MTphdHRh", "upload:MTphdHRh?sig=ARZ_a-b"
    local bytes = bytes_of(150000)

    before_each(function()
      gateway:respond("/uploads", cloud_gateway.json { id = SIGNED })
      gateway:respond("/" .. SESSION, cloud_gateway.json { h = "4:cGlj\n4:abc" })
    end)

    for way, source in pairs {
      bytes = function() return { data = bytes, type = "image/jpeg" } end,
      ["a file"] = function() return { file = folder:write("pic ü.jpg", bytes) } end,
      ["a reader"] = function() return { reader = reader_of(bytes, 7001), size = #bytes, type = "image/jpeg" } end,
    } do
      it("returns a handle for " .. way, function()
        assert.equal("4:cGlj\n4:abc", client.media:resumable(source()))
        local requests = gateway:received()
        assert.equal(2, #requests)
        assert.equal("POST", requests[1].method)
        local name = way == "a file" and "pic%20%C3%BC.jpg" or "file"
        assert.equal("file_length=150000&file_name=" .. name .. "&file_type=image%2Fjpeg", requests[1].query)
        assert.equal("", requests[1].body)
        assert.equal("/" .. SESSION, requests[2].path)
        assert.equal("sig=ARZ_a-b", requests[2].query)
        assert.equal("0", requests[2].headers.file_offset)
        assert.equal("application/octet-stream", requests[2].headers["content-type"])
        assert.is_true(requests[2].body == bytes)
      end)
    end

    it("continues at the gateway's offset", function()
      for _, source in ipairs {
        { data = bytes }, { file = folder:write("pic.jpg", bytes) }, { reader = reader_of(bytes, 65536) },
      } do
        source.type = "image/jpeg"
        local reports = {}
        source.progress = function(sent) reports[#reports + 1] = sent end
        gateway:forget()
        gateway:respond("/" .. SESSION, { drop = "request" }, cloud_gateway.json { id = SIGNED, file_offset = 16384 },
          cloud_gateway.json { h = "4:done" })
        assert.equal("4:done", client.media:resumable(source))
        local requests = gateway:received()
        assert.equal(4, #requests)
        assert.equal("GET", requests[3].method)
        assert.equal("/" .. SESSION, requests[3].path)
        assert.equal("sig=ARZ_a-b", requests[3].query)
        assert.equal("16384", requests[4].headers.file_offset)
        assert.is_true(requests[4].body == bytes:sub(16385))
        assert.equal(#bytes, reports[#reports])
      end
    end)

    it("starts again if the gateway has the whole file and its response was lost", function()
      gateway:respond("/" .. SESSION, { drop = "request" }, cloud_gateway.json { file_offset = #bytes },
        cloud_gateway.json { h = "4:again" })
      assert.equal("4:again", client.media:resumable { data = bytes, type = "image/jpeg" })
      assert.equal(2, gateway:count("/uploads"))
      gateway:respond("/" .. SESSION, { drop = "request" }, cloud_gateway.json { file_offset = #bytes },
        { drop = "request" }, cloud_gateway.json { file_offset = #bytes })
      local handle, err = client.media:resumable { data = bytes, type = "image/jpeg" }
      assert.is_nil(handle)
      assert.equal("network", err.kind)
    end)

    it("can be continued by the program", function()
      gateway:respond("/" .. SESSION, { drop = "request" }, { drop = "request" })
      local handle, err = client.media:resumable { data = bytes, type = "image/jpeg" }
      assert.is_nil(handle)
      assert.equal("network", err.kind)
      assert.equal(SIGNED, err.upload)
      gateway:forget()
      gateway:respond("/" .. SESSION, cloud_gateway.json { id = SIGNED, file_offset = 8192 }, cloud_gateway.json { h = "4:x" })
      assert.equal("4:x", client.media:resumable { data = bytes, type = "image/jpeg", upload = err.upload })
      assert.equal(0, gateway:count("/uploads"))
      assert.is_true(cloud_gateway.last(gateway).body == bytes:sub(8193))
    end)

    it("returns an error at once after a refusal", function()
      gateway:respond("/" .. SESSION, cloud_gateway.refusal(100, 400))
      local handle, err = client.media:resumable { data = bytes, type = "image/jpeg" }
      assert.is_nil(handle)
      assert.equal(100, err.code)
      assert.equal(2, gateway:count())
    end)

    it("accepts a session without its prefix, and none that leads to another path", function()
      gateway:respond("/uploads", cloud_gateway.json { id = "MTphdHRh" })
      assert(client.media:resumable { data = "x", type = "image/jpeg" })
      for _, id in ipairs { "upload:a/../../messages", "upload:a b", "upload:a\\b", "upload:a#b", "upload:a\r\nX: y", "" } do
        gateway:forget()
        gateway:respond("/uploads", cloud_gateway.json { id = id })
        local handle, err = client.media:resumable { data = "x", type = "image/jpeg" }
        assert.is_nil(handle)
        assert.equal("protocol", err.kind)
        assert.equal(1, gateway:count())
        handle, err = client.media:resumable { data = "x", type = "image/jpeg", upload = id }
        assert.is_nil(handle)
        assert.equal("upload", err.path)
      end
    end)

    it("checks the file for which it makes a handle", function()
      for path, options in pairs {
        type = { data = "x", type = "image/gif" }, size = { data = "", type = "image/png" },
      } do
        local handle, err = client.media:resumable(options)
        assert.is_nil(handle)
        assert.equal(path, err.path)
      end
      assert.error_matches(function() client.media:resumable { as = "image" } end, "unknown option as")
      assert.error_matches(function() client.media:resumable() end, "one of the options")
    end)

    it("accepts no offset beyond the end, and no response without a handle", function()
      gateway:respond("/" .. SESSION, { drop = "request" }, cloud_gateway.json { file_offset = #bytes + 1 })
      local handle, err = client.media:resumable { data = bytes, type = "image/jpeg" }
      assert.is_nil(handle)
      assert.equal("protocol", err.kind)
      gateway:respond("/" .. SESSION, cloud_gateway.json "{}")
      handle, err = client.media:resumable { data = bytes, type = "image/jpeg" }
      assert.is_nil(handle)
      assert.equal("protocol", err.kind)
      assert.is_true(err.maybe_sent)
    end)
  end)
end)
