---@meta
-- The contract of a transport: one method, `send`. `waba.transport.curl` implements it; any table with such a method can be
-- the option `transport` of `waba.client`. The library executes nothing of this file.

--- The part of a request that is equal in all calls of an endpoint. The client builds each one once and passes the same
--- table again, so a transport may cache an object for each table.
---@class waba.RequestHead
---@field method string                    "GET", "POST", "PUT", "PATCH", "DELETE"
---@field url string                       absolute, already percent-encoded
---@field headers table<string, string>    without the secret one
---@field credentials? waba.Credentials    the secret header; sent to its own origin only
---@field idempotent boolean               false: the transport must never send it twice
---@field owner? any                       the client that sends it, for `cancel`

---@class waba.Request
---@field head waba.RequestHead
---@field body? string|{ file: string }|{ reader: (fun(): string|nil), size: integer? }
---@field into? { file: string?, sink: nil|fun(bytes: string), max_size: integer? }  the destination of a 2xx body: a file or a
---                                        sink; memory by default. max_size: bytes after decompression
---@field timeout? number                  seconds for the whole request
---@field connect_timeout? number          seconds
---@field max_body? integer                cap on a body kept in memory, bytes after decompression
---@field progress? fun(sent: integer, to_send: integer|nil, received: integer, to_receive: integer|nil)

--- A response. The fields beside `status` and `body` may be made when the first of them is read.
---@class waba.Response
---@field status integer
---@field headers table<string, string>    lower-case names; at least content-type, content-length,
---                                        content-disposition, retry-after, location, date when present
---@field body string                      "" when it went into a file or a sink, or there was none
---@field sent "yes"
---@field reused boolean                   an existing connection was used
---@field protocol string                  "HTTP/1.1" or "HTTP/2"
---@field content_coding? string           the compression that the body still has ("gzip"), if the transport can't
---                                        decode it; else nil
---@field bytes_sent integer               of the body
---@field bytes_received integer           the bytes of the body, after decompression
---@field timings { connect: number, first_byte: number, total: number }  seconds since the start

--- A request that brought no complete response.
---@class waba.TransferFailure
---@field kind "network"|"tls"|"timeout"|"cancelled"|"protocol"|"invalid"
---@field message string                   never contains the secret
---@field code integer|string|nil          libcurl's number, or the transport's own code
---@field sent "no"|"maybe"|"yes"          "no": the gateway can't have the complete request.
---                                        "maybe": it may have it. "yes": a status line was received.
---@field path? string                    the client's invalid option, such as "proxy"
---@field status? integer                  if a status line was read before the failure
---@field bytes_sent? integer
---@field reused? boolean
---@field protocol? string

---@class waba.Transport
local transport = {}

--- Sends one request and waits for its end, in the way of the caller's event loop. Never follows redirects, never repeats
--- a request that is not idempotent, always verifies TLS, sends the credentials only to their own origin. An error raised
--- by a reader, a sink or a progress function cancels the request and is raised again here. These functions may wait in
--- the event loop, but not under PUC Lua 5.1, where no coroutine can yield through `pcall`.
---@param request waba.Request
---@return waba.Response|nil response  for every HTTP status, 2xx or not
---@return waba.TransferFailure? failure
function transport:send(request) end

--- Optional: whether the calling code can wait for a response. Called before a request is counted or sent. A transport
--- without it can always wait.
---@return true|nil
---@return string? message  why not, and from where to send instead
function transport:can_wait() end

--- Waits in the way of the caller's event loop.
---@param seconds number
function transport:sleep(seconds) end

--- Optional: makes the credentials of a client, for a transport that writes requests to its own socket and therefore
--- needs the secret as bytes. Without it the client calls `core.credentials`, from which the bytes can't be read. The
--- transport must keep the secret where no other code can access it, and send it to its origin only.
---@param secret { header: string, value: string, origin: string }
---@return waba.Credentials|nil  from `core.credentials`
---@return string? message       never quotes the value
function transport:credentials(secret) end

--- Optional: the running coroutine as one that waits until another wakes it. Without it `sleep` is called in small steps.
---@return waba.Waiter
function transport:waiter() end

--- Optional: cancels the requests in flight of one owner (`waba.RequestHead`). The library calls it only for its own
--- transports, which clients share.
---@param owner any
function transport:cancel(owner) end

--- Cancels the requests in flight and frees everything. Can be called again without effect.
function transport:close() end

--- The adapter of an event loop for the curl transport: wait, park, wake, sleep. Each loop has a file in
--- `waba.transport.loop`; the adapter of code outside any loop is in `waba.runtime`.
---@class waba.Loop
---@field name string
---@field runs_callbacks? boolean  `wait` without a task runs callbacks of the loop
local loop = {}

--- A coroutine that can be parked. It must not keep the coroutine from being collected.
---@class waba.LoopTask
---@field group table  equal for all tasks of one loop, which can wait for each other

--- The running coroutine as a task that can be parked; nil where none can.
---@return waba.LoopTask|nil task
---@return string? message  the loop cannot wait: a limit of the system was reached
function loop.task() end
--- False when its coroutine has ended, or was collected, or its loop is over.
---@param task waba.LoopTask
---@return boolean
function loop.is_alive(task) end
--- Waits until the engine has work, its own deadline or the seconds are over, or `wake(task)`. Other coroutines run
--- meanwhile; without a task the whole program waits.
---@param task waba.LoopTask|nil
---@param engine waba.Engine
---@param seconds number
function loop.wait(task, engine, seconds) end
--- Suspends the running task until `wake(task)`, or the seconds are over. May return early.
---@param task waba.LoopTask
---@param seconds number
function loop.park(task, seconds) end
--- Resumes a task that is in `wait` or `park`, in the next iteration of its loop; has no effect on another one.
---@param task waba.LoopTask
function loop.wake(task) end
---@param seconds number
function loop.sleep(seconds) end
--- Optional: the engine is about to be closed.
---@param engine waba.Engine
function loop.forget(engine) end
