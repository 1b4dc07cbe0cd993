-- Downloads a file into memory, to a sink or to a file. The file gets its final name when it is complete and verified.

local core = require "waba.core"
local errors = require "waba.errors"
local new_file = require "waba.resource.media.new_file"
local digest = require "waba.resource.media.digest"

local download = {}

-- The default timeout of an upload or a download is the client's `timeout` times this factor.
download.PATIENCE = 10

--- The destination of a download, and the verification of the file.
---@options waba.DownloadOptions
download.OPTIONS = {
  file = "string",     -- path of the file to write; an existing file is replaced when the new one is complete
  sink = "fun(bytes: string)", -- receives the bytes as they arrive; without file and sink, the bytes are returned
  sha256 = "string|false", -- the expected SHA-256 digest, hex or base64, as in the webhook; default on Cloud hosting:
                       -- the digest that the platform reports; false: no comparison
  url = "string",      -- Cloud hosting: the URL of the file, as in the webhook; the download first tries this URL
  progress = "fun(received: integer, total: integer|nil)", -- called while bytes arrive
  max_size = "integer>=0", -- the largest size of the file in bytes, after decompression; default: 100 MB
  max_body = "integer>=0", -- without file and sink: the largest size in bytes; has no effect if max_size is smaller
  timeout = "number",  -- seconds; default: ten times the client's `timeout`
}

--- The downloaded file.
---@class waba.Download
---@field type string|nil    the MIME type that the gateway reports
---@field size integer       bytes
---@field sha256 string      the SHA-256 digest as hex in lower case
---@field data string?       the bytes, if the options have neither file nor sink
---@field file string?       the path of the written file

--- Returns two functions that call the progress function `callback`: `report` after each step, `complete` at the end.
--- Without `callback`, `report` is nil and `complete` does nothing.
---@param callback? fun(done: integer, total: integer|nil)
---@return fun(done: integer, total: integer|nil)|nil report
---@return fun(total: integer) complete
function download.track_progress(callback)
  if not callback then return nil, function() end end
  local last
  local function report(done, total)
    -- the transport also reports bytes of the other direction; `done` is then unchanged
    if done == last then return end
    last = done
    callback(done, total)
  end
  local function complete(total)
    if last ~= total then callback(total, total) end
  end
  return report, complete
end

local function call_endpoint(client, endpoint, call, options)
  local report, complete = download.track_progress(options.progress)
  call.progress = report and function(_, _, received, total) report(received, total) end
  local json, response = client:call(endpoint, call)
  if json ~= nil then complete(response.bytes_received) end
  return json, response
end

function download.pause_of(client)
  local transport = client.transport
  return function()
    if transport.sleep then transport:sleep(0) end
  end
end

local function result_of(response, size, sum, expected)
  if not expected or sum == expected then
    return { type = response.headers["content-type"], size = size, sha256 = sum }
  end
  return nil, errors.new {
    kind = "media",
    message = ("the SHA-256 of the received bytes is %s, not %s: download the file again"):format(sum, expected),
  }
end

local fetch_to = {}

function fetch_to.file(client, endpoint, call, options, expected)
  local result, err = new_file.create(options.file, function(temporary)
    call.into = { file = temporary, max_size = options.max_size or call.max_size }
    local json, response = call_endpoint(client, endpoint, call, options)
    if json == nil then return nil, response end
    local sum, message = digest.of_file(temporary, download.pause_of(client))
    if not sum then return nil, message end
    return result_of(response, response.bytes_received, sum, expected)
  end)
  if result then result.file = options.file end
  return result, err
end

function fetch_to.sink(client, endpoint, call, options, expected)
  local sink, hasher, size = options.sink, core.sha256(), 0
  local into = { max_size = options.max_size or call.max_size }
  function into.sink(bytes)
    into.used = true -- the delivery must not retry, because the sink has received bytes
    hasher:update(bytes)
    size = size + #bytes
    sink(bytes)
  end
  call.into = into
  local json, response = call_endpoint(client, endpoint, call, options)
  if json == nil then return nil, response end
  return result_of(response, size, hasher:hex(), expected)
end

function fetch_to.memory(client, endpoint, call, options, expected)
  local most = options.max_size or call.max_size
  call.max_body = options.max_body and math.min(options.max_body, most) or most
  local json, response = call_endpoint(client, endpoint, call, options)
  if json == nil then return nil, response end
  local sum = digest.of(response.body, download.pause_of(client))
  local result, err = result_of(response, #response.body, sum, expected)
  if not result then return nil, err end
  result.data = response.body
  return result
end

function download.destination(options, what)
  if options.file and options.sink then error(what .. ": options file and sink can't be combined", 3) end
  return options.file and "file" or options.sink and "sink" or "memory"
end

--- Downloads the body of the response of an endpoint.
---@param client waba.Client
---@param endpoint string  the name of the endpoint
---@param call waba.Call
---@param options waba.DownloadOptions
---@param destination "file"|"sink"|"memory"
---@param expected? string  the expected SHA-256 digest as hex in lower case, which `options.sha256` overrides
function download.fetch(client, endpoint, call, options, destination, expected)
  local err
  if options.sha256 then
    expected, err = digest.read(options.sha256)
    if not expected then return nil, err end
  end
  return fetch_to[destination](client, endpoint, call, options, expected)
end

return download
