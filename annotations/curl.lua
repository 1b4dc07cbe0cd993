---@meta waba.curl
-- Annotations of the C module `waba.curl` (src/curl.c), for editors and readers: the engine over libcurl, which is loaded
-- only where curl is the transport. The library does not load this file.

---@class waba.curl
---@field version string  libcurl's own version text
local curl = {}

---@class waba.EngineOptions
---@field ca_file? string        PEM file of the trusted certificates; by default the system's certificates
---@field proxy? string          URL; by default that of the environment; not used for loopback
---@field max_connections? integer  per host, 16 by default

--- Creates an engine: a curl multi handle with all its easy handles, with one descriptor.
---@param options? waba.EngineOptions
---@return waba.Engine|nil
---@return string? message  when the system has no more descriptors
function curl.engine(options) end

--- Waits until one of the engines has work or the time is over. Does not pump.
---@param engines waba.Engine[]
---@param seconds number
function curl.wait(engines, seconds) end

--- Checks the URL of a proxy. Returns nil when libcurl can use it, else a message that contains no part of the URL.
---@param url string
---@return string? message
function curl.check_proxy(url) end

--- Creates an alarm: a descriptor that becomes readable at a given time, for event loops that have no timers.
---@return waba.Alarm|nil
---@return string? message  when the system has no such descriptors
function curl.alarm() end

---@class waba.Alarm : userdata
local alarm = {}

---@return integer descriptor
function alarm:pollfd() end
--- The descriptor becomes readable after these seconds; without them never.
---@param seconds? number
function alarm:set(seconds) end
function alarm:close() end

---@class waba.Engine : userdata
local engine = {}

---@class waba.PreparedHead : userdata  the fixed part of a request

--- Prepares the fixed part of a request, which can then be sent many times.
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
---@field stream? boolean          return a 2xx body by `transfer:drain()` instead of in the response
---@field progress? boolean        the transfer also wants "progress"

--- Starts a transfer. Sends nothing before `pump`.
---@param head waba.PreparedHead
---@param body? string|{ file: string }|{ size: integer? }  bytes, a file, or the size of bytes that `feed` adds
---@param options? waba.StartOptions
---@param used? waba.Transfer  a transfer of this engine whose result was taken, to use again
---@param credentials? waba.Credentials  sent with this request if they belong to the origin of the head
---@param timeout? number          replaces the option of this name, which takes longer to read
---@param connect_timeout? number  as `timeout`
---@return waba.Transfer|nil transfer
---@return integer|string id  small, unique among the transfers in flight; or the message
---@return string? limit  "limit" when the system has no more descriptors or memory
function engine:start(head, body, options, used, credentials, timeout, connect_timeout) end

--- The descriptor that becomes readable when there is work (cqueues' pollable protocol).
---@return integer|nil descriptor  nil where the system offers only poll(2): use `wait`
function engine:pollfd() end
--- The events of cqueues' pollable protocol.
---@return "r"
function engine:events() end
---@return number|nil seconds  until `pump` must be called even if the descriptor is not readable
function engine:timeout() end
--- Waits until a socket is ready, the engine's deadline or `seconds` are over, or a signal arrives.
---@param seconds number
function engine:wait(seconds) end
--- Continues all transfers as far as possible. Never waits.
---@return boolean ready  false when `ready` would return nil
function engine:pump() end
--- Sends the requests that were started, while another coroutine may wait for the engine.
function engine:dispatch() end
--- Takes the next transfer that wants something (see `transfer:wants`).
---@return integer|nil id
function engine:ready() end
---@return integer transfers in flight
function engine:in_flight() end
--- Ends the transfers in flight and frees all handles. Can be repeated.
function engine:close() end

---@class waba.Transfer : userdata
local transfer = {}

--- Returns what the owner must do: `"finished"`: call `finish`; `"input"`: call `feed`; `"drain"`: call `drain`;
--- `"progress"`: call `progress`; nil: wait.
---@return "finished"|"input"|"drain"|"progress"|nil
function transfer:wants() end
--- Calls `pump` of the engine, and if no transfer wants anything, `wait` and `pump` once more.
---@param seconds? number  the longest wait; nil: none
---@return "finished"|"input"|"drain"|"progress"|nil want
---@return boolean others  whether `engine:ready` would return an id
function transfer:step(seconds) end
--- Adds bytes to the request's body; without an argument ends it.
---@param bytes? string
function transfer:feed(bytes) end
--- Takes the received part of a streamed response body; the transfer continues.
---@return string|nil
function transfer:drain() end
---@return integer sent, integer|nil to_send, integer received, integer|nil to_receive  bytes of the bodies
function transfer:progress() end
---@return waba.Response|nil
---@return waba.TransferFailure?
function transfer:finish() end
--- Ends the transfer; `finish` then returns a failure of code "cancelled".
function transfer:cancel() end

return curl
