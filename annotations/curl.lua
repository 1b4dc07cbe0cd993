---@meta waba.curl
-- The annotations of the C module `waba.curl` (src/curl.c), for editors and readers: the engine over libcurl. Only
-- programs whose transport is curl load the C module. The library does not load this file.

---@class waba.curl
---@field version string  the version text of libcurl itself
local curl = {}

---@class waba.EngineOptions
---@field ca_file? string        PEM file of the trusted certificates; by default the system's certificates
---@field proxy? string          URL; by default the proxy of the environment variables; not used for loopback
---@field max_connections? integer  the largest number of connections to one host; default: 16

--- Creates an engine: a curl multi handle with all its easy handles, and one descriptor.
---@param options? waba.EngineOptions
---@return waba.Engine|nil
---@return string? message  the system has no more descriptors
function curl.engine(options) end

--- Waits until one of the engines has work, or until the time is over. Does not call `pump`.
---@param engines waba.Engine[]
---@param seconds number
function curl.wait(engines, seconds) end

--- Checks the URL of a proxy. Returns nil if libcurl can use the URL, otherwise an error text that contains no part of
--- the URL.
---@param url string
---@return string? message
function curl.check_proxy(url) end

--- Creates an alarm: a descriptor that becomes readable at a time that `set` determines, for event loops that have no
--- timers.
---@return waba.Alarm|nil
---@return string? message  the system does not offer such descriptors, or has no more
function curl.alarm() end

---@class waba.Alarm : userdata
local alarm = {}

---@return integer descriptor
function alarm:pollfd() end
--- The descriptor becomes readable after a number of seconds; without an argument it never does.
---@param seconds? number
function alarm:set(seconds) end
function alarm:close() end

---@class waba.Engine : userdata
local engine = {}

---@class waba.PreparedHead : userdata  the part of a request that is the same in all calls

--- Prepares the part of a request that is the same in all calls; the result can be used for many requests.
---@param head waba.RequestHead
---@return waba.PreparedHead|nil
---@return string? message
function engine:prepare(head) end

---@class waba.StartOptions
---@field timeout? number          seconds for the complete transfer; default: no limit
---@field connect_timeout? number  seconds; default: 10
---@field max_body? integer        the largest decoded body in bytes that is kept in memory; default: 16 MiB
---@field max_size? integer        the largest decoded body in bytes that is written to a file or passed to a reader; default: no limit
---@field save_as? string          the path of a file into which a 2xx body is written, instead of keeping it in memory
---@field stream? boolean          true: `transfer:drain()` returns a 2xx body, and the response does not
---@field progress? boolean        true: `transfer:wants()` may also return "progress"

--- Starts a transfer. Sends nothing before `pump`.
---@param head waba.PreparedHead
---@param body? string|{ file: string }|{ size: integer? }  the bytes, a file, or the number of bytes that `feed` will
---  add
---@param options? waba.StartOptions
---@param used? waba.Transfer  a transfer of this engine to be reused; `finish` must have returned its result
---@param credentials? waba.Credentials  credentials for this request; sent only if they belong to the origin of the head
---@param timeout? number          replaces the option `timeout`; an argument is faster than an option
---@param connect_timeout? number  replaces the option `connect_timeout`
---@return waba.Transfer|nil transfer
---@return integer|string id  a small integer that no other transfer in flight has; or the error text
---@return string? limit  "limit": the system has no more descriptors or memory
function engine:start(head, body, options, used, credentials, timeout, connect_timeout) end

--- Returns the descriptor that becomes readable when there is work (cqueues' pollable protocol).
---@return integer|nil descriptor  nil: the system offers only poll(2), so use `wait`
function engine:pollfd() end
--- Returns the events of cqueues' pollable protocol.
---@return "r"
function engine:events() end
---@return number|nil seconds  seconds until `pump` must be called even if the descriptor is not readable
function engine:timeout() end
--- Waits until a socket is ready, until the engine's deadline or `seconds` are over, or until a signal arrives.
---@param seconds number
function engine:wait(seconds) end
--- Continues all transfers as far as possible without waiting.
---@return boolean ready  false if `ready` would return nil
function engine:pump() end
--- Sends the started requests, even while another coroutine waits for the engine.
function engine:dispatch() end
--- Takes the next transfer that waits for its owner (see `transfer:wants`).
---@return integer|nil id
function engine:ready() end
---@return integer transfers in flight
function engine:in_flight() end
--- Ends the transfers in flight and frees all handles. Further calls have no effect.
function engine:close() end

---@class waba.Transfer : userdata
local transfer = {}

--- Returns what the owner must do: `"finished"`: call `finish`; `"input"`: call `feed`; `"drain"`: call `drain`;
--- `"progress"`: call `progress`; nil: wait.
---@return "finished"|"input"|"drain"|"progress"|nil
function transfer:wants() end
--- Calls the engine's `pump`. If no transfer waits for its owner afterwards, calls `wait` and then `pump` once more.
---@param seconds? number  the longest wait in seconds; nil: does not wait
---@return "finished"|"input"|"drain"|"progress"|nil want
---@return boolean others  whether `engine:ready` would return an id
function transfer:step(seconds) end
--- Adds bytes to the request's body; without an argument ends the body.
---@param bytes? string
function transfer:feed(bytes) end
--- Returns the received part of a streamed response body; the transfer continues.
---@return string|nil
function transfer:drain() end
---@return integer sent, integer|nil to_send, integer received, integer|nil to_receive  the numbers of bytes of the
---  request body and the response body
function transfer:progress() end
---@return waba.Response|nil
---@return waba.TransferFailure?
function transfer:finish() end
--- Ends the transfer; `finish` then returns a failure with the code "cancelled".
function transfer:cancel() end

return curl
