-- lua/waba/resource/media/digest.lua: SHA-256 of many bytes, passed in pieces.

local core = require "waba.core"
local digest = require "waba.resource.media.digest"
local process = require "spec.support.process"

local function random_bytes(count)
  local bytes = {}
  for i = 1, count do bytes[i] = string.char((i * i + i % 251) % 256) end
  return table.concat(bytes)
end

describe("the hash of many bytes", function()
  local bytes = random_bytes(10000):rep(70) -- 700,000 bytes: two full steps and a part of the third
  local sum = core.sha256():update(bytes):hex()

  it("is computed in steps, between which other coroutines run", function()
    local rests = 0
    local function rest() rests = rests + 1 end
    assert.equal(sum, digest.of(bytes, rest))
    assert.equal(2, rests)
    local folder = process.folder()
    assert.equal(sum, digest.of_file(folder:file("bytes", bytes), rest))
    folder:remove()
    assert.equal(4, rests)
    assert.equal(core.sha256():hex(), digest.of("", rest))
    digest.of("few", rest)
    assert.equal(4, rests)
  end)
end)
