-- Media of the emulated Cloud gateway over TLS: upload forms, metadata, temporary URLs, media ids in messages, the
-- block after too many errors, resumable uploads.

local core = require "waba.core"
local support = require "spec.support.emulator"

local PNG = "\137PNG\r\n\26\n" .. ("\0\255\r\n--x"):rep(50)

describe("the Cloud gateway's media", function()
  local emulator, cloud

  setup(function()
    emulator = assert(support.start({ tls = true, max_media = 600 * 1024, cloud = { statuses = false } }))
    cloud = emulator.cloud
  end)

  teardown(function() emulator:stop() end)

  local function upload(parts)
    local body, options = support.form(parts)
    return support.request(cloud, "POST", "/media", body, options)
  end

  local function upload_png()
    local _, body = upload({ messaging_product = "whatsapp", file = { data = PNG, type = "image/png" } })
    return body.id
  end

  it("is uploaded as a form, described, downloaded through the gateway and deleted", function()
    local id = upload_png()
    assert.matches("^%d+$", id)
    local _, about = support.request(cloud, "GET", "/" .. id)
    local hash = core.sha256()
    hash:update(PNG)
    assert.equal("image/png", about.mime_type)
    assert.equal(hash:hex(), about.sha256)
    assert.equal(tostring(#PNG), about.file_size)
    assert.equal(id, about.id)
    local path = about.url:match("^https://lookaside%.fbsbx%.com(/whatsapp_business/attachments/%?.*)$")
    local status, bytes, headers = support.request(cloud, "GET", path)
    assert.equal(200, status)
    assert.equal(PNG, bytes)
    assert.equal("image/png", headers:get("content-type"))
    assert.equal(401, (support.request(cloud, "GET", path, nil, { key = false })))
    assert.same({ success = true }, select(2, support.request(cloud, "DELETE", "/" .. id)))
    assert.equal(404, (support.request(cloud, "GET", path)))
    local _, gone = support.request(cloud, "GET", "/" .. id)
    assert.equal(100, gone.error.code)
    assert.equal(33, gone.error.error_subcode)
    assert.equal("GraphMethodException", gone.error.type)
  end)

  it("has URLs that are valid unchanged only, and for five minutes", function()
    local id = upload_png()
    local function path()
      return select(2, support.request(cloud, "GET", "/" .. id)).url:match("^https://[^/]+(/.*)$")
    end
    local good = path()
    assert.matches("%%2B", good)
    for _, wrong in ipairs({ good:gsub("%%2B", "+"), (good:gsub("mid=(%d+)&ext=(%d+)", "ext=%2&mid=%1")),
      (good:gsub("&hash=.*", "")), (good:gsub("ext=%d", "ext=9")) }) do
      assert.equal(404, (support.request(cloud, "GET", wrong)), wrong)
    end
    assert.equal(200, (support.request(cloud, "GET", good)))
    cloud:advance(301)
    assert.equal(404, (support.request(cloud, "GET", good)))
    assert.equal(200, (support.request(cloud, "GET", path())))
    cloud:advance(30 * 86400)
    assert.equal(400, (support.request(cloud, "GET", "/" .. id)))
  end)

  it("accepts a form in many pieces, and the type in either place", function()
    local data = ("0123456789abcdef\r\n--spec-boundary"):rep(15000)
    local status, body = upload({ messaging_product = "whatsapp", type = "application/pdf",
      file = { data = data, type = "application/octet-stream", filename = "a.pdf" } })
    assert.equal(200, status)
    local _, about = support.request(cloud, "GET", "/" .. body.id)
    assert.equal("application/pdf", about.mime_type)
    local _, bytes = support.request(cloud, "GET", (about.url:gsub("^https://[^/]+", "")))
    assert.is_true(bytes == data)
  end)

  it("refuses incomplete forms", function()
    local file = { data = PNG, type = "image/png" }
    for _, case in ipairs({
      { { file = file }, 100, "messaging_product" },
      { { messaging_product = "whatsapp" }, 131008, "file" },
      { { messaging_product = "whatsapp", file = "text" }, 131008, "file" },
      { { messaging_product = "whatsapp", file = { data = "", type = "image/png" } }, 131053, "empty" },
      { { messaging_product = "whatsapp", file = { data = "x", type = "image/gif" } }, 100, "image/gif" },
      { { messaging_product = "whatsapp", file = { data = ("x"):rep(601 * 1024), type = "image/png" } }, 131053, "too large" },
    }) do
      local status, body = upload(case[1])
      assert.is_true(status >= 400)
      assert.equal(case[2], body.error.code)
      assert.matches(case[3], body.error.error_data.details, 1, true)
    end
    local _, body = support.request(cloud, "POST", "/media", PNG, { headers = { ["content-type"] = "image/png" } })
    assert.matches("multipart", body.error.error_data.details)
    _, body = support.request(cloud, "POST", "/media", "--other\r\n\r\n", { headers = {
      ["content-type"] = "multipart/form-data; boundary=mine" } })
    assert.equal(100, body.error.code)
    _, body = support.request(cloud, "POST", "/media", "--mine\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx",
      { headers = { ["content-type"] = "multipart/form-data; boundary=mine" } })
    assert.matches("ends within", body.error.error_data.details)
    assert.equal(413, (support.request(cloud, "POST", "/media", ("x"):rep(700 * 1024), { headers = {
      ["content-type"] = "multipart/form-data; boundary=mine" } })))
  end)

  it("must have the type of the message", function()
    local id = upload_png()
    assert.equal(200, (support.cloud_send(cloud, "image", { id = id })))
    assert.equal(131053, select(2, support.cloud_send(cloud, "video", { id = id })).error.code)
    assert.equal(100, select(2, support.cloud_send(cloud, "image", { id = "123" })).error.code)
    local _, big = upload({ messaging_product = "whatsapp", file = { data = ("x"):rep(501 * 1024), type = "image/webp" } })
    assert.equal(131053, select(2, support.cloud_send(cloud, "sticker", { id = big.id })).error.code)
  end)

  it("is inspected with an option", function()
    cloud:configure({ strict_media = true })
    local _, body = upload({ messaging_product = "whatsapp", file = { data = "GIF89a", type = "image/png" } })
    cloud:configure({ strict_media = false })
    assert.equal(131053, body.error.code)
    assert.matches("not a PNG", body.error.error_data.details)
  end)

  it("is blocked for half an hour after twenty errors within one", function()
    local id = upload_png()
    cloud:advance(3600)
    for _ = 1, 19 do assert.equal(400, (support.request(cloud, "GET", "/99"))) end
    assert.equal(200, (support.request(cloud, "GET", "/" .. id)))
    assert.equal(100, select(2, support.request(cloud, "GET", "/99")).error.code)
    local status, body = support.request(cloud, "GET", "/" .. id)
    assert.equal(400, status)
    assert.matches("exceeded the limit of 20 request every 3600 seconds", body.meta.developerMessage)
    cloud:advance(1799)
    assert.equal(400, (support.request(cloud, "GET", "/" .. id)))
    cloud:advance(2)
    assert.equal(200, (support.request(cloud, "GET", "/" .. id)))
  end)

  it("is uploaded in pieces if a handle is needed", function()
    local data = ("p"):rep(8192) .. PNG
    local path = ("/uploads?file_name=a%%20b.png&file_length=%d&file_type=image%%2Fpng"):format(#data)
    local _, session = support.request(cloud, "POST", path)
    assert.matches("^upload:.*%?sig=", session.id)
    local function put(offset, bytes)
      return support.request(cloud, "POST", "/" .. session.id, bytes, { headers = {
        ["file_offset"] = offset and tostring(offset), ["content-type"] = "application/octet-stream" } })
    end
    assert.equal(0, select(2, support.request(cloud, "GET", "/" .. session.id)).file_offset)
    assert.equal(100, select(2, put(nil, "x")).error.code)
    put(0, data:sub(1, 8192))
    assert.equal(8192, select(2, support.request(cloud, "GET", "/" .. session.id)).file_offset)
    assert.equal(100, select(2, put(0, data)).error.code)
    assert.equal(100, select(2, put(8192, data)).error.code)
    local status, done = put(8192, data:sub(8193))
    assert.equal(200, status)
    assert.is_string(done.h)
    assert.equal(400, (support.request(cloud, "GET", "/" .. session.id:gsub("%?.*", ""))))
    status = support.request(cloud, "POST", "/whatsapp_business_profile", { messaging_product = "whatsapp",
      profile_picture_handle = done.h })
    assert.equal(200, status)
    local _, profile = support.request(cloud, "GET", "/whatsapp_business_profile?fields=profile_picture_url")
    local picture = profile.data[1].profile_picture_url
    assert.equal(data, select(2, support.request({ url = picture, ca_file = cloud.ca_file }, "GET", "", nil,
      { key = false })))
    assert.equal(100, select(2, support.request(cloud, "POST", "/uploads?file_length=5&file_type=text/plain")).error.code)
    assert.equal(100, select(2, support.request(cloud, "POST", "/uploads?file_type=image/png")).error.code)
  end)
end)

describe("the Cloud gateway's rate of uploads", function()
  it("is 25 in a second", function()
    local emulator = assert(support.start({ cloud = { rate_limits = true } }))
    finally(function() emulator:stop() end)
    local body, options = support.form({ messaging_product = "whatsapp", file = { data = PNG, type = "image/png" } })
    local refusal
    for _ = 1, 60 do
      local status, response = support.request(emulator.cloud, "POST", "/media", body, options)
      refusal = status ~= 200 and response or refusal
    end
    assert.matches("exceeded the limit of 25 request", refusal.meta.developerMessage)
  end)
end)
