---@meta waba.core
-- Annotations of the C module `waba.core` (src/core.c), for editors and readers: authentication, JSON, text, files. It is
-- loaded everywhere. The library does not load this file.

---@class waba.core
---@field null userdata  JSON's null, the same value as cjson.null
local core = {}

--- Encodes a Lua value as JSON: the same bytes with every cjson and without it. Numbers keep every digit; whole ones
--- (123.0) have no decimal point. Metamethods are ignored. Refused, with the path of the first error: invalid UTF-8,
--- NaN and infinities, cycles, more than 100 levels, arrays with holes, tables that mix positions and names, values of
--- other types. An empty table becomes `{}`; `cjson.empty_array` of OpenResty's cjson, and an empty table with its
--- `empty_array_mt` or `array_mt`, become `[]`.
---@param value any
---@return string|nil json
---@return string? message
---@return string? path     the path of the invalid part, such as "template.components[2].type"; "" for the whole value
function core.encode(value) end

--- Returns the value as `encode` reads it. If a table in it has a metatable with `__index`, `__len`, `__pairs` or
--- `__ipairs`, this is a copy of the tables' raw contents without these metatables; else the value itself.
---@param value any
---@return any value
---@return boolean is_copy
function core.plain(value) end

--- Decodes JSON. Whole numbers become integers where Lua has them; integers above 2^53 become strings with all their
--- digits, in every Lua; null becomes `core.null`.
--- NaN, Infinity, hexadecimal numbers, numbers too large for a double and more than 1000 levels are
--- refused; before Lua 5.4.3 thousands of strings with the same hash too (hash flooding).
--- An unpaired surrogate ("\ud83d" alone, from an emoji that a system has cut) becomes U+FFFD. Invalid UTF-8 is left
--- unchanged.
---@param json string
---@param lists? table<string, true>  names of arrays of which the text of each object is wanted
---@return any value
---@return table<table, string>|string|nil texts  with `lists`: the text of each object in an array with one of these names,
---        unless it has 64 KiB or more; the message of an error
function core.decode(json, lists) end

--- Creates a function that takes strings out of a JSON object without decoding it: for the path `"messages.id"` the
--- string `id` of the first object in the array `messages`. A path without a dot is a name that the object may have as
--- well. The function returns nothing for a text that must be decoded instead: one with numbers, escapes, other names,
--- other types or repeated names, or invalid JSON.
---@param ... string  up to 12 paths
---@return fun(json: string): ...  a string, or nil, for each path with a dot
function core.picker(...) end

--- Whether a value is a string of `least` to `most` digits that does not begin with 0.
---@param value any
---@param least integer
---@param most integer
---@return boolean
function core.is_number(value, least, most) end

--- Counts the characters of a UTF-8 text.
---@param text string
---@return integer|nil characters
---@return integer? position  the position of the first byte that is not valid UTF-8, from 1
function core.utf8_length(text) end

---@param bytes string
---@return string base64  with padding, without line breaks
function core.base64(bytes) end

--- Percent-encodes all but the unreserved characters of RFC 3986.
---@param text string
---@return string
function core.percent_encode(text) end

--- Compares two strings in a time that depends on the length of the second only.
---@param secret string
---@param candidate string
---@return boolean
function core.equals(secret, candidate) end

--- Checks one HTTP header: a token as its name; no CR, LF, NUL or other control in its value, no white
--- space at its ends.
---@param name string
---@param value string
---@return true|nil ok
---@return string? message  does not quote the value
function core.check_header(name, value) end

--- Returns the value of an `Authorization` header for HTTP Basic authentication.
---@param user string      without a colon
---@param password string
---@return string|nil value
---@return string? message  does not quote the password
function core.basic(user, password) end

--- Reads a Retry-After value: seconds, or an HTTP date. At most 3600.
---@param value string
---@param now? integer|string  Unix seconds, or the Date header of the same response; by default, and for an invalid date,
---                           this machine's clock
---@return number|nil seconds
function core.retry_after(value, now) end

--- Returns the origin of a URL ("https://host:port", without a default port). Refuses plain `http` except to loopback,
--- other schemes, user information and a URL without a host.
---@param url string
---@return string|nil origin
---@return string? message
function core.origin(url) end

--- Returns the seconds of a clock that never goes back, since an unspecified time.
---@return number
function core.clock() end

--- Returns the meaning of a system error number; if a limit was reached, with that limit.
---@param number integer  errno
---@return string
function core.system_error(number) end

--- Returns a random number from the system's generator, in [0, 1).
---@return number
function core.random() end

--- Sets whether a file is removed when the process exits; the exit of a child does not remove it. Each call with true
--- adds an entry, each call with false removes one.
---@param path string
---@param remove boolean
function core.remove_at_exit(path, remove) end

--- Creates an empty file that only its owner can read and write (mode 600). Does not change an existing file.
---@param path string
---@return true|nil
---@return string? message
function core.make_private(path) end

--- Returns the identity of a file (device and inode), which differs from that of a file that replaces it. Bytes, only
--- to be compared.
---@param path string
---@return string|nil
---@return string? message  the reason why the file can't be examined
function core.file_identity(path) end

--- Checks whether this process may read and write a file.
---@param path string
---@return true|nil
---@return string? message  why not
function core.can_write(path) end

--- Returns the absolute path of a file.
---@param path string
---@return string|nil
---@return string? message
function core.absolute_path(path) end

--- Whether the running coroutine can be suspended here.
---@return boolean|nil  nil if that is not known without trying (Lua 5.1, perhaps in a metamethod)
function core.can_yield() end

--- Creates a secret header for one origin. The object has no getter; its value is overwritten when the object is
--- collected.
---@param options { header: string, value: string, origin: string }
---@return waba.Credentials|nil
---@return string? message  does not quote the value
function core.credentials(options) end

---@class waba.Credentials : userdata

--- Replaces the value of the secret header in a text by "(hidden)". Does not replace a value shorter than 8 bytes,
--- which also occurs in ordinary words.
---@param text string
---@param credentials waba.Credentials
---@return string
function core.redact(text, credentials) end

--- Creates a secret header that `ready_head` writes, for a transport that writes requests to its own socket. Code that
--- has this object can read the secret, so the transport must not let other code access it.
---@param options { header: string, value: string, origin: string }
---@return waba.HeaderSecret|nil
---@return string? message  does not quote the value
function core.header_secret(options) end

---@class waba.HeaderSecret : userdata

--- Creates the head of an HTTP/1.1 request, which can be sent many times: request line, Host, headers. It has the
--- secret header only if that belongs to the origin. The host must be the origin's own, so that an error in a program
--- can't send the secret to another host. The head wipes the secret when it is collected.
---@param method string
---@param target string  path and query, percent-encoded
---@param host string    the value of the Host header: "host" or "host:port"
---@param headers table<string, string>  without Host and the secret header
---@param secret? waba.HeaderSecret
---@param origin? string  the origin of the request; required with a secret
---@return waba.ReadyHead|nil head
---@return string? message  does not quote values
function core.ready_head(method, target, host, headers, secret, origin) end

---@class waba.ReadyHead : userdata
local ready_head = {}

--- Returns the bytes of the head, with the empty line at its end. They may contain the secret: pass them only to the
--- socket.
---@param length? integer|true  the bytes of the body, for `Content-Length`; true: the body is chunked
---@return string
function ready_head:bytes(length) end

--- Reads header lines, each with its CR LF: names in lower case, values of a repeated name joined with ", ".
---@param bytes string
---@param first integer  position of the first byte of the lines
---@param last integer   position of the last
---@return table<string, string>|nil  nil when a line is malformed
function core.headers(bytes, first, last) end

--- Reads the head of an HTTP/1.1 response without creating a table of its headers.
---@param bytes string  what was received so far
---@param from integer  the first position where the blank line may begin: 1, or where an earlier call stopped
---@return integer|false|nil status  false: the status line is incomplete; nil: this is not HTTP/1.1
---@return integer? body        position of the first byte after the head; nil: the head is incomplete
---@return integer? minor       the second 1 of HTTP/1.1; nil: a header is malformed
---@return integer|false|nil size  the bytes of the body; nil: without Content-Length; false: its value is malformed
---@return boolean? is_chunked
---@return boolean? closes      the server closes the connection after this response
function core.response_head(bytes, from) end

--- Creates the SHA-256 hash of bytes that are added in parts.
---@return waba.Sha256
function core.sha256() end

---@param key string
---@param bytes string
---@return string hex  64 lower-case digits
function core.hmac_sha256(key, bytes) end

--- Whether a descriptor (0, 1, 2) is a terminal.
---@param descriptor integer
---@return boolean
function core.is_terminal(descriptor) end

--- The size of the terminal behind a descriptor.
---@param descriptor integer
---@return integer|nil columns  nil when it is not a terminal
---@return integer? rows
function core.terminal_size(descriptor) end

--- The permission bits of a file, such as 384 (octal 600).
---@param path string
---@return integer|nil mode  nil when there is no such file
function core.file_mode(path) end

--- Blocks SIGINT (Ctrl-C), SIGTERM and SIGHUP until `interrupted` takes one, or unblocks them.
---@param hold boolean
function core.hold_interrupt(hold) end

--- Whether one of these signals arrived while they were held; each is reported once.
---@return boolean
function core.interrupted() end

--- Opens a file to append to, or creates it, and locks it until it is closed or the process ends.
---@param path string
---@return waba.AppendFile|nil
---@return string? message
---@return boolean? is_locked  another process or object has the lock
function core.append(path) end

---@class waba.AppendFile : userdata
local append_file = {}

--- Appends all bytes or none.
---@param bytes string
---@return true|nil
---@return string? message
function append_file:write(bytes) end
--- Returns when all written bytes are on the disk. The whole process waits meanwhile.
---@return true|nil
---@return string? message
function append_file:sync() end
--- Shortens the file.
---@param size integer  bytes that remain
---@return true|nil
---@return string? message
function append_file:truncate(size) end
---@return integer bytes
function append_file:size() end
--- Can be repeated.
function append_file:close() end

---@class waba.Sha256 : userdata
local sha256 = {}

---@param bytes string
---@return waba.Sha256 self
function sha256:update(bytes) end
--- Returns the hash of the bytes so far. More can be added.
---@return string hex  64 lower-case digits
function sha256:hex() end

return core
