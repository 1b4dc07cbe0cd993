-- src/core.c, src/system.c and src/sha256.c: loading the module, the clock, random numbers, SHA-256.

local core = require "waba.core"

-- Loads waba.core again, as a new Lua state does. `cjson` replaces lua-cjson.
local function reload(cjson, preload)
  local saved = { core = core, cjson = package.loaded.cjson, preload = package.preload.cjson }
  package.loaded["waba.core"], package.loaded.cjson, package.preload.cjson = nil, cjson, preload
  local copy = require "waba.core"
  return copy, function()
    package.loaded["waba.core"], package.loaded.cjson, package.preload.cjson = saved.core, saved.cjson, saved.preload
  end
end

describe("waba.core", function()
  it("has the functions that annotations/core.lua describes, and no others", function()
    local described = { null = true, empty_array = true }
    local file = assert(io.open "annotations/core.lua")
    for name in file:read("*a"):gmatch "\nfunction core%.([%w_]+)" do described[name] = true end
    file:close()
    assert.is_true(described.encode)
    for name in pairs(described) do assert.is_not_nil(core[name], name) end
    for name in pairs(core) do assert.is_true(described[name], name) end
  end)

  it("encodes and decodes without lua-cjson", function()
    local copy, restore = reload(nil, function() error "not here" end)
    local json, value = copy.encode { a = { 1 } }, copy.decode '{"a":[1]}'
    restore()
    assert.equal('{"a":[1]}', json)
    assert.same({ a = { 1 } }, value)
  end)

  it("does not change the application's cjson", function()
    local cjson = require "cjson"
    local depth, keep = cjson.encode_max_depth(), cjson.encode_keep_buffer()
    core.encode { { {} } }
    core.decode "[[[]]]"
    assert.equal(depth, cjson.encode_max_depth())
    assert.equal(keep, cjson.encode_keep_buffer())
  end)

  it("uses the null of cjson", function()
    assert.equal(require("cjson").null, core.null)
  end)
end)

describe("is_number", function()
  it("is true for digits that do not begin with 0", function()
    for _, text in ipairs { "1234567", "491511234567", "123456789012345" } do
      assert.is_true(core.is_number(text, 7, 15), text)
    end
    for _, value in ipairs { "", "123456", "1234567890123456", "0123456789", "+4915112345", "49 1511234", "4915112345x",
      "491511\0002345", 491511234567, {}, true } do
      assert.is_false(core.is_number(value, 7, 15), tostring(value))
    end
    assert.is_false(core.is_number(nil, 7, 15))
    assert.is_false(core.is_number("", 0, 15))
  end)
end)

describe("clock", function()
  it("never decreases", function()
    local last = core.clock()
    for _ = 1, 10000 do
      local now = core.clock()
      if now < last then error(now - last) end
      last = now
    end
  end)

  it("counts seconds with high resolution", function()
    local start = core.clock()
    local now
    repeat now = core.clock() until now > start
    assert.is_true(now - start < 1)
  end)
end)

describe("random", function()
  it("returns evenly distributed numbers in [0, 1) without repeats", function()
    local seen, buckets, sum = {}, {}, 0
    for _ = 1, 20000 do
      local number = core.random()
      if seen[number] or number < 0 or number >= 1 then error(number) end
      seen[number] = true
      local bucket = math.floor(number * 10)
      buckets[bucket] = (buckets[bucket] or 0) + 1
      sum = sum + number
    end
    -- The limits are about ten standard deviations, so that the test does not fail by chance.
    assert.is_true(math.abs(sum / 20000 - 0.5) < 0.02)
    for bucket = 0, 9 do assert.is_true(math.abs(buckets[bucket] - 2000) < 430) end
  end)
end)

it("random numbers are read from a file if the system has no function for them", function()
  local parts = require("spec.support.parts")
  for _, flags in ipairs { "", "-Dgetrandom=no_getrandom" } do
    local seen, functions = {}, parts.load(flags)
    for _ = 1, 100 do
      local bytes = assert(functions.random())
      assert.equal(8, #bytes)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
  end
end)

describe("a path", function()
  local failing_calls = require "spec.support.failing_calls"
  local process = require "spec.support.process"
  local folder

  before_each(function() folder = process.folder() end)
  after_each(function() folder:remove() end)

  it("has the identity of its file, which changes when the file is replaced", function()
    local path = folder:file("x", "1")
    local identity = assert(core.file_identity(path))
    folder:write("x", "2")
    assert.equal(identity, core.file_identity(path))
    local other = folder:file("y", "3")
    assert.are_not.equal(identity, core.file_identity(other))
    assert(os.rename(other, path))
    assert.are_not.equal(identity, core.file_identity(path))
    assert.same({ nil, "No such file or directory" }, { core.file_identity(other) })
    assert.is_true(core.free_space(path) > 0)
    assert.same({ nil, "No such file or directory" }, { core.free_space(other) })
  end)

  it("can be written if it is a file", function()
    assert.is_true(core.can_write(folder:file("x", "1")))
    assert.same({ nil, "No such file or directory" }, { core.can_write(folder:file "missing") })
    assert.same({ nil, "Is a directory" }, { core.can_write(folder.path) })
    local program = [[fail("access", 13, 0) print(require("waba.core").can_write(%q))]]
    assert.equal("nil\tPermission denied", failing_calls.run(program:format(folder:file "x")))
  end)

  it("is made absolute", function()
    assert.equal("/x/y", core.absolute_path "/x/y")
    assert.equal(process.run "pwd" .. "/x/y", core.absolute_path "x/y")
    local program = process.interpreter() .. [[ -e 'print(require("waba.core").absolute_path "x")']]
    assert.equal("nil\tNo such file or directory",
      process.run(("mkdir %s; cd %s; rmdir %s; %s"):format(folder:file "y", folder:file "y", folder:file "y", program)))
  end)

  it("is made private only if nothing exists there", function()
    local path = folder:file "x"
    assert.is_true(core.make_private(path))
    assert.equal("600", process.run("stat -c %a " .. path))
    process.run("chmod 644 " .. path)
    assert.is_true(core.make_private(path))
    assert.equal("644", process.run("stat -c %a " .. path))
    assert.same({ nil, "No such file or directory" }, { core.make_private(folder:file "missing/x") })
  end)
end)

describe("sha256", function()
  local function hash(text) return core.sha256():update(text):hex() end

  it("returns the digests of FIPS 180", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hash "")
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hash "abc")
    assert.equal("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      hash "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
    assert.equal("cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
      hash("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        .. "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"))
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", hash(("a"):rep(1000000)))
  end)

  it("does not depend on the sizes of the parts", function()
    local text = {}
    for i = 1, 300 do text[i] = string.char(i * 7 % 256) end
    text = table.concat(text)
    for length = 0, 300, 3 do
      local whole = hash(text:sub(1, length))
      for _, size in ipairs { 1, 7, 55, 56, 63, 64, 65, 128 } do
        local hasher = core.sha256()
        for at = 1, length, size do hasher:update(text:sub(at, math.min(at + size - 1, length))) end
        assert.equal(whole, hasher:hex())
      end
    end
  end)

  it("can be read before all bytes are added", function()
    local hasher = core.sha256()
    hasher:update "a"
    assert.equal(hash "a", hasher:hex())
    assert.equal(hash "a", hasher:hex())
    assert.equal(hash "abc", hasher:update("bc"):hex())
    assert.matches("^waba%.Sha256", tostring(hasher))
  end)

  it("is the same without the instructions of the processor", function()
    local portable = require("spec.support.parts").load("-DSHA256_PORTABLE")
    local text = ("abcdefghijklmnopqrstuvwxyz0123456789"):rep(10)
    for length = 0, #text do
      assert.equal(core.hmac_sha256("key", text:sub(1, length)), portable.hmac_sha256("key", text:sub(1, length)))
    end
    assert.equal(core.hmac_sha256("key", text:rep(2000)), portable.hmac_sha256("key", text:rep(2000)))
  end)

  it("raises an error for arguments of the wrong type", function()
    assert.has_error(function() core.sha256():update() end)
    assert.has_error(function() core.sha256().update(io.stdout, "x") end)
  end)
end)

describe("hmac_sha256", function()
  it("returns the digests of RFC 4231", function()
    local vectors = {
      { ("\11"):rep(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
      { "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
      { ("\170"):rep(20), ("\221"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
      { "\1\2\3\4\5\6\7\8\9\10\11\12\13\14\15\16\17\18\19\20\21\22\23\24\25", ("\205"):rep(50),
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
      { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
      { ("\170"):rep(131), "This is a test using a larger than block-size key and a larger than block-size data. "
        .. "The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
    }
    for _, vector in ipairs(vectors) do assert.equal(vector[3], core.hmac_sha256(vector[1], vector[2])) end
  end)

  it("accepts an empty key and an empty text", function()
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", core.hmac_sha256("", ""))
  end)
end)

describe("redis_parts", function()
  it("splits a text into strings, integers and false", function()
    assert.same({}, core.redis_parts "")
    assert.same({ "", "5", 12, "a: \0\r\n", false, "-", 0 }, core.redis_parts "0 1 =12 6 -\n5a: \0\r\n1 =0\n-")
  end)

  it("returns nil for a text of another form", function()
    local texts = {
      "1", "1\n", "2\na", "a\n", " 1\na", "1\nab", "-2\na", "1  1\nab", "=\n", "=x\n", "1,1\nab", "+1\na",
      "1000000000000000\na", ("9"):rep(30) .. "\na", "=1000000000000000\n",
    }
    for _, text in ipairs(texts) do assert.is_nil(core.redis_parts(text), text) end
  end)
end)

describe("redis_commands", function()
  it("writes each command with the lengths of its words", function()
    assert.equal("", core.redis_commands {})
    assert.equal("*0\r\n", core.redis_commands { {} })
    assert.equal("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n", core.redis_commands { { "PING" }, { "GET", "" } })
    for _, length in ipairs { 1, 9, 10, 99, 100, 12345 } do
      local word = ("\0\r\n"):rep(length):sub(1, length)
      assert.equal("*1\r\n$" .. length .. "\r\n" .. word .. "\r\n", core.redis_commands { { word } })
      local words, expected = {}, { "*" .. length }
      for i = 1, length do words[i], expected[i + 1] = "x", "$1\r\nx" end
      assert.equal(table.concat(expected, "\r\n") .. "\r\n", core.redis_commands { words })
    end
  end)

  it("raises an error for other values", function()
    assert.error_matches(function() core.redis_commands { { "SET", "x", 1 } } end, "a word of a command must be a string, not a number")
    assert.error_matches(function() core.redis_commands { "PING" } end, "table expected")
    assert.error_matches(function() core.redis_commands "PING" end, "table expected")
  end)
end)
