---@meta waba.curl
-- Annotations of the C module `waba.curl` (src/curl.c): the engine over libcurl. No program loads this file.

---@class waba.curl
---@field version string  the version text of libcurl
local curl = {}

---@class waba.EngineOptions
---@field ca_file? string  the path of a PEM file with trusted certificates; default: the certificates of the system
---@field proxy? string  the URL of a proxy; default: from the environment variables; never used for loopback
---@field max_connections? integer  the largest number of connections to one host; default: 16

--- Creates an engine: a curl multi handle with all its easy handles, and one descriptor.
---@param options? waba.EngineOptions
---@return waba.Engine|nil
---@return string? message  an error text; set if the system has no more descriptors
function curl.engine(options) end

--- Waits until one of the engines has work or the seconds are over. Does not call `engine:pump`.
---@param engines waba.Engine[]
---@param seconds number
function curl.wait(engines, seconds) end

--- Checks the URL of a proxy. Returns nil if libcurl can use the URL, otherwise an error text that contains no part of
--- the URL.
---@param url string
---@return string? message
function curl.check_proxy(url) end

--- Creates an alarm, for event loops without timers: a descriptor that becomes readable after the seconds that
--- `alarm:set` sets.
---@return waba.Alarm|nil
---@return string? message  an error text; set if the system does not offer alarms, or has no more descriptors
function curl.alarm() end

---@class waba.Alarm : userdata
local alarm = {}

---@return integer descriptor
function alarm:pollfd() end
---@param seconds? number  the seconds until the descriptor becomes readable; nil: never
function alarm:set(seconds) end
function alarm:close() end

---@class waba.Engine : userdata
local engine = {}

---@class waba.PreparedHead : userdata

--- Prepares the head of requests. The result can be used for many requests.
---@param head waba.RequestHead
---@return waba.PreparedHead|nil
---@return string? message
function engine:prepare(head) end

---@class waba.StartOptions
---@field timeout? number  seconds for the complete transfer; default: no limit
---@field connect_timeout? number  seconds; default: 10
---@field max_body? integer  the largest number of decoded bytes of a body in memory; default: 16 MiB
---@field max_size? integer  the largest number of decoded bytes of a body in a file or a stream; default: no limit
---@field save_as? string  the path of a file to which a 2xx body is written
---@field stream? boolean  true: `transfer:drain` returns the bytes of a 2xx body
---@field progress? boolean  true: `transfer:wants` may also return "progress"

--- Starts a transfer. Sends nothing before `engine:pump` is called.
---@param head waba.PreparedHead
---@param body? string|{ file: string }|{ size: integer? }  the bytes; the path of a file; or the number of bytes that
---        `transfer:feed` will add
---@param options? waba.StartOptions
---@param used? waba.Transfer  a finished transfer of this engine, to be reused
---@param credentials? waba.Credentials  sent only if the credentials belong to the origin of `head`
---@param timeout? number  replaces the option `timeout`, so that a call needs no table of options
---@param connect_timeout? number  replaces the option `connect_timeout`
---@return waba.Transfer|nil transfer
---@return integer|string id  a small integer that no other transfer in flight has; after an error: the error text
---@return string? limit  "limit" if the system has no more descriptors or memory
function engine:start(head, body, options, used, credentials, timeout, connect_timeout) end

-- cqueues calls `pollfd`, `events` and `timeout` of an object that is polled.

---@return integer|nil descriptor  readable when the engine has work; nil: the system offers only poll(2)
function engine:pollfd() end
---@return "r"
function engine:events() end
---@return number|nil seconds  the seconds after which `engine:pump` must be called in any case
function engine:timeout() end
--- Waits until a socket is ready, the engine's deadline has passed, `seconds` are over, or a signal arrives.
---@param seconds number
function engine:wait(seconds) end
--- Continues all transfers as far as possible without waiting.
---@return boolean is_ready  false: `engine:ready` would return nil
function engine:pump() end
--- Sends the started requests, even while another coroutine waits for the engine.
function engine:dispatch() end
--- Takes the next transfer for which `transfer:wants` returns a value.
---@return integer|nil id  nil: there is no such transfer
function engine:ready() end
---@return integer count  the number of transfers in flight
function engine:in_flight() end
--- Ends the transfers in flight and frees all handles. Further calls have no effect.
function engine:close() end

---@class waba.Transfer : userdata
local transfer = {}

--- Returns which method the caller must call: `"finished"`: `finish`; `"input"`: `feed`; `"drain"`: `drain`;
--- `"progress"`: `progress`; nil: none.
---@return "finished"|"input"|"drain"|"progress"|nil
function transfer:wants() end
--- Calls `engine:pump`. If afterwards no transfer is ready, waits for the engine and calls `engine:pump` again.
---@param seconds? number  the longest wait in seconds; nil: does not wait
---@return "finished"|"input"|"drain"|"progress"|nil want  the result of `transfer:wants`
---@return boolean others  true: `engine:ready` would return an id
function transfer:step(seconds) end
--- Adds bytes to the body of the request.
---@param bytes? string  nil: ends the body
function transfer:feed(bytes) end
--- Takes the received bytes of the response's body, with the option `stream`.
---@return string|nil bytes  nil: `transfer:wants` does not return "drain"
function transfer:drain() end
---@return integer sent  bytes of the request's body
---@return integer|nil to_send  the size of the request's body; nil: unknown
---@return integer received  bytes of the response's body
---@return integer|nil to_receive  the size of the response's body; nil: unknown
function transfer:progress() end
---@param is_brief? boolean  true: a 2xx response gets only its status and its body, which saves memory
---@return waba.Response|nil
---@return waba.TransferFailure? failure  the reason if there is no complete response
function transfer:finish(is_brief) end
--- Ends the transfer. `transfer:finish` then returns a failure with the code "cancelled".
function transfer:cancel() end

return curl
