-- The modules of lua/waba/resource/media: the form around an uploaded file, pieces of a file from an offset, new files,
-- MIME types.

local digest = require "waba.resource.media.digest"
local file_pieces = require "waba.resource.media.file_pieces"
local form = require "waba.resource.media.form"
local mime = require "waba.resource.media.mime"
local errors = require "waba.errors"
local new_file = require "waba.resource.media.new_file"
local process = require "spec.support.process"

local PIECE = 65536

local function pieces_of(body)
  if type(body) == "string" then return { body } end
  local pieces = {}
  for piece in body.reader do pieces[#pieces + 1] = piece end
  return pieces
end

describe("the form around a file", function()
  local folder

  setup(function() folder = process.folder() end)
  teardown(function() folder:remove() end)

  local function wrapped(body, size)
    local source = { body = body, size = size, type = "image/png" }
    form.wrap(source, { { "messaging_product", "whatsapp" }, { "type", "image/png" } }, 'a "b"\\\r\n.png')
    return source
  end

  it("has its fields, the file and its end, whatever the source", function()
    for _, size in ipairs { 0, 1, PIECE, PIECE + 1, 2 * PIECE + 7 } do
      local bytes, position = ("x"):rep(size), 0
      local sources = {
        bytes, { file = folder:file("a", bytes) },
        { reader = function()
          if position >= size then return nil end
          position = position + 50000
          return bytes:sub(position - 49999, position)
        end },
      }
      for index, body in ipairs(sources) do
        local source = wrapped(body, size)
        local boundary = source.media_type:match '^multipart/form%-data; boundary=(waba%-%x+)$'
        assert.equal(37, #boundary)
        local pieces = pieces_of(source.body)
        local text = table.concat(pieces)
        local before = ("--B\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--B\r\n"
          .. "Content-Disposition: form-data; name=\"type\"\r\n\r\nimage/png\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; "
          .. "filename=\"a %22b%22%5C%0D%0A.png\"\r\nContent-Type: image/png\r\n\r\n"):gsub("%-%-B", "--" .. boundary)
        assert.equal(before .. bytes .. "\r\n--" .. boundary .. "--\r\n", text)
        assert.equal(#before, source.offset)
        if type(source.body) == "table" then assert.equal(#text, source.body.size) end
        assert.equal(index == 1 and size <= PIECE, type(source.body) == "string")
        for _, piece in ipairs(pieces) do assert.is_true(#piece <= PIECE or type(source.body) == "string") end
        assert.is_nil((form.close(source)))
      end
    end
  end)

  it("can be sent again from its beginning, except for a reader that was used", function()
    for _, body in ipairs { ("x"):rep(PIECE + 1), { file = folder:file("b", "hello") } } do
      local source = wrapped(body, type(body) == "string" and #body or 5)
      local first = table.concat(pieces_of(source.body))
      assert.is_true(source.body.used)
      assert.is_true(source.body.rewind())
      assert.is_false(source.body.used)
      assert.equal(first, table.concat(pieces_of(source.body)))
      form.close(source)
    end
    local source = wrapped({ reader = function() return nil end }, 0)
    assert.is_true(source.body.rewind())
    source.body.reader()
    assert.is_false(source.body.rewind())
  end)

  it("does not end normally if its file became shorter", function()
    local source = wrapped({ file = folder:file("c", "hello") }, 9)
    local text = table.concat(pieces_of(source.body))
    assert.is_nil(text:find("--\r\n$"))
    assert.equal("hello", text:sub(-5))
    assert.matches("the file became shorter while it was sent", form.close(source))
    assert.is_nil((form.close { body = "x" }))
  end)
end)

describe("pieces of a file", function()
  it("begin at an offset and have a length", function()
    local folder = process.folder()
    local bytes = ("abcdefghij"):rep(20000)
    local path = folder:file("a", bytes)
    for _, row in ipairs { { 0, #bytes }, { 5, 10 }, { #bytes - 1, 1 }, { 7, 0 }, { 3, PIECE }, { 3, PIECE + 1 } } do
      local pieces, list = file_pieces.new(path, row[1], row[2]), {}
      for piece in function() return pieces:next() end do
        assert.is_true(#piece <= PIECE)
        list[#list + 1] = piece
      end
      assert.equal(bytes:sub(row[1] + 1, row[1] + row[2]), table.concat(list))
      assert.is_nil(pieces.error_message)
      pieces:close()
      pieces:close()
    end
    local pieces = file_pieces.new(path, #bytes - 3, 10)
    assert.equal("hij", pieces:next())
    for _ = 1, 2 do assert.is_nil((pieces:next())) end
    assert.matches("the file became shorter", pieces.error_message)
    pieces = file_pieces.new(folder:file "nothing", 0, 10)
    assert.is_nil((pieces:next()))
    assert.matches("nothing: No such file", pieces.error_message)
    folder:remove()
  end)
end)

describe("a new file", function()
  it("gets its name when it is complete, and leaves no other", function()
    local folder = process.folder()
    assert.is_true(new_file.write(folder:file "a", "hello"))
    assert.is_true(new_file.write(folder:file "a", ""))
    assert.same({ "a", "" }, { folder:names(), folder:read "a" })
    for _, fails in ipairs { "with an error", "with a text", "with a raised error" } do
      local fine, result, err = pcall(new_file.create, folder:file "b", function(temporary)
        assert.matches("/b%.%x%x%x%x%x%x%x%x%.part$", temporary)
        assert.equal("a", folder:names())
        folder:write(temporary:match "[^/]*$", "x")
        if fails == "with a raised error" then error("stop", 0) end
        return nil, fails == "with an error" and errors.new { kind = "media", message = "stop" } or "stop"
      end)
      assert.equal(fails ~= "with a raised error", fine)
      assert.matches("stop", tostring(err or result))
      assert.equal("a", folder:names())
    end
    assert.equal(5, new_file.create(folder:file "a", function(temporary)
      folder:write(temporary:match "[^/]*$", "x")
      return 5
    end))
    assert.same({ "a", "x" }, { folder:names(), folder:read "a" })
    process.run("mkdir " .. folder:file "d" .. " && touch " .. folder:file "d/e")
    for _, path in ipairs { folder:file "d", folder:file "missing/f" } do
      local ok, err = new_file.write(path, "x")
      assert.is_nil(ok)
      assert.same({ "invalid", "file" }, { err.kind, err.path })
      assert.matches("can't be written: ", err.message)
    end
    assert.equal("a d", folder:names())
    folder:remove()
  end)
end)

describe("a MIME type", function()
  it("is that of a file's name or of its first bytes", function()
    for name, expected in pairs {
      ["a.jpg"] = "image/jpeg", ["/x/a.b.PNG"] = "image/png", ["a.ogg"] = "audio/ogg; codecs=opus", ["a"] = "none", [".jpg"] = "none",
      ["x/.jpg"] = "none", ["a.jpg/b"] = "none", ["a."] = "none", ["C:\\a.pdf"] = "application/pdf", ["a.xyzzy"] = "none",
    } do
      assert.equal(expected, mime.of_name(name) or "none")
    end
    for bytes, expected in pairs {
      ["\255\216\255x"] = "image/jpeg", ["\137PNG\r\n\26\nx"] = "image/png", ["RIFF1234WEBP"] = "image/webp", ["GIF87a"] = "image/gif",
      ["GIF89a"] = "image/gif", ["GIF88a"] = "none", ["x\255\216\255"] = "none", [""] = "none", ["RIFF1234WAVE"] = "none",
    } do
      assert.equal(expected, mime.of_image(bytes) or "none")
    end
  end)

  it("has an essence and parameters", function()
    for text, expected in pairs {
      ["image/png"] = { "image/png", {} }, [" Audio/OGG ; Codecs = \"opus\" ;x=y "] = { "audio/ogg", { codecs = "opus", x = "y" } },
      ["text/plain;charset="] = { "text/plain", { charset = "" } }, ["a/b;"] = { "a/b", {} },
    } do
      local essence, parameters = mime.parse(text)
      assert.same(expected, { essence, parameters })
    end
    for _, text in ipairs { "", "image", "image/", "/png", "image/png x", "image/png;a=\1", "image /png" } do
      assert.is_nil((mime.parse(text)))
    end
  end)
end)

describe("a digest", function()
  it("is read from both alphabets of base64, with and without padding", function()
    for text, bytes in pairs { [""] = "", ["QQ=="] = "A", ["QQ"] = "A", ["QUI="] = "AB", ["QUI"] = "AB", ["QUJD"] = "ABC",
      [" QU\nJD "] = "ABC",
      ["+/+/"] = "\251\255\191", ["-_-_"] = "\251\255\191", ["QUJDRA=="] = "ABCD" } do
      assert.equal(bytes, digest.from_base64(text))
    end
    for _, text in ipairs { "Q", "QUJDR", "Q*==", "Q===" } do assert.is_nil((digest.from_base64(text))) end
  end)

  it("is the same in steps as at once, with a pause between them", function()
    local core = require "waba.core"
    local folder = process.folder()
    for size, count in pairs { [0] = 0, [1] = 0, [262143] = 0, [262144] = 0, [262145] = 1, [600000] = 2 } do
      local bytes, pauses = ("x"):rep(size), 0
      local hasher = core.sha256()
      hasher:update(bytes)
      local expected = hasher:hex()
      assert.equal(expected, digest.of(bytes, function() pauses = pauses + 1 end))
      assert.equal(count, pauses)
      assert.equal(expected, digest.of(bytes))
      assert.equal(expected, digest.of_file(folder:file("a", bytes), function() end))
    end
    local sum, message = digest.of_file(folder:file "missing", print)
    assert.is_nil(sum)
    assert.matches("No such file", message)
    assert.is_nil((digest.of_file(folder.path, print)))
    folder:remove()
  end)
end)
