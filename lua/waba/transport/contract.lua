---@meta
-- The methods of a transport, as annotations; no program loads this file. Any table with the method `send` can be the
-- option `transport` of `waba.client`; the other methods are optional. The transport "curl" has all methods.

--- The part of a request that is the same in all calls of an endpoint. The client makes one table for each endpoint and
--- passes the same table in each call, so a transport may cache an object for each table.
---@class waba.RequestHead
---@field method string  "GET", "POST", "PUT", "PATCH", "DELETE"
---@field url string  an absolute, percent-encoded URL
---@field headers table<string, string>  all headers except the secret header
---@field credentials? waba.Credentials  the secret header; must be sent to its own origin only
---@field idempotent boolean  false: the transport must never send the request twice
---@field owner? any  the client that sends the request, for `cancel`

---@class waba.Request
---@field head waba.RequestHead
---@field body? string|{ file: string }|{ reader: (fun(): string|nil), size: integer? }
---@field into? { file: string?, sink: nil|fun(bytes: string), max_size: integer? }  where a 2xx body is
---        written: the path of a file, or a function; default: memory. max_size: the largest number of bytes after
---        decompression
---@field timeout? number  seconds for the whole request
---@field connect_timeout? number  seconds
---@field max_body? integer  the largest number of bytes, after decompression, of a body in memory
---@field progress? fun(sent: integer, to_send: integer|nil, received: integer, to_receive: integer|nil)  called during
---        the request with the bytes sent, the total to send, the bytes received and the total to receive; a total is
---        nil if it is unknown

--- A response. A transport may compute the fields other than `status` and `body` when a program first reads one of
--- these fields.
---@class waba.Response
---@field status integer
---@field headers table<string, string>  the headers of the response by lower-case name; at least content-type,
---        content-length, content-disposition, retry-after, location and date
---@field body string  "" if the body was written to a file or a sink, or if there was no body
---@field sent "yes"
---@field reused boolean  true: an existing connection was used
---@field protocol string  "HTTP/1.1" or "HTTP/2"
---@field content_coding? string  the compression of the body ("gzip") if the transport can't decode it
---@field bytes_sent integer  the bytes of the request's body that were sent
---@field bytes_received integer  the size of the body in bytes, after decompression
---@field timings { connect: number, first_byte: number, total: number }  seconds since the start

--- A failure: a request without a complete response.
---@class waba.TransferFailure
---@field kind "network"|"tls"|"timeout"|"cancelled"|"protocol"|"invalid"
---@field message string  the error text, which never contains the secret
---@field code integer|string|nil  the error number of libcurl, or the transport's own code
---@field sent "no"|"maybe"|"yes"  "no": the gateway can't have received the complete request; "maybe": the gateway may
---        have received the complete request; "yes": a status line was received
---@field path? string  the client option that is invalid, such as "proxy"
---@field status? integer  the status, if a status line was read before the failure
---@field bytes_sent? integer  the bytes of the request's body that were sent
---@field reused? boolean  true: an existing connection was used; nil: there was no connection
---@field protocol? string  "HTTP/1.1" or "HTTP/2"; nil: unknown

---@class waba.Transport
local transport = {}

--- Sends one request and waits for the response, while other coroutines of the caller's event loop run. The method must
--- always verify TLS, and must send the credentials to their own origin only. The method must never follow redirects,
--- and must never repeat a request that is not idempotent. If a reader, a sink or a progress function raises an error,
--- `send` cancels the request and raises the error. A reader, a sink or a progress function may wait in the event loop,
--- except under PUC Lua 5.1, in which no coroutine can yield through `pcall`.
---@param request waba.Request
---@param is_brief? boolean  true: of a 2xx response without the header Retry-After the caller reads only the status and
---        the body, so the transport may leave out the other fields
---@return waba.Response|nil response  the response, for every HTTP status
---@return waba.TransferFailure? failure
function transport:send(request, is_brief) end

--- Optional: returns whether the calling code can wait for a response. The library calls the method before it counts or
--- sends a request. Without this method the library assumes that the calling code can wait.
---@return true|nil
---@return string? message  why the code can't wait, and where it can send instead
function transport:can_wait() end

--- Optional: waits while other coroutines of the caller's event loop run.
---@param seconds number
function transport:sleep(seconds) end

--- Optional: makes the credentials of a client. A transport that writes requests to its own socket needs this method,
--- because the bytes of the secret can't be read from the result of `core.credentials`. The transport must store the
--- secret where no other code can access it, and must send the secret to its origin only.
---@param secret { header: string, value: string, origin: string }
---@return waba.Credentials|nil  the result of `core.credentials`
---@return string? message  the error text, which never contains the value
function transport:credentials(secret) end

--- Optional: returns a waiter for the running coroutine, which another coroutine can wake. Without this method the
--- library calls `sleep` in small steps.
---@return waba.Waiter
function transport:waiter() end

--- Optional: cancels the requests in flight of one owner. The library calls the method only for its own transports,
--- which clients share.
---@param owner any  the field `owner` of the request heads
function transport:cancel(owner) end

--- Cancels the requests in flight and releases all resources. Further calls have no effect.
function transport:close() end

--- The adapter of an event loop for the curl transport. Each event loop has a file in `waba.transport.loop`; the
--- adapter for code outside of any loop is in `waba.runtime`.
---@class waba.Loop
---@field name string
---@field runs_callbacks? boolean  true: `wait` without a task runs callbacks of the loop
local loop = {}

--- A coroutine that the event loop can suspend and resume. The task has no strong reference to the coroutine.
---@class waba.LoopTask
---@field group table  a table that all tasks of one loop share

--- Returns the task of the running coroutine; nil if the event loop can't suspend the running code.
---@return waba.LoopTask|nil task
---@return string? message  why the loop can't wait: a limit of the system was reached
function loop.task() end
--- Returns false if the coroutine of the task has ended or was collected, or if its loop has ended.
---@param task waba.LoopTask
---@return boolean
function loop.is_alive(task) end
--- Waits until the engine has work, the engine's deadline has passed, the seconds are over, or `wake(task)` is called.
--- Other coroutines run during the wait.
---@param task waba.LoopTask|nil  nil: the whole program waits
---@param engine waba.Engine
---@param seconds number
function loop.wait(task, engine, seconds) end
--- Suspends the running task until `wake(task)` is called or the seconds are over. May return early.
---@param task waba.LoopTask
---@param seconds number
function loop.park(task, seconds) end
--- Resumes a task that is in `wait` or `park`, in the next iteration of its loop. Has no effect on any other task.
---@param task waba.LoopTask
function loop.wake(task) end
---@param seconds number
function loop.sleep(seconds) end
--- Optional: the library calls this function before it closes the engine.
---@param engine waba.Engine
function loop.forget(engine) end
