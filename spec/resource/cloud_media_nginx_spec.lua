-- Media of Cloud hosting through the transport in nginx: the form of an upload, the two requests of a download, a
-- resumed upload. The API key is not sent to the target of a redirect.

local cloud_gateway = require "spec.support.cloud_gateway"
local digest = require "waba.resource.media.digest"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

local ID = "7781230045"
local PLACE = "/whatsapp_business/attachments/"

local KEEPER = [[
local waba = require "waba"
return waba.client { api_key = "%s", hosting = "cloud", base_url = "%s", retry = false, pace = false }
]]

-- The body of a request is Lua code, which the worker runs; the response has the results.
local CONTENT = [[
  ngx.req.read_body()
  local result, err = assert(loadstring(ngx.req.get_body_data()))()
  ngx.print(tostring(result), " ", tostring(err))
]]

describe("files in nginx on Cloud hosting", function()
  local folder, gateway, elsewhere, program, plain

  setup(function()
    gateway, elsewhere = cloud_gateway.start(), cloud_gateway.start { tls = false }
    folder, plain = process.folder(), process.free_port()
    nginx.certify(folder)
    folder:file("keeper.lua", KEEPER:format(cloud_gateway.KEY, gateway.url))
    local port = process.free_port()
    program = nginx.start(folder, nginx.configuration {
      port = port, plain = plain, workers = 1, content = CONTENT,
      http = ("lua_ssl_trusted_certificate %s;"):format(gateway.ca_file),
    }, port)
  end)

  teardown(function()
    program:stop("QUIT")
    assert.is_nil(folder:read("error.log"):find(cloud_gateway.KEY, 1, true))
    folder:remove()
    gateway:stop()
    elsewhere:stop()
  end)

  before_each(function() gateway:forget() end)

  local function run(lua)
    local status, _, body = nginx.request(("http://127.0.0.1:%d/"):format(plain), {
      body = 'local client = require "keeper" ' .. lua,
    })
    if status ~= 200 then error(folder:read "error.log") end
    return body
  end

  it("are uploaded in a form", function()
    gateway:respond("/media", cloud_gateway.json { id = ID })
    folder:file("big.pdf", ("0123456789abcdef"):rep(20000))
    for _, source in ipairs { ('file = "%s"'):format(folder.path .. "/big.pdf"), 'data = ("0123456789abcdef"):rep(20000)' } do
      gateway:forget()
      assert.equal(ID .. " nil", run(('return client.media:upload({ %s, type = "application/pdf" }).id'):format(source)))
      local request = cloud_gateway.last(gateway)
      assert.equal(tostring(#request.body), request.headers["content-length"])
      assert.truthy(request.body:find("\r\n\r\n" .. ("0123456789abcdef"):rep(20000) .. "\r\n--", 1, true))
    end
  end)

  it("are downloaded in two steps, and not by a redirect", function()
    gateway:respond("/" .. ID, cloud_gateway.json {
      url = "https://lookaside.fbsbx.com" .. PLACE .. "?mid=1&hash=A%2Bx", sha256 = digest.of "hello", id = ID,
    })
    gateway:respond(PLACE, { body = "hello" })
    assert.equal("hello nil", run(('return client.media:download("%s").data'):format(ID)))
    assert.equal("mid=1&hash=A%2Bx", cloud_gateway.last(gateway).query)
    gateway:respond(PLACE, { status = 302, headers = { { "location", elsewhere.url .. "/stolen" } }, body = "" })
    assert.matches("^nil protocol: .*redirect", run(('return client.media:download("%s")'):format(ID)))
    assert.equal(0, elsewhere:connections())
  end)

  it("are uploaded in several requests", function()
    gateway:respond("/uploads", cloud_gateway.json { id = "upload:MTph?sig=A" })
    gateway:respond("/upload:MTph", { drop = "request" }, cloud_gateway.json { file_offset = 3 }, cloud_gateway.json { h = "4:x" })
    assert.equal("4:x nil", run 'return client.media:resumable { data = "0123456", type = "image/png" }')
    local request = cloud_gateway.last(gateway)
    assert.equal("3456", request.body)
    assert.equal("3", request.headers.file_offset)
    assert.equal("sig=A", request.query)
  end)
end)
