local core = require "waba.core"
local encoding = require "waba.encoding"
local fixture = require "spec.support.resource_fixture"
local scripted_transport = require "spec.support.scripted_transport"

local MB = 1024 * 1024
local JPEG = "\255\216\255\224\0\16JFIF" .. ("x"):rep(3000)
local PNG = "\137PNG\r\n\26\n" .. ("y"):rep(3000)

describe("client.profile", function()
  local emulator, client, close, folder

  setup(function() emulator, client, close, folder = fixture.open() end)
  teardown(function() close() end)
  before_each(function() folder:clear() end)

  local function requests() return emulator:counts().requests end

  describe("about", function()
    it("is read and set", function()
      assert.equal("Hey there! I am using WhatsApp.", client.profile:about())
      assert.is_true(client.profile:set_about "Brillen für alle 👓")
      assert.equal("Brillen für alle 👓", client.profile:about())
    end)

    it("counts characters, not bytes", function()
      assert.is_true(client.profile:set_about(("ä"):rep(139)))
      local before = requests()
      local set, err = client.profile:set_about(("ä"):rep(140))
      assert.is_nil(set)
      assert.equal("invalid", err.kind)
      assert.equal("text", err.path)
      assert.equal("text has 140 characters; at most 139 are allowed", err.message)
      assert.equal("text", select(2, client.profile:set_about "\255").path)
      assert.equal(before, requests())
    end)

    it("is empty before it is set", function()
      local scripted = scripted_transport.client({
        { body = '{"settings":{"profile":{"about":{"text":null}}}}' }, { body = '{"settings":null}' },
        { body = "null" },
        { status = 404, body = '{"errors":[{"code":1006,"title":"Resource not found"}]}' },
        { status = 401, body = '{"meta":{"developer_message":"Invalid api_key"}}' },
      }, { retry = false })
      for _ = 1, 4 do assert.equal("", scripted.profile:about()) end
      local about, err = scripted.profile:about()
      assert.is_nil(about)
      assert.equal("auth", err.kind)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.profile:set_about() end, "text must be a string")
    end)
  end)

  describe("business", function()
    local whole = {
      address = "Ring 5, 10115 Berlin", description = "Brillen und Kontaktlinsen", email = "info@kern.example",
      vertical = "Retail", websites = { "https://kern.example", "https://shop.kern.example" },
    }

    it("is empty at first", function()
      assert.same({}, client.profile:business())
    end)

    it("is set and read as a whole", function()
      assert.same(whole, client.profile:set_business(whole))
      assert.same(whole, client.profile:business())
    end)

    for field, value in pairs {
      address = "Markt 1", description = "Nur Brillen", email = "hallo@kern.example", vertical = "Restaurant",
      websites = { "https://kern.example/neu" },
    } do
      it("keeps all other fields when " .. field .. " is set", function()
        assert(client.profile:set_business(whole))
        local expected = {}
        for name, content in pairs(whole) do expected[name] = content end
        expected[field] = value
        assert.same(expected, client.profile:set_business { [field] = value })
        assert.same(expected, client.profile:business())
      end)
    end

    it("removes a field that is set to an empty text", function()
      assert(client.profile:set_business(whole))
      assert(client.profile:set_business { email = "", websites = {} })
      assert.same({ address = whole.address, description = whole.description, vertical = whole.vertical },
        client.profile:business())
    end)

    it("writes nothing if the profile can't be read", function()
      assert(client.profile:set_business(whole))
      emulator:fail_next { method = "GET", path = "/v1/settings/business/profile", status = 500 }
      local set, err = client.profile:set_business { email = "a@b.example" }
      assert.is_nil(set)
      assert.equal("unavailable", err.kind)
      assert.same(whole, client.profile:business())
    end)

    it("ignores nulls and other fields", function()
      local scripted, transport = scripted_transport.client {
        { body = '{"settings":{"business":{"profile":{"address":null,"email":"a@b.example","websites":null,'
          .. '"description":"","messaging_product":"whatsapp"}}}}' },
        { body = "null" },
      }
      assert.same({ email = "a@b.example", vertical = "Retail" }, scripted.profile:set_business { vertical = "Retail" })
      assert.same({ email = "a@b.example", vertical = "Retail" }, core.decode(transport.requests[2].body))
    end)

    it("accepts values up to the limits of every field", function()
      local before = requests()
      local e = "@kern.example"
      local limits = {
        address = { ("ä"):rep(256), ("ä"):rep(257) }, description = { ("ä"):rep(512), ("ä"):rep(513) },
        email = { ("a"):rep(128 - #e) .. e, ("a"):rep(129 - #e) .. e }, vertical = { ("a"):rep(128), ("a"):rep(129) },
      }
      for field, pair in pairs(limits) do
        local set, err = client.profile:set_business { [field] = pair[2] }
        assert.is_nil(set)
        assert.equal("invalid", err.kind)
        assert.equal(field, err.path)
        assert.truthy(err.message:find("at most", 1, true))
      end
      for path, case in pairs {
        email = { email = "info.kern.example" }, vertical = { vertical = "" },
        websites = { websites = { "https://a.example", "https://b.example", "https://c.example" } },
        ["websites[2]"] = { websites = { "https://a.example", "kern.example" } },
        ["websites[1]"] = { websites = { "https://a.example/" .. ("x"):rep(239) } },
      } do
        local set, err = client.profile:set_business(case)
        assert.is_nil(set)
        assert.equal(path, err.path)
      end
      assert.equal(before, requests())
      for field, pair in pairs(limits) do assert(client.profile:set_business { [field] = pair[1] }) end
      assert(client.profile:set_business { websites = { "https://a.example/" .. ("x"):rep(238) } })
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.profile:set_business {} end, "at least one field")
      assert.error_matches(function() client.profile:set_business { website = {} } end, "did you mean websites%?")
      assert.error_matches(function() client.profile:set_business { websites = "x" } end, "websites must be table")
    end)
  end)

  describe("photo", function()
    it("does not exist at first", function()
      for _, case in ipairs { {}, { link = true }, { file = folder:file "me.jpg" } } do
        local photo, err = client.profile:photo(case)
        assert.is_nil(photo)
        assert.equal("not_found", err.kind)
      end
      assert.equal("", folder:names())
    end)

    it("is set and returned, from bytes and from a file", function()
      assert.is_true(client.profile:set_photo { data = JPEG })
      local photo = assert(client.profile:photo())
      assert.equal("image/jpeg", photo.type)
      assert.equal(JPEG, photo.data)
      assert.equal(#JPEG, photo.size)
      assert.is_true(client.profile:set_photo { file = folder:write("me.png", PNG) })
      photo = assert(client.profile:photo())
      assert.equal("image/png", photo.type)
      assert.equal(PNG, photo.data)
    end)

    it("is written into a file or a sink", function()
      assert(client.profile:set_photo { data = JPEG })
      local photo = assert(client.profile:photo { file = folder:file "me.jpg" })
      assert.equal(folder:file "me.jpg", photo.file)
      assert.is_nil(photo.data)
      assert.equal(JPEG, folder:read "me.jpg")
      assert.equal("me.jpg", folder:names())
      local got = {}
      photo = assert(client.profile:photo { sink = function(bytes) got[#got + 1] = bytes end })
      assert.equal(JPEG, table.concat(got))
      assert.equal("image/jpeg", photo.type)
      local nowhere, err = client.profile:photo { file = folder:file "no/folder/me.jpg" }
      assert.is_nil(nowhere)
      assert.equal("file", err.path)
    end)

    it("has a link", function()
      assert(client.profile:set_photo { data = JPEG })
      local photo = assert(client.profile:photo { link = true })
      assert.equal(emulator.url, photo.link:sub(1, #emulator.url))
      assert.is_nil(photo.data)
    end)

    it("is read from base64 as well", function()
      for _, body in ipairs { encoding.base64(JPEG), "data:image/jpeg;base64," .. encoding.base64(JPEG) .. "\n" } do
        local scripted = scripted_transport.client { { body = body, headers = { ["content-type"] = "text/plain" } } }
        local photo = assert(scripted.profile:photo())
        assert.equal("image/jpeg", photo.type)
        assert.equal(JPEG, photo.data)
      end
    end)

    it("of another format has the type that the gateway names", function()
      local scripted = scripted_transport.client { { body = "a photo", headers = { ["content-type"] = "image/webp" } } }
      local photo = assert(scripted.profile:photo())
      assert.equal("image/webp", photo.type)
      assert.equal("a photo", photo.data)
    end)

    it("is missing if the gateway's response is empty", function()
      for _, body in ipairs { "", "null", "{}" } do
        local scripted = scripted_transport.client { { body = body } }
        local photo, err = scripted.profile:photo()
        assert.is_nil(photo)
        assert.equal("not_found", err.kind)
      end
      local scripted = scripted_transport.client { { body = '{"settings":{"profile":{"photo":{"link":null}}}}' } }
      assert.equal("not_found", select(2, scripted.profile:photo { link = true }).kind)
    end)

    it("is JPEG or PNG of at most 5 MB", function()
      local before = requests()
      for path, case in pairs {
        size = { data = "\255\216\255" .. ("x"):rep(5 * MB - 2) }, type = { data = "x", type = "image/webp" },
        file = { file = folder:file "nobody.jpg" },
      } do
        local set, err = client.profile:set_photo(case)
        assert.is_nil(set)
        assert.equal("invalid", err.kind)
        assert.equal(path, err.path)
      end
      assert.equal("type", select(2, client.profile:set_photo { data = "plain text" }).path)
      assert.equal("size", select(2, client.profile:set_photo { data = "", type = "image/png" }).path)
      assert.equal(before, requests())
      assert(client.profile:set_photo { data = "\255\216\255" .. ("x"):rep(5 * MB - 3) })
    end)

    it("reports its progress", function()
      local done, whole
      assert(client.profile:set_photo { data = JPEG, progress = function(...) done, whole = ... end })
      assert.same({ #JPEG, #JPEG }, { done, whole })
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client.profile:set_photo {} end, "one of the options file and data")
      assert.error_matches(function() client.profile:set_photo { reader = print } end, "unknown option reader")
      assert.error_matches(function() client.profile:photo { link = true, file = "x" } end, "link can't be combined with option file")
    end)
  end)
end)
