-- lua/waba/resource/media/digest.lua and src/sha256.c: SHA-256 of many bytes, passed in pieces, with each
-- implementation.

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

  it("is the same with and without the processor's instructions", function()
    local folder = process.folder()
    local program = folder:file("sum.c", [[
      #include <stdio.h>
      #include "sha256.h"
      int main(void) {
        static char bytes[1000];
        unsigned char digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE];
        struct sha256 hash;
        size_t count;
        sha256_start(&hash);
        while ((count = fread(bytes, 1, sizeof bytes, stdin)) > 0) sha256_update(&hash, bytes, count);
        sha256_finish(&hash, digest);
        sha256_hex(digest, hex);
        return fwrite(hex, 1, sizeof hex, stdout) == sizeof hex ? 0 : 1;
      }
    ]])
    local input = folder:file("bytes", bytes)
    for _, flags in ipairs { "-DSHA256_PORTABLE", "" } do
      assert.equal(sum, process.run(("cc -std=c99 %s -Isrc %s src/sha256.c src/text.c -o %s/sum && %s/sum < %s")
        :format(flags, program, folder.path, folder.path, input)))
    end
    folder:remove()
  end)
end)
