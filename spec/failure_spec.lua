-- The texts and kinds of failed transfers (src/failure.c).

local parts = require("spec.support.parts").load()

-- The codes of libcurl: https://curl.se/libcurl/c/libcurl-errors.html
local CODES = {
  [2] = "network", [3] = "invalid", [4] = "invalid", [5] = "network", [6] = "network", [7] = "network",
  [8] = "protocol", [16] = "network", [18] = "network", [28] = "timeout", [35] = "tls", [43] = "invalid", [48] = "invalid",
  [52] = "network", [53] = "tls", [54] = "tls", [55] = "network", [56] = "network", [58] = "tls", [59] = "tls", [60] = "tls",
  [61] = "protocol", [64] = "tls", [66] = "tls", [77] = "tls", [82] = "tls", [83] = "tls", [90] = "tls", [91] = "tls",
  [92] = "network", [97] = "network", [98] = "tls",
}
local EMFILE, EACCES, EAFNOSUPPORT = 24, 13, 97
local OUT_OF_TIME, COULD_NOT_CONNECT = 28, 7

describe("a failed transfer", function()
  for code, kind in pairs(CODES) do
    it(("is of the kind %s with code %d of libcurl"):format(kind, code), function()
      assert.same({ kind, code, "the reason" }, { parts.failure { code = code, attempts = 1, error = "the reason" } })
    end)
  end

  it("has libcurl's text for its code if there is no other", function()
    -- libcurl 7.88 writes "Couldn't", and 8.14 "Could not"
    assert.matches("^Could.+ connect to server$", (select(3, parts.failure { code = COULD_NOT_CONNECT, attempts = 1 })))
  end)

  it("is a response that is not HTTP only after a request was sent", function()
    assert.equal("invalid", (parts.failure { code = 1 }))
    assert.equal("protocol", (parts.failure { code = 1, attempts = 1 }))
  end)

  for _, text in ipairs {
    "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x", "Recv failure: Connection reset by peer",
    "Send failure: Broken pipe", "error:0A000126:SSL routines::unexpected eof while reading",
  } do
    it("is of the kind network if the connection ended in the handshake: " .. text, function()
      assert.equal("network", (parts.failure { code = 35, error = text }))
      assert.equal("tls", (parts.failure { code = 60, error = text }))
    end)
  end

  for ending, expected in pairs {
    { "cancelled", "cancelled", "the transfer was cancelled" },
    { "cancelled", "cancelled", "the engine was closed while the transfer was in flight" },
    { "cancelled", "cancelled", "the transfer belongs to the parent process, which may complete it" },
    { "timeout", OUT_OF_TIME, "the timeout expired before a connection was free" },
  } do
    it("has the cause of its end: " .. expected[3], function()
      assert.same(expected, { parts.failure { ending = ending, code = 0 } })
    end)
  end

  for error, message in pairs {
    "the file /upload became shorter while it was sent", "the file /upload cannot be read: Permission denied",
    "the reader gave fewer bytes than the 5 declared", "the reader gave more bytes than the 5 declared",
  } do
    it("names its body: " .. message, function()
      assert.same({ "invalid", "body", message }, { parts.failure { source_error = error, system_error = EACCES, code = 42 } })
    end)
  end

  for _, case in ipairs {
    { 1, 200, "protocol", "too_large", "the response is larger than the 20 bytes allowed" },
    { 1, 404, "protocol", "too_large", "the response is larger than the 10 bytes allowed" },
    { 2, 200, "invalid", "file", "the file /target cannot be written: Permission denied" },
    { 3, 200, "protocol", "memory", "not enough memory for the response" },
  } do
    it("names its response: " .. case[5], function()
      assert.same({ case[3], case[4], case[5] },
        { parts.failure { sink_error = case[1], status = case[2], system_error = EACCES, code = 23, attempts = 1 } })
    end)
  end

  describe("whose stream the server refused", function()
    for code, refused in pairs { [0] = true, [16] = true, [92] = true, [8] = false, [28] = false, [35] = false, [7] = false,
      [6] = false } do
      it(("%s because of the refusal, with code %d of libcurl"):format(refused and "failed" or "did not fail", code), function()
        local kind, _, message = parts.failure { code = code, attempts = 1, refused = true, error = "the reason" }
        assert.equal(refused, message:find("the server refused the request's HTTP/2 stream", 1, true) ~= nil, message)
        assert.equal(refused and "network" or CODES[code], kind)
      end)
    end
  end)

  it("has a response without a status line", function()
    assert.same({ "protocol", "no_status", "the response has no status line" }, { parts.failure { code = 0, attempts = 1 } })
  end)

  it("was not sent again because it could arrive twice", function()
    local kind, code, message = parts.failure { code = 65, attempts = 2, error = "the reason" }
    assert.same({ "network", 65 }, { kind, code })
    assert.matches("could arrive twice", message)
  end)

  it("names the limit of this machine that was reached before a connection existed", function()
    local kind, code, message = parts.failure { code = COULD_NOT_CONNECT, socket_error = EMFILE }
    assert.same({ "network", "limit" }, { kind, code })
    assert.matches("^no connection can be opened: too many open files: this process may have %d+ %(ulimit %-n%)$", message)
    for _, other in ipairs {
      { code = COULD_NOT_CONNECT, socket_error = EMFILE, attempts = 1 }, { code = 56, socket_error = EMFILE },
      { code = COULD_NOT_CONNECT, socket_error = EAFNOSUPPORT }, { code = COULD_NOT_CONNECT },
    } do
      assert.equal(other.code, (select(2, parts.failure(other))))
    end
  end)

  describe("whose cause libcurl does not report", function()
    local EMFILE_TEXT, ENFILE_TEXT = "^no connection can be opened: too many open files: this process may have", "in the whole system"

    for code, may_lack_files in pairs { [6] = true, [5] = true, [77] = true, [2] = true, [7] = false, [28] = false, [35] = false } do
      it(("%s the limit of open files with code %d of libcurl"):format(may_lack_files and "names" or "does not name", code), function()
        for number, text in pairs { [EMFILE] = EMFILE_TEXT, [23] = ENFILE_TEXT } do
          parts.fail("open", number, 0)
          local kind, found, message = parts.failure { code = code, error = "the reason" }
          assert.same(may_lack_files and { "network", "limit" } or { CODES[code], code }, { kind, found })
          assert.matches(may_lack_files and text or "^the reason$", message)
          parts.failure { code = 6 } -- calls `open`, so that its failure does not affect the next test
        end
        assert.equal(code, (select(2, parts.failure { code = code })))
        parts.fail("open", EMFILE, 0)
        assert.equal(code, (select(2, parts.failure { code = code, attempts = 1 })))
        parts.failure { code = 6 }
      end)
    end

    it("names the limit if less than four files can be opened", function()
      for files = 0, 4 do
        parts.fail("open", EMFILE, files)
        assert.equal(files < 4 and "limit" or 6, (select(2, parts.failure { code = 6 })))
      end
      parts.failure { code = 6 }
      parts.fail("open", EACCES, 0)
      assert.equal(6, (select(2, parts.failure { code = 6 })))
    end)
  end)
end)
