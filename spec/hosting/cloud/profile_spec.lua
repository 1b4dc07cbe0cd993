local core = require "waba.core"
local digest = require "waba.resource.media.digest"
local encoding = require "waba.encoding"
local folders = require "spec.support.folder"
local scripted_transport = require "spec.support.scripted_transport"
local servers = require "spec.support.server"
local waba = require "waba"

local BASE = "https://waba-v2.360dialog.io/whatsapp_business_profile"
local OK = { body = '{"success":true}' }
local PNG = "\137PNG\r\n\26\n" .. ("y"):rep(3000)

local cloud = scripted_transport.cloud_client

local function e(count) return ("ä"):rep(count) end

describe("client.profile of Cloud hosting", function()
  describe("about", function()
    it("is read in both forms, and empty before it is set", function()
      local client, transport = cloud {
        { body = '{"data":[{"about":"Boots since 1951","messaging_product":"whatsapp"}]}' },
        { body = '{"data":[{"business_profile":{"about":"Boots since 1951"}}]}' },
        { body = '{"data":[]}' }, { body = '{"data":[{"about":null}]}' }, { body = "{}" },
        { status = 401, body = "{}" },
      }
      for _ = 1, 2 do assert.equal("Boots since 1951", client.profile:about()) end
      for _ = 1, 3 do assert.equal("", client.profile:about()) end
      assert.equal("auth", select(2, client.profile:about()).kind)
      assert.equal(BASE .. "?fields=about", transport.requests[1].url)
    end)

    it("is set, up to 139 characters without markup", function()
      local client, transport = cloud { OK, { body = '{"success":false}' } }
      assert.is_true(client.profile:set_about(e(139)))
      assert.same({ messaging_product = "whatsapp", about = e(139) }, core.decode(transport.requests[1].body))
      assert.equal("about has 140 characters; at most 139 are allowed", select(2, client.profile:set_about(e(140))).message)
      assert.equal("about", select(2, client.profile:set_about "").path)
      assert.equal("about", select(2, client.profile:set_about "*Boots*").path)
      assert.equal(1, #transport.requests)
      assert.equal("api", select(2, client.profile:set_about "x").kind)
    end)
  end)

  describe("business", function()
    local STORED = '{"data":[{"address":"Torstr. 1","description":"","email":"hi@example.org","vertical":"UNDEFINED",'
      .. '"websites":["https://example.org/"],"messaging_product":"whatsapp"}]}'

    it("is read", function()
      local client, transport = cloud { { body = STORED } }
      assert.same({
        address = "Torstr. 1", email = "hi@example.org", vertical = "UNDEFINED", websites = { "https://example.org/" },
      }, client.profile:business())
      assert.equal(BASE .. "?fields=address%2Cdescription%2Cemail%2Cvertical%2Cwebsites", transport.requests[1].url)
    end)

    it("changes the fields of the call, and keeps the others", function()
      local client, transport = cloud { { body = STORED }, OK, { body = STORED }, OK }
      assert.same({ address = "Torstr. 2", email = "hi@example.org", vertical = "UNDEFINED",
        websites = { "https://example.org/" } }, client.profile:set_business { address = "Torstr. 2" })
      assert.same({ messaging_product = "whatsapp", address = "Torstr. 2" }, core.decode(transport.requests[2].body))
      assert.same({ email = "hi@example.org" },
        client.profile:set_business { address = "", vertical = "", websites = {} })
      local body = transport.requests[4].body
      assert.same({ messaging_product = "whatsapp", address = "", vertical = "", websites = {} }, core.decode(body))
      assert.truthy(body:find('"websites":[]', 1, true))
    end)

    it("accepts values up to the limits", function()
      local client, transport = cloud { { body = "{}" }, OK }
      local site = "https://example.org/" .. ("x"):rep(236)
      local email = ("a"):rep(116) .. "@example.org"
      assert(client.profile:set_business {
        address = e(256), description = e(512), email = email, vertical = "RETAIL", websites = { site, site },
      })
      for _, fault in ipairs {
        { "address", { address = e(257) } }, { "description", { description = e(513) } },
        { "email", { email = "a" .. email } }, { "email", { email = "nobody" } },
        { "vertical", { vertical = "Optician" } }, { "vertical", { vertical = "UNDEFINED" } },
        { "websites", { websites = { site, site, site } } }, { "websites[1]", { websites = { site .. "x" } } },
        { "websites[1]", { websites = { "example.org" } } },
      } do
        local stored, err = client.profile:set_business(fault[2])
        assert.is_nil(stored)
        assert.equal("invalid", err.kind)
        assert.equal(fault[1], err.path)
      end
      assert.equal(2, #transport.requests)
    end)
  end)

  describe("photo", function()
    it("is fetched again after a lost response", function()
      local client, transport = cloud({
        { body = '{"data":[{"profile_picture_url":"https://photos.example/a.png"}]}' },
        { failure = { kind = "network", message = "m", sent = "maybe", reused = false } },
        { pieces = { PNG }, headers = { ["content-type"] = "image/png" } },
      }, { retry = { attempts = 2, base = 0 } })
      assert.equal(PNG, assert(client.profile:photo()).data)
      assert.equal(3, #transport.requests)
    end)

    it("is not found after any refusal of its host, and unavailable after an error of its host", function()
      for status, kind in pairs {
        [400] = "not_found", [401] = "not_found", [404] = "not_found", [410] = "not_found", [499] = "not_found",
        [429] = "rate_limited", [500] = "unavailable", [503] = "unavailable", [399] = "protocol",
      } do
        local client = cloud { { body = '{"data":[{"profile_picture_url":"https://photos.example/a.png"}]}' },
          { status = status, body = "x", headers = {} } }
        local photo, err = client.profile:photo()
        assert.is_nil(photo)
        assert.same({ kind, status }, { err.kind, err.status })
      end
    end)

    it("is nothing if the response is empty or JSON, and any other bytes as they are", function()
      for _, row in ipairs {
        { "", "image/png", nil }, { '{"a":1}', "application/json", nil }, { "GIF?", "image/gif", "image/gif" },
        { PNG, "application/json", "image/png" }, { encoding.base64(PNG), "text/plain", "image/png" },
        { "data:image/png;base64," .. encoding.base64(PNG), nil, "image/png" }, { "odd", nil, "" },
      } do
        local client = cloud { { body = '{"data":[{"profile_picture_url":"https://photos.example/a.png"}]}' },
          { pieces = { row[1] }, headers = { ["content-type"] = row[2] } } }
        local photo, err = client.profile:photo()
        assert.equal(row[3], photo and photo.type)
        assert.equal(not row[3] and "not_found" or nil, err and err.kind)
        if row[3] == "image/png" then assert.equal(PNG, photo.data) end
        if photo then assert.equal(#photo.data, photo.size) end
      end
    end)

    it("is returned as a link only if nothing is written", function()
      local client = cloud {}
      assert.error_matches(function() client.profile:photo { link = true, file = "x" } end,
        "option link can't be combined with option file")
      assert.error_matches(function() client.profile:photo { link = true, sink = print } end,
        "option link can't be combined with option sink")
      assert.error_matches(function() client.profile:photo { file = "x", sink = print } end,
        "options file and sink can't be combined")
      for _, options in ipairs { {}, { type = "image/png" } } do
        assert.error_matches(function() client.profile:set_photo(options) end, "one of the options file and data is required")
      end
      assert.error_matches(function() client.profile:set_photo() end, "one of the options file and data is required")
    end)

    local gateway, elsewhere, client, folder

    setup(function()
      gateway = servers.start { tls = true }
      elsewhere = servers.start { tls = false, responses = {
        ["/photo.png"] = { headers = { { "content-type", "image/png" } }, body = PNG },
      } }
      client = waba.client {
        hosting = "cloud", api_key = "the-secret-key", base_url = gateway.url, ca_file = gateway.ca_file, pace = false,
        retry = false,
      }
      folder = folders.new()
    end)

    teardown(function()
      client:close()
      gateway:stop()
      elsewhere:stop()
      folder:remove()
    end)

    before_each(function()
      gateway:forget()
      elsewhere:forget()
      gateway:respond("/whatsapp_business_profile", {
        body = ('{"data":[{"profile_picture_url":"%s/photo.png"}]}'):format(elsewhere.url),
      })
    end)

    it("is a URL at first", function()
      assert.same({ link = elsewhere.url .. "/photo.png" }, client.profile:photo { link = true })
      assert.equal("profile_picture_url", gateway:received()[1].query:match("fields=([%w_]+)"))
    end)

    it("is fetched from the URL without the key", function()
      local photo = assert(client.profile:photo())
      assert.equal("image/png", photo.type)
      assert.equal(PNG, photo.data)
      assert.equal(digest.of(PNG), photo.sha256)
      local request = elsewhere:received("/photo.png")[1]
      assert.is_nil(request.headers["d360-api-key"])
      for _, value in pairs(request.headers) do assert.is_nil(value:find("the-secret-key", 1, true)) end
      assert.equal("the-secret-key", gateway:received()[1].headers["d360-api-key"])
    end)

    it("is written to a file", function()
      local path = folder.path .. "/photo.png"
      local photo = assert(client.profile:photo { file = path })
      assert.equal(path, photo.file)
      local file = assert(io.open(path, "rb"))
      assert.equal(PNG, file:read("*a"))
      file:close()
    end)

    it("is not found before it is set", function()
      gateway:respond("/whatsapp_business_profile", { body = '{"data":[{"about":"x"}]}' })
      assert.equal("not_found", select(2, client.profile:photo()).kind)
      assert.equal("not_found", select(2, client.profile:photo { link = true }).kind)
    end)

    it("is not found if its host refuses it", function()
      elsewhere:respond("/photo.png", { status = 403, body = "URL signature expired" })
      local photo, err = client.profile:photo()
      assert.is_nil(photo)
      assert.equal("not_found", err.kind)
      assert.equal(403, err.status)
      elsewhere:respond("/photo.png", { headers = { { "content-type", "image/png" } }, body = PNG })
    end)

    it("does not delay messages if its host has too many requests", function()
      local paced = waba.client {
        hosting = "cloud", api_key = "the-secret-key", base_url = gateway.url, ca_file = gateway.ca_file, retry = false,
      }
      gateway:respond("/messages", { body = '{"messages":[{"id":"wamid.1"}]}' })
      for _, status in ipairs { 429, 503 } do
        elsewhere:respond("/photo.png", { status = status, headers = { { "retry-after", "30" } }, body = "" })
        local photo, err = paced.profile:photo()
        assert.is_nil(photo)
        assert.equal(status, err.status)
        assert.equal(status == 429 and "rate_limited" or "unavailable", err.kind)
        assert(paced:send("4915112345678", waba.text "Hi", { timeout = 2 }))
      end
      elsewhere:respond("/photo.png", { headers = { { "content-type", "image/png" } }, body = PNG })
      paced:close()
    end)

    it("is not fetched without TLS, nor by a redirect", function()
      gateway:respond("/whatsapp_business_profile", { body = '{"data":[{"profile_picture_url":"http://pps.example/x"}]}' })
      assert.equal("protocol", select(2, client.profile:photo()).kind)
      gateway:respond("/whatsapp_business_profile", {
        body = ('{"data":[{"profile_picture_url":"%s/moved"}]}'):format(elsewhere.url),
      })
      elsewhere:respond("/moved", { status = 302, headers = { { "location", elsewhere.url .. "/photo.png" } } })
      assert.equal("protocol", select(2, client.profile:photo()).kind)
      assert.equal(0, elsewhere:count("/photo.png"))
    end)

    it("is set by the handle of an upload", function()
      gateway:respond("/uploads", { body = '{"id":"upload:c2Vzc2lvbg"}' })
      gateway:respond("/upload:c2Vzc2lvbg", { body = '{"h":"4:aGFuZGxl"}' })
      gateway:respond("/whatsapp_business_profile", OK)
      assert.is_true(client.profile:set_photo { data = PNG })
      assert.equal(PNG, gateway:received("/upload:c2Vzc2lvbg")[1].body)
      assert.same({ messaging_product = "whatsapp", profile_picture_handle = "4:aGFuZGxl" },
        core.decode(gateway:received("/whatsapp_business_profile")[1].body))
    end)

    it("is refused before anything is sent if it is too large, or not a picture", function()
      assert.equal("size", select(2, client.profile:set_photo { data = PNG .. ("y"):rep(5 * 1024 * 1024) }).path)
      assert.equal("type", select(2, client.profile:set_photo { data = "GIF89a", type = "image/gif" }).path)
      assert.equal(0, gateway:count())
    end)
  end)
end)
