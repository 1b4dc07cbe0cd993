local bytes_support = require "spec.support.bytes"
local hosting_media = require "waba.hosting.on_premise.media"
local media_rules = require "waba.resource.media.rules"
local mime = require "waba.resource.media.mime"
local process = require "spec.support.process"
local fixture = require "spec.support.resource_fixture"
local scripted_transport = require "spec.support.scripted_transport"
local server = require "spec.support.server"
local waba = require "waba"

local bytes_of, reader_of = bytes_support.of, bytes_support.reader
local KB, MB = 1024, 1024 * 1024
local HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
local HELLO_BASE64 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="

describe("client.media", function()
  local emulator, client, close, folder

  setup(function() emulator, client, close, folder = fixture.open() end)
  teardown(function() close() end)
  before_each(function() folder:clear() end)

  local function last_upload()
    local list = assert(emulator:received { method = "POST", path = "/v1/media" })
    return list[#list]
  end

  local function requests() return emulator:counts().requests end

  local function upload(bytes, media_type)
    return assert(client.media:upload { data = bytes, type = media_type or "application/pdf" }).id
  end

  describe("upload", function()
    local bytes = bytes_of(300000)

    for way, source in pairs {
      data = function() return { data = bytes } end,
      file = function() return { file = folder:write("order.pdf", bytes) } end,
      ["reader with a size"] = function() return { reader = reader_of(bytes, 7001), size = #bytes } end,
      ["reader without a size"] = function() return { reader = reader_of(bytes, 100000) } end,
    } do
      it("sends every byte from " .. way, function()
        local case = source()
        case.type = "application/pdf"
        local uploaded = assert(client.media:upload(case))
        assert.same({ "id" }, { next(uploaded) and next(uploaded) })
        local downloaded = assert(client.media:download(uploaded.id))
        assert.is_true(downloaded.data == bytes)
        assert.equal("application/pdf", downloaded.type)
        local request = last_upload()
        assert.equal("application/pdf", request.headers["content-type"])
        assert.equal(tostring(#bytes), request.headers["content-length"])
      end)
    end

    it("derives the type from the file's name", function()
      assert(client.media:upload { file = folder:write("Photo.JPEG", "\255\216\255") })
      assert.equal("image/jpeg", last_upload().headers["content-type"])
      assert(client.media:upload { file = folder:write("note.v2.ogg", "OggS") })
      assert.equal("audio/ogg; codecs=opus", last_upload().headers["content-type"])
    end)

    it("prefers the type of the options", function()
      assert(client.media:upload { file = folder:write("list.txt", "a,b"), type = "text/csv" })
      assert.equal("text/csv", last_upload().headers["content-type"])
    end)

    it("requires the type if it can't be derived", function()
      local before = requests()
      for _, case in ipairs {
        { file = folder:write("README", "x") }, { file = folder:write("a.unheard-of", "x") },
        { file = folder:write(".jpg", "x") }, { data = "x" }, { reader = reader_of("x", 1) },
      } do
        local uploaded, err = client.media:upload(case)
        assert.is_nil(uploaded)
        assert.equal("invalid", err.kind)
        assert.equal("type", err.path)
        assert.truthy(err.message:find("^type is missing"))
      end
      assert.equal("type", select(2, client.media:upload { data = "x", type = "jpeg" }).path)
      assert.equal("type", select(2, client.media:upload { data = "x", type = "image/png\r\nX: y" }).path)
      assert.equal(before, requests())
    end)

    it("reports what is wrong with a file", function()
      local before = requests()
      local uploaded, err = client.media:upload { file = folder:file "nothing.pdf" }
      assert.is_nil(uploaded)
      assert.equal("file", err.path)
      assert.truthy(err.message:find("nothing.pdf", 1, true))
      uploaded, err = client.media:upload { file = folder.path, type = "application/pdf" }
      assert.is_nil(uploaded)
      assert.equal("file", err.path)
      uploaded, err = client.media:upload { file = folder:write("empty.pdf", "") }
      assert.is_nil(uploaded)
      assert.equal("size", err.path)
      assert.equal(before, requests())
    end)

    it("reports progress up to the end", function()
      local steps = {}
      assert(client.media:upload {
        data = bytes, type = "application/pdf",
        progress = function(sent, total) steps[#steps + 1] = { sent, total } end,
      })
      for i, step in ipairs(steps) do
        assert.equal(#bytes, step[2])
        assert.is_true(i == 1 or step[1] > steps[i - 1][1])
      end
      assert.same({ #bytes, #bytes }, steps[#steps])
    end)

    it("leaves no temporary file", function()
      local names, tmpname = {}, os.tmpname
      finally(function() os.tmpname = tmpname end)
      os.tmpname = function()
        names[#names + 1] = folder:write("gathered" .. #names, "")
        return names[#names]
      end
      assert(client.media:upload { reader = reader_of("hello", 2), type = "text/plain" })
      assert.equal("size", select(2, client.media:upload { reader = reader_of("", 2), type = "text/plain" }).path)
      assert.error(function()
        client.media:upload { reader = function() error("the disk is on fire", 0) end, type = "text/plain" }
      end, "the disk is on fire")
      assert.equal(3, #names)
      assert.equal("", folder:names())
    end)

    it("stops reading at the gateway's limit", function()
      local piece, count = ("x"):rep(MB), 0
      local uploaded, err = client.media:upload {
        reader = function()
          count = count + 1
          return piece
        end,
        type = "application/pdf",
      }
      assert.is_nil(uploaded)
      assert.equal("size", err.path)
      assert.equal(65, count)
    end)

    it("raises an error if a reader returns more or fewer bytes than the size, or a value other than a string", function()
      for message, reader in pairs {
        ["returned 2 bytes less than the size of 5"] = reader_of("abc", 2),
        ["reader returned more bytes than the size of 5"] = reader_of("abcdefgh", 4),
        ["returned more bytes than the size of 5"] = reader_of("abcdefgh", 5),
        ["must return a string or nil, not a number"] = function() return 5 end,
      } do
        assert.error_matches(function()
          client.media:upload { reader = reader, size = 5, type = "text/plain" }
        end, message)
      end
    end)

    it("returns an error when the bytes of a reader can't be stored", function()
      local tmpname = os.tmpname
      finally(function() os.tmpname = tmpname end)
      os.tmpname = function() return "/nonexistent/folder/file" end
      local uploaded, err = client.media:upload { reader = reader_of("hello", 2), type = "text/plain" }
      assert.is_nil(uploaded)
      assert.same({ "invalid", "reader" }, { err.kind, err.path })
      assert.matches("the bytes of reader can't be stored in a temporary file: ", err.message)
    end)

    it("returns an error when the disk is full", function()
      local tmpname = os.tmpname
      finally(function() os.tmpname = tmpname end)
      for _, size in ipairs { 5, 500000 } do -- with 5 bytes closing the file fails, with 500000 bytes writing fails
        process.run(("ln -s /dev/full %s"):format(folder:file "full"))
        os.tmpname = function() return folder:file "full" end
        local uploaded, err = client.media:upload { reader = reader_of(("x"):rep(size), 100000), type = "text/plain" }
        assert.is_nil(uploaded)
        assert.same({ "invalid", "reader" }, { err.kind, err.path }, tostring(err))
        assert.matches("can't be stored in a temporary file: No space left on device", err.message)
        assert.equal("", folder:names())
      end
    end)

    it("works again after a reader raised an error", function()
      assert.error_matches(function()
        client.media:upload { reader = function() error "out of paper" end, size = 5, type = "text/plain" }
      end, "out of paper")
      assert(client.media:upload { data = "hello", type = "text/plain" })
    end)

    it("does not use a reader twice", function()
      local scripted, transport = scripted_transport.client { { status = 503 }, { body = '{"media":[{"id":"7"}]}' } }
      local uploaded, err = scripted.media:upload { reader = reader_of("hello", 2), size = 5, type = "text/plain" }
      assert.is_nil(uploaded)
      assert.equal(503, err.status)
      assert.equal(1, #transport.requests)
    end)

    it("sends bytes and files again after the gateway was too busy", function()
      for _, case in ipairs {
        { data = "hello" }, { file = folder:write("a.txt", "hello") }, { reader = reader_of("hello", 2) },
      } do
        case.type = "text/plain"
        local scripted, transport = scripted_transport.client { { status = 503 }, { body = '{"media":[{"id":"7"}]}' } }
        assert.same({ id = "7" }, scripted.media:upload(case))
        assert.equal("hello", transport.requests[2].body)
      end
    end)

    it("has a long timeout for files", function()
      local scripted, transport = scripted_transport.client({
        { body = '{"media":[{"id":"7"}]}' }, { body = '{"media":[{"id":"7"}]}' },
      }, { timeout = 20 })
      scripted.media:upload { data = "hello", type = "text/plain" }
      scripted.media:upload { data = "hello", type = "text/plain", timeout = 7 }
      assert.is_true(math.abs(transport.requests[1].timeout - 200) < 5)
      assert.is_true(math.abs(transport.requests[2].timeout - 7) < 5)
    end)

    it("reports that a file may have been stored if the response has no id", function()
      for _, body in ipairs { "{}", "null", '{"media":[]}', '{"media":[{"id":null}]}' } do
        local scripted = scripted_transport.client { { body = body } }
        local uploaded, err = scripted.media:upload { data = "hello", type = "text/plain" }
        assert.is_nil(uploaded)
        assert.equal("protocol", err.kind)
        assert.is_true(err.maybe_sent)
      end
    end)

    it("returns the gateway's error", function()
      emulator:fail_next { path = "/v1/media", code = 1014, status = 400, details = "the image is damaged" }
      local uploaded, err = client.media:upload { data = "x", type = "image/png" }
      assert.is_nil(uploaded)
      assert.equal("media", err.kind)
      assert.equal(1014, err.code)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.media:upload {} end, "one of the options file, data and reader")
      assert.error_matches(function() client.media:upload() end, "one of the options file, data and reader")
      assert.error_matches(function() client.media:upload { data = "x", file = "y" } end, "can't be combined")
      assert.error_matches(function() client.media:upload { path = "x" } end, "unknown option path")
      assert.error_matches(function() client.media:upload { data = "x", as = "picture" } end, "type of message picture")
      assert.error_matches(function() client.media:upload { data = "x", as = "vidio" } end, "did you mean video%?")
    end)
  end)

  describe("limits", function()
    -- Columns: kind of media, MIME type, largest size in bytes.
    local limits = {
      { "image", "image/jpeg", 5 * MB }, { "image", "image/png", 5 * MB }, { "sticker", "image/webp", 100 * KB },
      { "audio", "audio/mpeg", 16 * MB }, { "audio", "audio/ogg; codecs=opus", 16 * MB },
      { "video", "video/mp4", 16 * MB }, { "video", "video/3gpp", 16 * MB },
      { "document", "application/pdf", 64 * MB }, { "document", "application/x-anything", 64 * MB },
    }

    for _, limit in ipairs(limits) do
      local kind, media_type, most = limit[1], limit[2], limit[3]
      it(("allow %s up to %d bytes"):format(media_type, most), function()
        assert.is_nil(media_rules.check_upload(hosting_media, media_type, most))
        assert.is_nil(media_rules.check_upload(hosting_media, media_type, most, kind))
        local err = media_rules.check_upload(hosting_media, media_type, most + 1)
        assert.equal("invalid", err.kind)
        assert.equal("size", err.path)
        assert.truthy(err.message:find("a message of type " .. kind .. " takes at most", 1, true))
      end)
    end

    it("are those of a document if the file is for a document", function()
      assert.is_nil(media_rules.check_upload(hosting_media, "video/mp4", 64 * MB, "document"))
      assert.is_not_nil(media_rules.check_upload(hosting_media, "video/mp4", 64 * MB + 1, "document"))
      local err = media_rules.check_upload(hosting_media, "video/mp4", 17 * MB)
      assert.truthy(err.message:find('as = "document"', 1, true))
      err = media_rules.check_upload(hosting_media, "video/mp4", 64 * MB + 1)
      assert.is_nil(err.message:find('as = "document"', 1, true))
    end)

    it("name the types that a kind of message accepts", function()
      local err = media_rules.check_upload(hosting_media, "image/gif", 10, "image")
      assert.equal("type", err.path)
      assert.truthy(err.message:find("image/jpeg, image/png", 1, true))
      assert.is_nil(media_rules.check_upload(hosting_media, "image/gif", 10))
    end)

    it("require the Opus codec for Ogg", function()
      for _, fits in ipairs { "audio/ogg; codecs=opus", "audio/ogg;codecs=opus", 'Audio/OGG; codecs="OPUS"' } do
        assert.is_nil(media_rules.check_upload(hosting_media, fits, 10))
      end
      for _, fault in ipairs { "audio/ogg", "audio/ogg; codecs=vorbis" } do
        assert.equal("type", media_rules.check_upload(hosting_media, fault, 10).path)
        assert.equal("type", media_rules.check_upload(hosting_media, fault, 10, "audio").path)
        assert.is_nil(media_rules.check_upload(hosting_media, fault, 10, "document"))
      end
    end)

    it("have sizes in readable units", function()
      for size, text in pairs {
        [5 * MB + 1] = "size is 5242881 bytes; a message of type image takes at most 5 MB",
        [6 * MB] = "size is 6 MB; ", [12.5 * MB] = "size is 12.5 MB; ",
      } do
        assert.truthy(media_rules.check_upload(hosting_media, "image/png", size).message:find(text, 1, true))
      end
    end)

    it("are checked before anything is sent", function()
      local before = requests()
      local uploaded, err = client.media:upload { file = folder:write("big.webp", ("x"):rep(100 * KB + 1)) }
      assert.is_nil(uploaded)
      assert.equal("size", err.path)
      uploaded, err = client.media:upload { reader = reader_of("x", 1), size = 64 * MB + 1, type = "text/plain" }
      assert.is_nil(uploaded)
      assert.equal("size", err.path)
      uploaded, err = client.media:upload { data = "hello", size = 6, type = "text/plain" }
      assert.is_nil(uploaded)
      assert.equal("size is 6 bytes, but data has 5 bytes", err.message)
      assert.equal(before, requests())
    end)

    it("are left to the gateway with validate = false", function()
      local careless = waba.client(emulator:options { pace = false, retry = false, validate = false })
      assert(careless.media:upload { data = ("x"):rep(100 * KB + 1), type = "image/webp" })
      careless:close()
    end)

    it("do not replace the errors of a gateway with other limits", function()
      emulator:configure { max_media = 1000 }
      finally(function() emulator:configure { max_media = 64 * MB } end)
      local uploaded, err = client.media:upload { data = ("x"):rep(1001), type = "text/plain" }
      assert.is_nil(uploaded)
      assert.equal(413, err.status)
      assert.equal(1009, err.code)
    end)
  end)

  describe("download writes", function()
    local bytes = bytes_of(400000)
    local id

    before_each(function() id = id or upload(bytes) end)

    it("into memory", function()
      local got = assert(client.media:download(id))
      assert.is_true(got.data == bytes)
      assert.equal(#bytes, got.size)
      assert.equal("application/pdf", got.type)
      assert.equal(64, #got.sha256)
      assert.is_nil(got.file)
    end)

    it("into a file, which exists only when it is complete", function()
      local seen
      local got = assert(client.media:download(id, {
        file = folder:file "got.pdf",
        progress = function() seen = seen or folder:read "got.pdf" or "not there" end,
      }))
      assert.equal("not there", seen)
      assert.is_true(folder:read "got.pdf" == bytes)
      assert.equal("got.pdf", folder:names())
      assert.equal(folder:file "got.pdf", got.file)
      assert.equal(#bytes, got.size)
      assert.is_nil(got.data)
    end)

    it("into a sink, piece by piece", function()
      local pieces = {}
      local got = assert(client.media:download(id, { sink = function(piece) pieces[#pieces + 1] = piece end }))
      assert.is_true(table.concat(pieces) == bytes)
      assert.equal(#bytes, got.size)
      assert.equal("application/pdf", got.type)
      assert.is_nil(got.data)
    end)

    it("with progress up to the end", function()
      for _, way in ipairs { {}, { file = folder:file "x" }, { sink = function() end } } do
        local done, whole
        way.progress = function(received, total) done, whole = received, total end
        assert(client.media:download(id, way))
        assert.equal(#bytes, done)
        assert.equal(#bytes, whole)
      end
    end)

    it("the file of a customer", function()
      emulator:customer("+49 151 1234567"):image { data = "\255\216\255hello" }
      local message = assert(emulator:messages { direction = "inbound" })[1]
      local got = assert(client.media:download(message.content.id, { sha256 = message.content.sha256 }))
      assert.equal("image/jpeg", got.type)
      assert.equal("\255\216\255hello", got.data)
    end)

    it("over an existing file", function()
      folder:write("got.pdf", "older")
      assert(client.media:download(id, { file = folder:file "got.pdf" }))
      assert.is_true(folder:read "got.pdf" == bytes)
    end)

    describe("and verifies it", function()
      local hello

      before_each(function() hello = hello or upload("hello", "text/plain") end)

      for form, sum in pairs {
        hex = HELLO, ["hex in capitals"] = HELLO:upper(), base64 = HELLO_BASE64,
        ["base64 without padding"] = HELLO_BASE64:gsub("=", ""),
        ["base64 for URLs"] = HELLO_BASE64:gsub("+", "-"),
      } do
        it("with a hash in " .. form, function()
          for _, way in ipairs { {}, { file = folder:file "hello.txt" }, { sink = function() end } } do
            way.sha256 = sum
            assert.equal(HELLO, assert(client.media:download(hello, way)).sha256)
          end
        end)
      end

      it("and keeps no file with another hash", function()
        folder:write("hello.txt", "older")
        local wrong = ("0"):rep(64)
        for _, way in ipairs { {}, { file = folder:file "hello.txt" }, { sink = function() end } } do
          way.sha256 = wrong
          local got, err = client.media:download(hello, way)
          assert.is_nil(got)
          assert.equal("media", err.kind)
          assert.equal(("the SHA-256 of the received bytes is %s, not %s: download the file again"):format(HELLO, wrong), err.message)
        end
        assert.equal("hello.txt", folder:names())
        assert.equal("older", folder:read "hello.txt")
      end)

      it("and refuses an invalid hash before anything is sent", function()
        local before = requests()
        for _, sum in ipairs { "", "abc", HELLO:sub(2), HELLO .. "0", HELLO:sub(1, 63) .. "g", "aGVsbG8=" } do
          local got, err = client.media:download(hello, { sha256 = sum })
          assert.is_nil(got)
          assert.equal("invalid", err.kind)
          assert.equal("sha256", err.path)
        end
        assert.equal(before, requests())
      end)
    end)

    it("nothing if the file does not exist", function()
      folder:write("got.pdf", "older")
      local got, err = client.media:download("no-such-id", { file = folder:file "got.pdf" })
      assert.is_nil(got)
      assert.equal("not_found", err.kind)
      assert.equal(1006, err.code)
      assert.equal("got.pdf", folder:names())
      assert.equal("older", folder:read "got.pdf")
    end)

    it("nothing if the connection breaks", function()
      local scripted = scripted_transport.client({
        { pieces = { "hel" }, failure = { kind = "network", message = "it broke", sent = "yes" } },
      }, { retry = false })
      local got, err = scripted.media:download("7", { file = folder:file "got.pdf" })
      assert.is_nil(got)
      assert.equal("network", err.kind)
      assert.is_false(err.maybe_sent)
      assert.equal("", folder:names())
    end)

    it("nothing if a progress function raises an error", function()
      assert.error_matches(function()
        client.media:download(id, { file = folder:file "got.pdf", progress = function() error "enough" end })
      end, "enough")
      assert.equal("", folder:names())
      assert(client.media:download(id))
    end)

    it("nothing if a file can't be written, with the reason, before anything is sent", function()
      local before = requests()
      local got, err = client.media:download(id, { file = folder:file "no/such/folder/x" })
      assert.is_nil(got)
      assert.equal("invalid", err.kind)
      assert.equal("file", err.path)
      assert.truthy(err.message:find("No such file", 1, true))
      assert.equal(before, requests())
    end)

    it("nothing if a folder has the file's name", function()
      os.execute("mkdir '" .. folder:file "taken" .. "'")
      local got, err = client.media:download(id, { file = folder:file "taken" })
      assert.is_nil(got)
      assert.equal("file", err.path)
      assert.equal("taken", folder:names())
    end)

    it("until a sink raises an error, which is raised again", function()
      assert.error_matches(function()
        client.media:download(id, { sink = function() error "the pipe is closed" end })
      end, "the pipe is closed")
    end)

    it("each byte once into a sink", function()
      local scripted, transport = scripted_transport.client {
        { pieces = { "hel" }, failure = { kind = "network", message = "it broke", sent = "yes" } },
        { pieces = { "hello" } },
      }
      local pieces = {}
      local got, err = scripted.media:download("7", { sink = function(piece) pieces[#pieces + 1] = piece end })
      assert.is_nil(got)
      assert.equal("network", err.kind)
      assert.same({ "hel" }, pieces)
      assert.equal(1, #transport.requests)
    end)

    it("again after a failure if nothing has arrived, or if the file can be started again", function()
      local broken = { failure = { kind = "network", message = "it broke", sent = "no" } }
      local half = { pieces = { "hel" }, failure = { kind = "network", message = "it broke", sent = "yes" } }
      local scripted = scripted_transport.client { { status = 503 }, { pieces = { "hello" } } }
      local got = {}
      assert(scripted.media:download("7", { sink = function(piece) got[#got + 1] = piece end }))
      assert.same({ "hello" }, got)

      scripted = scripted_transport.client { broken, half, { pieces = { "hel", "lo" } } }
      local result = assert(scripted.media:download("7", { file = folder:file "hello.txt", sha256 = HELLO }))
      assert.equal(5, result.size)
      assert.equal("hello", folder:read "hello.txt")
      assert.equal("hello.txt", folder:names())
    end)

    it("no more into memory than allowed", function()
      local got, err = client.media:download(id, { max_body = #bytes - 1 })
      assert.is_nil(got)
      assert.truthy(err.message)
      assert(client.media:download(id, { max_body = #bytes }))
      assert(client.media:download(id, { max_body = 10, sink = function() end }))
    end)

    it("no more than max_size, with every destination", function()
      for where, case in pairs { file = { file = folder:file "big" }, sink = { sink = function() end }, memory = {} } do
        case.max_size = #bytes - 1
        local got, err = client.media:download(id, case)
        assert.is_nil(got, where)
        assert.matches("larger than the 399999 bytes allowed", err.message)
        assert.equal("", folder:names())
        case.max_size = #bytes
        assert(client.media:download(id, case))
        folder:clear()
      end
    end)

    it("at most 100 MB by default", function()
      local scripted, transport = scripted_transport.client { { body = "hello" }, { pieces = { "hello" } } }
      assert(scripted.media:download("7", { file = folder:file "hello.txt" }))
      assert(scripted.media:download("7", { sink = function() end }))
      assert.equal(100 * MB, transport.requests[1].max_size)
      assert.equal(100 * MB, transport.requests[2].max_size)
    end)

    it("no file if the program exits", function()
      local options = emulator:options()
      for _, moment in ipairs { 1, #bytes } do
        process.run(([[%s -e 'local waba = require "waba"
          local client = waba.client { api_key = "%s", base_url = "%s", ca_file = "%s" }
          client.media:download("%s", { file = "%s", progress = function(received)
            if received >= %d then io.stdout:write(received) os.exit(0) end
          end })' >%s]]):format(process.interpreter(), options.api_key, options.base_url, options.ca_file, id,
          folder:file "left.pdf", moment, folder:file "received"))
        assert.is_true(tonumber(folder:read "received") >= moment)
        assert.equal("received", folder:names())
      end
    end)

    it("no unfinished file if the program exits after another request has arrived", function()
      local gateway = server.start { tls = false, responses = {
        -- This response is delayed, so that both requests have arrived when the program exits.
        ["/v1/media/small"] = { body = "hello", delay = 0.2 }, ["/v1/media/large"] = { held = true },
      } }
      for first, second in pairs { small = "large", large = "small" } do
        local output = process.run(([[%s -e 'local waba = require "waba"
          local client = waba.client { api_key = "key", base_url = "%s" }
          local function download(id)
            assert(client.media:download(id, { file = "%s/" .. id }))
            io.stdout:write(id)
            os.exit(0)
          end
          waba.run(function()
            waba.spawn(download, "%s")
            waba.spawn(download, "%s")
          end)' 2>&1]]):format(process.interpreter(), gateway.url, folder.path, first, second))
        assert.equal("small", output)
        assert.equal(2, gateway:count "/v1/media/large" + gateway:count "/v1/media/small")
        assert.equal("small", folder:names())
        gateway:forget()
        folder:clear()
      end
      gateway:stop()
    end)

    it("any file of a customer into memory", function()
      local scripted, transport = scripted_transport.client { { body = "hello" } }
      assert(scripted.media:download "7")
      assert.equal(100 * MB, transport.requests[1].max_body)
    end)

    it("any type, for an encoded id", function()
      local scripted, transport = scripted_transport.client { { body = "hello" } }
      assert(scripted.media:download "a/b c")
      assert.equal("https://waba.360dialog.io/v1/media/a%2Fb%20c", transport.requests[1].url)
      assert.equal("*/*", transport.requests[1].headers.Accept)
    end)

    it("JSON files unchanged", function()
      local json_id = upload('{"errors": [{"code": 1}]}', "application/json")
      local got = assert(client.media:download(json_id))
      assert.equal('{"errors": [{"code": 1}]}', got.data)
      assert.equal("application/json", got.type)
    end)

    it("nothing after wrong use, which raises an error", function()
      assert.error_matches(function() client.media:download() end, "the media id must be a string")
      assert.error_matches(function() client.media:download "" end, "the media id must be a string")
      assert.error_matches(function() client.media:download(id, { file = "x", sink = print }) end, "can't be combined")
      assert.error_matches(function() client.media:download(id, { path = "x" }) end, "unknown option path")
    end)
  end)

  describe("delete", function()
    it("removes a file", function()
      local id = upload("hello", "text/plain")
      assert.is_true(client.media:delete(id))
      assert.equal("not_found", select(2, client.media:download(id)).kind)
      assert.equal("not_found", select(2, client.media:delete(id)).kind)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.media:delete() end, "the media id must be a string")
    end)
  end)
end)

describe("waba.resource.media.mime", function()
  it("derives the type from a file's name", function()
    for name, media_type in pairs {
      ["a.jpg"] = "image/jpeg", ["/x.y/B.PNG"] = "image/png", ["a.tar.gz"] = "application/gzip",
      ["a b.docx"] = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      ["C:\\files\\a.mp4"] = "video/mp4", ["voice.opus"] = "audio/ogg; codecs=opus", ["a.3gp"] = "video/3gpp",
    } do
      assert.equal(media_type, mime.of_name(name))
    end
    for _, name in ipairs { "a", "a.", ".pdf", "folder.pdf/a", "a.nonsense", "" } do
      assert.is_nil(mime.of_name(name))
    end
  end)

  it("derives an image's type from its first bytes", function()
    assert.equal("image/jpeg", mime.of_image "\255\216\255\224")
    assert.equal("image/png", mime.of_image "\137PNG\r\n\26\n....")
    assert.equal("image/webp", mime.of_image "RIFF\1\2\3\0WEBPVP8 ")
    assert.equal("image/gif", mime.of_image "GIF89a")
    assert.is_nil(mime.of_image "")
    assert.is_nil(mime.of_image "<html>")
  end)

  it("splits a type into its parts", function()
    local essence, parameters = mime.parse 'Text/Plain; Charset="utf-8" ; x=1'
    assert.equal("text/plain", essence)
    assert.same({ charset = "utf-8", x = "1" }, parameters)
    for _, text in ipairs { "", "image", "image/", "/png", "a b/c", "image/png x", "image/png; a\n=b" } do
      assert.is_nil(mime.parse(text))
    end
  end)
end)
