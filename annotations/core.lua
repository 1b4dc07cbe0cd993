---@meta waba.core
-- Annotations of the C module `waba.core` (src/core.c): authentication, JSON, text, files. No program loads this file.

---@class waba.core
---@field null userdata  the null of JSON, the same value as cjson.null
---@field empty_array userdata  `encode` writes `[]` for this value
local core = {}

--- Encodes a Lua value as JSON. The result is the same with every version of cjson and without cjson. Numbers keep all
--- their digits; whole numbers (123.0) have no decimal point. Metamethods are ignored. An empty table becomes `{}`.
--- OpenResty's `cjson.empty_array`, and an empty table with the metatable `empty_array_mt` or `array_mt` of OpenResty's
--- cjson, become `[]`. Refuses invalid UTF-8, NaN and infinity, cycles, more than 100 levels, arrays with gaps, tables
--- with both positions and names as keys, and values of other types.
---@param value any
---@return string|nil json
---@return string? message
---@return string? path  the path of the invalid part, such as "template.components[2].type"; "" for the complete value
function core.encode(value) end

--- Returns the value, or a copy of its raw contents if a table in the value has the metamethod `__index`, `__len`,
--- `__pairs` or `__ipairs`, because `encode` ignores metamethods.
---@param value any
---@return any value
---@return boolean is_copy
function core.plain(value) end

--- Decodes JSON. Whole numbers become integers in versions of Lua that have integers. Integers above 2^53 become
--- strings with all their digits, in every version of Lua. A null becomes `core.null`. An unpaired surrogate ("\ud83d"
--- without the second half of its emoji) becomes U+FFFD. Invalid UTF-8 is left unchanged. Refuses NaN, Infinity,
--- hexadecimal numbers, numbers that are too large for a double, and more than 1000 levels. Before Lua 5.4.3 also
--- refuses thousands of strings that have the same hash (hash flooding).
---@param json string
---@param lists? table<string, true>  the names of arrays; `texts` has the JSON text of each object in these arrays
---@param skipped? integer  the number of bytes before the JSON; default: 0
---@return any value
---@return table<table, string>|string|nil texts  with `lists`: maps objects to their JSON texts; without texts of 64 KiB
---        or more, and without objects inside an object that has a text. After an error: the error text
function core.decode(json, lists, skipped) end

--- Creates a function that reads strings from the text of a JSON object without decoding the text. The path
--- `"messages.id"` selects the string `id` in the first object of the array `messages`. A path without a dot permits a
--- member with this name, whose value is not returned. The function returns nothing if the text contains numbers,
--- escapes, other names, other types, repeated names or invalid JSON; the caller must then decode the text.
---@param ... string  up to 12 paths
---@return fun(json: string): ...  the values of the paths with a dot, each a string or nil
function core.picker(...) end

--- Returns whether a value is a string of `least` to `most` digits that does not begin with 0.
---@param value any
---@param least integer
---@param most integer
---@return boolean
function core.is_number(value, least, most) end

--- Counts the characters of a UTF-8 text.
---@param text string
---@return integer|nil characters  nil: the text is not valid UTF-8
---@return integer? position  the position (from 1) of the first byte that is not valid UTF-8
function core.utf8_length(text) end

--- Compares two strings. The duration depends on the length of `candidate` only.
---@param secret string
---@param candidate string
---@return boolean
function core.equals(secret, candidate) end

--- Checks one HTTP header. The name must be a token. The value must not contain control characters, such as CR and LF,
--- and must not begin or end with white space.
---@param name string
---@param value string
---@return true|nil ok
---@return string? message  an error text that never contains the value
function core.check_header(name, value) end

--- Returns the origin of a URL ("https://host:port", without a default port). Accepts `https`, and for loopback also
--- `http`. Refuses any other scheme, user information in the URL, and a URL without a host.
---@param url string
---@return string|nil origin
---@return string? message
function core.origin(url) end

--- Returns the seconds of a monotonic clock. Only the difference between two results is
--- meaningful.
---@return number
function core.clock() end

--- Returns the system's text for an error code. If a system limit was reached, the text names the limit.
---@param number integer  errno
---@return string
function core.system_error(number) end

--- Returns a random number from the system's generator, at least 0 and below 1.
---@return number
function core.random() end

--- Sets whether a file is removed when the process exits. The exit of a child process does not remove the file. Calls
--- are counted: the file is removed only after more calls with true than with false.
---@param path string
---@param remove boolean
function core.remove_at_exit(path, remove) end

--- Creates an empty file that only its owner can read and write (mode 600). Does not change an existing file.
---@param path string
---@return true|nil
---@return string? message
function core.make_private(path) end

--- Returns the identity of a file (device and inode), a string for comparisons. A new file at the same path has another
--- identity.
---@param path string
---@return string|nil
---@return string? message  the reason why the file can't be examined
function core.file_identity(path) end

--- Returns the number of bytes that this process may still write on the volume of a file.
---@param path string
---@return number|nil
---@return string? message
function core.free_space(path) end

--- Checks whether this process may read and write a file.
---@param path string
---@return true|nil
---@return string? message  the reason why the process may not read and write the file
function core.can_write(path) end

--- Returns the absolute path of a file.
---@param path string
---@return string|nil
---@return string? message
function core.absolute_path(path) end

--- Returns whether the calling code can yield.
---@return boolean|nil  nil: the result is unknown, because in Lua 5.1 a metamethod could be running
function core.can_yield() end

--- Creates a secret header for one origin. No function returns the secret. The secret is overwritten when the object is
--- collected.
---@param options { header: string, value: string, origin: string }
---@return waba.Credentials|nil
---@return string? message  an error text that never contains the value
function core.credentials(options) end

---@class waba.Credentials : userdata

--- Replaces the value of the secret header in a text by "(hidden)". A value of fewer than 8 bytes is not replaced,
--- because ordinary words can contain a short value.
---@param text string
---@param credentials waba.Credentials
---@return string
function core.redact(text, credentials) end

--- Encodes commands in the protocol of Redis. Raises an error if a word of a command is not a string.
---@param commands string[][]  the words of each command
---@return string bytes
function core.redis_commands(commands) end

--- Splits the reply of a script of the library. The text consists of lines, each followed by the bytes of its strings. A
--- line has words with a space between them: the length of a string, "-" for false, or "=" and an integer.
---@param text string
---@return (string|integer|false)[]|nil parts  nil: the text has another form
function core.redis_parts(text) end

--- Creates a secret header for `core.ready_head`, for a transport that writes requests to its own socket. Code that has
--- the object can read the secret, so the transport must store the object where no other code can access it.
---@param options { header: string, value: string, origin: string }
---@return waba.HeaderSecret|nil
---@return string? message  an error text that never contains the value
function core.header_secret(options) end

---@class waba.HeaderSecret : userdata

--- Creates the head of an HTTP/1.1 request (request line, Host, headers). The head can be sent many times. The head
--- contains the secret header only if the secret belongs to the origin and `host` is the host of the origin. The secret
--- is overwritten when the head is collected.
---@param method string
---@param target string  path and query, percent-encoded
---@param host string  the value of the header Host: "host" or "host:port"
---@param headers table<string, string>  the headers without Host and the secret header
---@param secret? waba.HeaderSecret
---@param origin? string  the origin of the request; required with a secret
---@return waba.ReadyHead|nil head
---@return string? message  an error text that never contains values of headers
function core.ready_head(method, target, host, headers, secret, origin) end

---@class waba.ReadyHead : userdata
local ready_head = {}

--- Returns the bytes of the head, with the empty line at the end. The bytes may contain the secret, so the caller must
--- pass them to the socket only.
---@param length? integer|true  the value of the header Content-Length; true: the body is chunked
---@return string
function ready_head:bytes(length) end

--- Parses header lines that end with CR LF. The names in the result are in lower case, and the values of a repeated
--- name are joined with ", ".
---@param bytes string
---@param first integer  the position of the first byte of the lines
---@param last integer  the position of the last byte of the lines
---@return table<string, string>|nil headers  nil: a line is malformed
function core.headers(bytes, first, last) end

--- Parses the head of an HTTP/1.1 response without making a table of the headers.
---@param bytes string  the bytes that were received
---@param from integer  the position from which the search for the blank line begins
---@return integer|false|nil status  false: the status line is incomplete; nil: the bytes are not HTTP/1.1
---@return integer? body  the position of the first byte after the head; nil: the head is incomplete
---@return integer? minor  the minor version (1 for HTTP/1.1); nil: a header is malformed
---@return integer|false|nil size  the header Content-Length; nil: the header is missing; false: the value is malformed
---@return boolean? is_chunked  true: the body is chunked
---@return boolean? closes  true: the server closes the connection after this response
function core.response_head(bytes, from) end

---@return waba.Sha256
function core.sha256() end

---@param key string
---@param bytes string
---@return string hex  64 hexadecimal digits in lower case
function core.hmac_sha256(key, bytes) end

--- Returns whether a descriptor (0, 1, 2) is a terminal.
---@param descriptor integer
---@return boolean
function core.is_terminal(descriptor) end

---@param descriptor integer
---@return integer|nil columns  nil: the descriptor is not a terminal
---@return integer? rows
function core.terminal_size(descriptor) end

--- Returns the permission bits of a file, such as 384 (octal 600).
---@param path string
---@return integer|nil mode  nil: the file does not exist
function core.file_mode(path) end

--- Sets what the signals SIGINT (Ctrl-C), SIGTERM and SIGHUP do.
---@param hold boolean  true: `core.interrupted` reports the first signal, and a second signal ends the program; signals
---        within 0.2 seconds count as one signal. false: the signals have their previous effect
function core.hold_interrupt(hold) end

--- Returns whether a signal has arrived since `hold_interrupt(true)`. Only the first call after the signal returns
--- true.
---@return boolean
function core.interrupted() end

--- Opens or creates a file for appending, and locks the file until it is closed or the process ends.
---@param path string
---@return waba.AppendFile|nil
---@return string? message
---@return boolean? is_locked  true: another process or object has the lock
function core.append(path) end

---@class waba.AppendFile : userdata
local append_file = {}

--- Appends all bytes or none.
---@param bytes string
---@return true|nil
---@return string? message
function append_file:write(bytes) end
--- Blocks the whole process until all written bytes are on the disk.
---@return true|nil
---@return string? message
function append_file:sync() end
--- Removes the end of the file.
---@param size integer  the number of bytes to keep, counted from the beginning of the file
---@return true|nil
---@return string? message
function append_file:truncate(size) end
---@return integer bytes
function append_file:size() end
--- Closes the file. Further calls have no effect.
function append_file:close() end

---@class waba.Sha256 : userdata
local sha256 = {}

---@param bytes string
---@return waba.Sha256 self
function sha256:update(bytes) end
--- Returns the hash of the bytes that were added. Further bytes can be added afterwards.
---@return string hex  64 hexadecimal digits in lower case
function sha256:hex() end

return core
