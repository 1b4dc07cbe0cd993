-- Media of the emulator: they are stored after the upload, can be downloaded, are checked when a message contains them,
-- and are deleted after some days.

local emulators = require "waba.emulator"
local support = require "spec.support.emulator"

describe("media", function()
  local emulator

  lazy_setup(function() emulator = assert(emulators.start({ statuses = false })) end)
  lazy_teardown(function() emulator:stop() end)

  local function upload(bytes, mime_type, options)
    options = options or {}
    options.headers = { ["content-type"] = mime_type }
    local status, body = support.request(options.emulator or emulator, "POST", "/v1/media", bytes, options)
    return body.media and body.media[1].id, status, body
  end

  it("are returned unchanged", function()
    local bytes = ("\0\255\r\n"):rep(50000) .. "end"
    local id, status, body = upload(bytes, "image/jpeg")
    assert.equal(201, status)
    assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", id)
    assert.equal("stable", body.meta.api_status)
    local got_status, got, headers = support.request(emulator, "GET", "/v1/media/" .. id)
    assert.equal(200, got_status)
    assert.is_true(got == bytes)
    assert.equal("image/jpeg", headers:get("content-type"))
    assert.equal(tostring(#bytes), headers:get("content-length"))
    assert.equal("attachment; filename=" .. id, headers:get("content-disposition"))
  end)

  it("are recorded in the journal by their size and digest only", function()
    upload("four", "text/plain")
    local request = emulator:received({ path = "/v1/media" })
    request = request[#request]
    assert.equal(4, request.size)
    assert.is_nil(request.body)
    assert.equal("04efaf080f5a3e74e1c29d1ca6a48569382cbbcd324e8d59d2b83ef21c039f00", request.sha256)
  end)

  it("can be deleted, once", function()
    local id = upload("x", "text/plain")
    assert.equal(200, (support.request(emulator, "DELETE", "/v1/media/" .. id)))
    for _, method in ipairs({ "GET", "DELETE" }) do
      local status, body = support.request(emulator, method, "/v1/media/" .. id)
      assert.equal(404, status)
      assert.equal(1006, body.errors[1].code)
    end
  end)

  it("expire after 14 days", function()
    local other = assert(emulators.start())
    local id = upload("x", "text/plain", { emulator = other })
    other:advance(14 * 86400 - 60)
    assert.equal(200, (support.request(other, "GET", "/v1/media/" .. id)))
    other:advance(61)
    assert.equal(404, (support.request(other, "GET", "/v1/media/" .. id)))
    other:stop()
  end)

  it("must have a type and bytes", function()
    local _, status, body = upload("x", "jpeg")
    assert.equal(400, status)
    assert.equal(1009, body.errors[1].code)
    _, status, body = upload("", "image/jpeg")
    assert.equal(400, status)
    assert.equal(1008, body.errors[1].code)
    _, status = upload("--x--", "multipart/form-data; boundary=x")
    assert.equal(400, status)
  end)

  it("must not be too large", function()
    local small = assert(emulators.start({ max_media = 1000 }))
    local id, status = upload(("x"):rep(1000), "text/plain", { emulator = small })
    assert.equal(201, status)
    assert.is_string(id)
    local _, refused, body = upload(("x"):rep(300000), "text/plain", { emulator = small })
    assert.equal(413, refused)
    assert.matches("larger than 1000 bytes", body.errors[1].details)
    small:stop()
  end)

  it("can be sent as their own type", function()
    local uploads = {
      { "image", "image/jpeg", 100 }, { "image", "image/png", 5 * 1024 * 1024 }, { "audio", "audio/mpeg", 10 },
      { "audio", "audio/ogg; codecs=opus", 10 }, { "audio", "audio/ogg;codecs=\"opus\"", 10 },
      { "video", "video/mp4", 10 }, { "sticker", "image/webp", 100 * 1024 }, { "document", "application/x-thing", 10 },
    }
    for _, case in ipairs(uploads) do
      local id = upload(("x"):rep(case[3]), case[2])
      local status, body = support.send(emulator, case[1], { id = id })
      assert.equal(201, status, body.errors and body.errors[1].details)
    end
  end)

  it("can't be sent as another type", function()
    local uploads = {
      { "image", "image/webp", 10, "image/webp cannot be sent as image" },
      { "image", "image/jpeg", 5 * 1024 * 1024 + 1, "at most 5242880" },
      { "audio", "audio/ogg", 10, "audio/ogg cannot be sent as audio" },
      { "video", "audio/mpeg", 10, "cannot be sent as video" },
      { "sticker", "image/webp", 100 * 1024 + 1, "at most 102400" },
    }
    for _, case in ipairs(uploads) do
      local id = upload(("x"):rep(case[3]), case[2])
      local status, body = support.send(emulator, case[1], { id = id })
      assert.equal(400, status)
      assert.equal(1009, body.errors[1].code)
      assert.matches(case[4], body.errors[1].details, 1, true)
    end
  end)

  it("are inspected with an option", function()
    local strict = assert(emulators.start({ strict_media = true }))
    local function chunk(form, rest) return "RIFF\0\0\0\0WEBP" .. form .. "\0\0\0\0" .. rest end
    local canvas = "\0\0\0\255\1\0\255\1\0"
    local cases = {
      { "\255\216\255\224", "image/jpeg", 201 }, { "GIF89a", "image/jpeg", 500, "not a JPEG" },
      { "\137PNG\r\n\26\n", "image/png", 201 }, { "x", "image/png", 500, "not a PNG" },
      { chunk("VP8X", "\0" .. canvas), "image/webp", 201 },
      { chunk("VP8X", "\2" .. canvas), "image/webp", 500, "animated" },
      { chunk("VP8X", "\0\0\0\0\254\1\0\255\1\0"), "image/webp", 500, "512 by 512" },
      { chunk("VP8L", "\47\255\193\127\0"), "image/webp", 201 },
      { chunk("VP8 ", "\0\0\0\157\1\42\0\2\0\2"), "image/webp", 201 },
    }
    for i, case in ipairs(cases) do
      local _, status, body = upload(case[1], case[2], { emulator = strict })
      assert.equal(case[3], status, "case " .. i)
      if case[4] then
        assert.equal(1014, body.errors[1].code)
        assert.matches(case[4], body.errors[1].details)
      end
    end
    strict:stop()
  end)

  it("are not accepted without the key, and then leave no file", function()
    local id, status = upload(("x"):rep(2000), "text/plain", { key = "wrong" })
    assert.is_nil(id)
    assert.equal(401, status)
  end)

  it("leave no file when the upload was refused", function()
    local other = assert(emulators.start({ max_media = 10 }))
    local folder = other.ca_file:match("^(.*)/")
    upload(("x"):rep(11), "text/plain", { emulator = other })
    upload("x", "wrong", { emulator = other })
    other:fail_next({ path = "/v1/media", status = 500 })
    upload("x", "text/plain", { emulator = other })
    local pipe = io.popen("ls " .. folder)
    local files = pipe:read("*a")
    pipe:close()
    other:stop()
    assert.equal("ca.pem\n", files)
  end)
end)
