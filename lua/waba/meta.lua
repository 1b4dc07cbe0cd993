---@meta
-- The two C modules, described for editors and readers: `waba.core` (src/core.c), which loads
-- everywhere, and `waba.curl` (src/curl.c), which loads only where curl is the transport.
-- Nothing here is executed by the library.

---@class waba.core
---@field null userdata  JSON's null, the same value as cjson.null
local core = {}

--- Encodes a Lua value as JSON: the same bytes with every cjson and without it. Numbers keep every digit; whole ones
--- (123.0) have no decimal point. Metamethods are ignored. Refused, with the path of the first error: invalid UTF-8, NaN and
--- infinities, cycles, more than 100 levels, arrays with holes, tables that mix positions and
--- names, values JSON has no word for. An empty table becomes `{}`; `cjson.empty_array` of OpenResty's cjson, and an
--- empty table with its `empty_array_mt` or `array_mt`, become `[]`.
---@param value any
---@return string|nil json
---@return string? message  what is wrong
---@return string? path     where, as in "template.components[2].type"; "" for the value itself
function core.encode(value) end

--- Returns the value as `encode` reads it. If a table in it has a metatable with `__index`, `__len`, `__pairs` or
--- `__ipairs`, this is a copy of the tables' raw contents without these metatables; else the value itself.
---@param value any
---@return any value
---@return boolean is_copy
function core.plain(value) end

--- Decodes JSON. Whole numbers come out as integers where Lua has them; integer literals beyond
--- 2^53 come out as strings, digit for digit, on every interpreter; null is `core.null`.
--- NaN, Infinity, hexadecimal numbers, numbers too large for a double and more than 1000 levels are
--- refused; before Lua 5.4.3 thousands of strings with the same hash too (hash flooding).
--- Half a surrogate pair ("\ud83d" alone, from an emoji that a system has cut) becomes
--- U+FFFD. Bytes that are not UTF-8 are left as they are.
---@param json string
---@return any value
---@return string? message
function core.decode(json) end

--- Makes a function that takes strings out of a JSON object without decoding it: for `"messages.id"` the string
--- `id` of the first object in the array `messages`. A wish without a dot is a name that may stand beside. It
--- returns nothing for a text that is not that plain (numbers, escapes, other names, other types, names twice) or
--- no JSON: that has to be decoded.
---@param ... string  up to 12 wishes
---@return fun(json: string): ...  a string, or nil, for each wish with a dot
function core.picker(...) end

--- Whether a value is a string of so many digits that does not begin with 0.
---@param value any
---@param least integer
---@param most integer
---@return boolean
function core.is_number(value, least, most) end

--- Counts the characters of a UTF-8 text.
---@param text string
---@return integer|nil characters
---@return integer? position  of the first byte that is not valid UTF-8, from 1
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
---@return string? message  never quotes the value
function core.check_header(name, value) end

--- The value of an `Authorization` header for HTTP Basic authentication.
---@param user string      no colon
---@param password string
---@return string|nil value
---@return string? message  never quotes the password
function core.basic(user, password) end

--- Reads a Retry-After value: seconds, or an HTTP date. At most 3600.
---@param value string
---@param now? integer|string  Unix seconds, or the Date header of the same response; this machine's clock by default, and
---                           if the header is not a date
---@return number|nil seconds
function core.retry_after(value, now) end

--- The origin of a URL ("https://host:port", the default port left out), or why it can't be used:
--- `https` everywhere, plain `http` only to loopback; no user information; a host is required.
---@param url string
---@return string|nil origin
---@return string? message
function core.origin(url) end

--- Seconds of a clock that never goes back. Its zero means nothing.
---@return number
function core.clock() end

--- Returns the meaning of a system error number; if a limit was reached, with that limit.
---@param number integer  errno
---@return string
function core.system_error(number) end

--- A random number from the system's generator, in [0, 1).
---@return number
function core.random() end

--- Sets whether a file is removed when the process exits; the exit of a child does not remove it. Each call with true adds
--- an entry, each call with false removes one.
---@param path string
---@param remove boolean
function core.remove_at_exit(path, remove) end

--- Creates an empty file that only its owner can read and write (mode 600). Does not change an existing file.
---@param path string
---@return true|nil
---@return string? message
function core.make_private(path) end

--- Returns the identity of a file (device and inode), which differs from that of a file that replaces it. Bytes, only to be
--- compared.
---@param path string
---@return string|nil
---@return string? message  why the file can't be examined
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

--- A secret header for one origin. It has no getter; the value is wiped when it is collected.
---@param options { header: string, value: string, origin: string }
---@return waba.Credentials|nil
---@return string? message  never quotes the value
function core.credentials(options) end

---@class waba.Credentials : userdata

--- Replaces the value of the secret header in a text by "(hidden)". Does not replace a value shorter than 8 bytes, which
--- also occurs in ordinary words.
---@param text string
---@param credentials waba.Credentials
---@return string
function core.redact(text, credentials) end

--- A secret header that `ready_head` writes: for a transport that writes requests to its own socket. Code that has this
--- object can read the secret, so the transport must not let other code access it.
---@param options { header: string, value: string, origin: string }
---@return waba.HeaderSecret|nil
---@return string? message  never quotes the value
function core.header_secret(options) end

---@class waba.HeaderSecret : userdata

--- Makes the head of an HTTP/1.1 request, which can be sent many times: request line, Host, the headers. It has the secret
--- header only if that belongs to the origin. The host must be the origin's own, so that an error in a program can't send
--- the secret to another host. The head wipes the secret when it is collected.
---@param method string
---@param target string  path and query, percent-encoded
---@param host string    as the Host header has it: "host" or "host:port"
---@param headers table<string, string>  without Host and without the secret one
---@param secret? waba.HeaderSecret
---@param origin? string  of the request; needed with a secret
---@return waba.ReadyHead|nil head
---@return string? message  quotes no value
function core.ready_head(method, target, host, headers, secret, origin) end

---@class waba.ReadyHead : userdata
local ready_head = {}

--- Returns the bytes of the head, with the empty line at its end. They may contain the secret: pass them only to the socket.
---@param length? integer|true  of the body, for `Content-Length`; true: in chunks
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
---@param from integer  the first position where the blank line may begin: 1, or the end of what an earlier call examined
---@return integer|false|nil status  false: the status line is incomplete; nil: this is not HTTP/1.1
---@return integer? body        position of the first byte after the head; nil: the head is incomplete
---@return integer? minor       the second 1 of HTTP/1.1; nil: a header is malformed
---@return integer|false|nil size  of the body; nil: without Content-Length; false: its value is malformed
---@return boolean? is_chunked
---@return boolean? closes      the server closes the connection after this response
function core.response_head(bytes, from) end

--- A SHA-256 hash of bytes that come in parts.
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

--- The width of the terminal behind a descriptor.
---@param descriptor integer
---@return integer|nil columns  nil when it is none
function core.terminal_width(descriptor) end

--- The permission bits of a file, such as 384 (octal 600).
---@param path string
---@return integer|nil mode  nil when there is no such file
function core.file_mode(path) end

--- Blocks SIGINT (Ctrl-C), SIGTERM and SIGHUP until `interrupted` takes one; or lets them act as usual again.
---@param hold boolean
function core.hold_interrupt(hold) end

--- Whether one of these signals arrived while they were held; each is reported once.
---@return boolean
function core.interrupted() end

--- Opens a file to append to, which is made when there is none. Nobody else can, until it is closed or the
--- process has ended.
---@param path string
---@return waba.AppendFile|nil
---@return string? message
---@return boolean? is_locked  somebody else has it
function core.append(path) end

---@class waba.AppendFile : userdata
local append_file = {}

--- Appends all of the bytes or none.
---@param bytes string
---@return true|nil
---@return string? message
function append_file:write(bytes) end
--- Comes back when everything written so far is on the disk; the whole process waits meanwhile.
---@return true|nil
---@return string? message
function append_file:sync() end
--- Cuts it off behind its first bytes.
---@param size integer
---@return true|nil
---@return string? message
function append_file:truncate(size) end
---@return integer bytes
function append_file:size() end
--- Harmless when repeated.
function append_file:close() end

---@class waba.Sha256 : userdata
local sha256 = {}

---@param bytes string
---@return waba.Sha256 self
function sha256:update(bytes) end
--- The hash of the bytes so far. More may follow.
---@return string hex  64 lower-case digits
function sha256:hex() end

---@class waba.curl
---@field version string  libcurl's own version text
local curl = {}

---@class waba.EngineOptions
---@field ca_file? string        PEM file of the authorities to trust instead of the system's
---@field proxy? string          URL; by default as the environment says, but never for loopback
---@field max_connections? integer  per host, 16 by default

--- One curl multi handle with all its easy handles, behind one descriptor.
---@param options? waba.EngineOptions
---@return waba.Engine|nil
---@return string? message  when the system gives no more descriptors
function curl.engine(options) end

--- Waits until one of the engines has work or the time is over. Never pumps.
---@param engines waba.Engine[]
---@param seconds number
function curl.wait(engines, seconds) end

--- Checks the URL of a proxy. Returns nil when libcurl can use it, else a message that contains no part of the URL.
---@param url string
---@return string? message
function curl.check_proxy(url) end

--- A descriptor that becomes readable at a given time, for event loops that have no timers.
---@return waba.Alarm|nil
---@return string? message  the system has no such thing
function curl.alarm() end

---@class waba.Alarm : userdata
local alarm = {}

---@return integer descriptor
function alarm:pollfd() end
--- Not readable before these seconds are over, from now; without them never.
---@param seconds? number
function alarm:set(seconds) end
function alarm:close() end

---@class waba.Engine : userdata
local engine = {}

---@class waba.PreparedHead : userdata  the fixed part of a request, as the engine keeps it

--- Makes the fixed part of a request ready to be sent many times.
---@param head waba.RequestHead
---@return waba.PreparedHead|nil
---@return string? message
function engine:prepare(head) end

---@class waba.StartOptions
---@field timeout? number          seconds for the whole transfer; none by default
---@field connect_timeout? number  seconds, 10 by default
---@field max_body? integer        bytes of the decoded body kept in memory, 16 MiB by default
---@field max_size? integer        bytes of a decoded body that goes to a file or a reader; no limit by default
---@field save_as? string          write a 2xx body into this file instead of memory
---@field stream? boolean          hand a 2xx body out by `transfer:drain()` instead of keeping it
---@field progress? boolean        make "progress" one of the things a transfer wants

--- Starts a transfer. Nothing moves before `pump`.
---@param head waba.PreparedHead
---@param body? string|{ file: string }|{ size: integer? }  bytes, a file, or bytes to come by `feed`
---@param options? waba.StartOptions
---@param used? waba.Transfer  one of this engine that has given its result, to serve again
---@return waba.Transfer|nil transfer
---@return integer|string id  small, unique among the transfers in flight; or the message
---@return string? limit  "limit" when the system has no more descriptors or memory
function engine:start(head, body, options, used) end

--- The descriptor that becomes readable when there is work (cqueues' pollable protocol).
---@return integer|nil descriptor  nil where the system offers only poll(2): use `wait`
function engine:pollfd() end
---@return "r"
function engine:events() end
---@return number|nil seconds  until `pump` is due without any readiness
function engine:timeout() end
--- Waits until there is work, the engine's own deadline or `seconds` are over; a signal ends it too.
---@param seconds number
function engine:wait(seconds) end
--- Moves everything that can move. Never waits.
---@return boolean ready  false when `ready` would give nil
function engine:pump() end
--- Sends off what was started, while somebody else may wait for the engine.
function engine:dispatch() end
--- Takes the next transfer that wants something (see `transfer:wants`).
---@return integer|nil id
function engine:ready() end
---@return integer transfers in flight
function engine:in_flight() end
--- Cancels what is in flight and frees all handles. Harmless when repeated.
function engine:close() end

---@class waba.Transfer : userdata
local transfer = {}

--- What it needs from its owner now: `"finished"`: call `finish`; `"input"`: call `feed`;
--- `"drain"`: call `drain`; `"progress"`: call `progress`; nil: only time.
---@return "finished"|"input"|"drain"|"progress"|nil
function transfer:wants() end
--- For whoever waits for this one: `pump`, and if no transfer wants anything, `wait` and `pump` once more.
---@param seconds? number  to wait at most; without, it does not wait
---@return "finished"|"input"|"drain"|"progress"|nil want
---@return boolean others  whether `engine:ready` has something to tell
function transfer:step(seconds) end
--- Gives bytes of the request's body; without argument its end.
---@param bytes? string
function transfer:feed(bytes) end
--- Takes what has arrived of a streamed response body; the transfer goes on.
---@return string|nil
function transfer:drain() end
---@return integer sent, integer|nil to_send, integer received, integer|nil to_receive  bytes of the bodies
function transfer:progress() end
---@return waba.Response|nil
---@return waba.TransferFailure?
function transfer:finish() end
--- Ends the transfer; `finish` then returns a failure of code "cancelled".
function transfer:cancel() end
