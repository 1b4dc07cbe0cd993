-- Uploads a file in a session, in which a failed upload can be continued (cloud.md, section 3.6).

local core = require "waba.core"
local download = require "waba.resource.media.download"
local ensure = require("waba.coroutines").ensure
local errors = require "waba.errors"
local file_pieces = require "waba.resource.media.file_pieces"
local outcome = require "waba.resource.outcome"
local upload = require "waba.resource.media.upload"
local values = require "waba.hosting.values"

local resumable = {}

--- An upload that returns a handle.
---@options waba.ResumableOptions
resumable.OPTIONS = {
  file = "string",     -- path of a file
  data = "string",     -- instead of `file`: the bytes of the file
  reader = "fun(): string|nil", -- instead of `file` and `data`: returns the next bytes of the file; nil at the end. The
                       -- bytes are first stored in a temporary file, so that they can be sent again
  type = "string",     -- image/jpeg, image/png, video/mp4 or application/pdf; default: by the name of the file
  size = "integer",    -- the number of bytes in the file
  filename = "string", -- the name that the platform gets; default: the name of the file
  upload = "string",   -- the value of `err.upload` after a failed upload: only the rest of the file is sent
  progress = "fun(sent: integer, total: integer)", -- called while bytes are sent
  timeout = "number",  -- seconds for the complete upload; default: ten times the client's `timeout`
}

local MOST_RESUMES = 3 -- retries of one upload after temporary failures

-- Returns the session as a path with a query, `upload:…`; nil if the id is invalid.
local function session_of(id)
  if type(id) ~= "string" or id == "" then return nil end
  if id:sub(1, 7) ~= "upload:" then id = "upload:" .. id end
  return id:find("^[%w%-._~:?@!$&'()*+,;=%%]+$") and id or nil
end

local function open_session(client, source, options, timeout)
  local filename = options.filename or options.file and options.file:match("[^/\\]*$") or "file"
  return outcome.fetch(client, "open_upload", {
    query = { file_name = filename, file_length = source.size, file_type = source.type }, body = "", timeout = timeout,
  }, session_of, 'the response has no upload session: expected a path in its field "id"')
end

local function read_offset(client, session, size, timeout)
  local call = { parameters = { id = session }, timeout = timeout }
  return outcome.fetch(client, "upload_state", call, function(offset)
    offset = values.number(offset)
    return offset and offset % 1 == 0 and offset >= 0 and offset <= size and offset or nil
  end, ("the response has no valid file_offset: expected 0 to %.0f"):format(size))
end

local function rest_of(source, offset)
  local body = source.body
  if type(body) == "string" then return body:sub(offset + 1) end
  local pieces = file_pieces.new(body.file, offset, source.size - offset)
  local rest = { size = source.size - offset }
  function rest.reader()
    rest.used = true -- the delivery must not retry, because `complete` retries
    return pieces:next()
  end
  return rest, pieces
end

local function close_pieces(pieces)
  if pieces then pieces:close() end
end

local function send_rest(client, session, source, offset, report, timeout)
  local body, pieces = rest_of(source, offset)
  local json, response = ensure(close_pieces, pieces, client.call, client, "send_upload", {
    parameters = { id = session }, headers = { file_offset = ("%.0f"):format(offset) }, body = body,
    media_type = "application/octet-stream", timeout = timeout,
    progress = report and function(sent) report(math.min(source.size, offset + sent), source.size) end,
  })
  if json == nil and pieces and pieces.error_message then
    return nil, errors.invalid("file", "file can't be read: " .. pieces.error_message)
  end
  return json, response
end

-- Sends the rest of the file, and retries after temporary failures. The third result is true if the gateway has
-- received all bytes, but its response with the handle was lost. The caller must then send the file again in a new
-- session, because the platform does not document a request that sends the remaining 0 bytes.
local function complete(client, session, source, report, offset, deadline)
  local resumes = 0
  while true do
    local json, response, err
    if not offset then
      offset, err = read_offset(client, session, source.size, deadline - core.clock())
      if offset == source.size then return nil, nil, true end
    end
    if offset then
      json, response = send_rest(client, session, source, offset, report, deadline - core.clock())
      if json ~= nil then return json, response end
      err = response
    end
    resumes, offset = resumes + 1, nil
    if not err.retryable or resumes > MOST_RESUMES or core.clock() >= deadline then
      if err.kind ~= "not_found" then err.upload = session end
      return nil, err
    end
  end
end

local function send_in_new_session(client, source, options, report, deadline)
  local session, err = open_session(client, source, options, deadline - core.clock())
  if not session then return nil, err end
  return complete(client, session, source, report, 0, deadline)
end

local function read_handle(handle)
  return type(handle) == "string" and handle ~= "" and handle or nil
end

local function send(client, source, options)
  local deadline = core.clock() + (options.timeout or client.timeout * download.PATIENCE)
  local report, finish = download.track_progress(options.progress)
  local json, response, is_whole
  if options.upload then
    local session = session_of(options.upload)
    if not session then
      return nil, errors.invalid("upload", "upload is not an upload session: expected `err.upload`, where err is the "
        .. "error that an earlier call of this function has returned")
    end
    json, response, is_whole = complete(client, session, source, report, nil, deadline)
  else
    json, response, is_whole = send_in_new_session(client, source, options, report, deadline)
  end
  if is_whole then json, response, is_whole = send_in_new_session(client, source, options, report, deadline) end
  if is_whole then
    return nil, errors.new {
      kind = "network", retryable = true,
      message = "the response to the upload was lost twice, so its result is unknown: upload the file again",
    }
  end
  if json ~= nil then finish(source.size) end
  return outcome.read(client.hosting.endpoints.send_upload, read_handle,
    'the response has no handle of the file: expected a text in its field "h"', nil, json, response)
end

function resumable.send(client, source, options)
  return ensure(upload.close, source, send, client, source, options)
end

return resumable
