-- Downloads in two steps, as on the Cloud gateway: first where a file is, then the file (cloud.md,
-- sections 3.3 and 3.4). The key goes to the gateway only: what is not at the one host that the gateway
-- stands for is never asked for.

local core = require "waba.core"
local digest = require "waba.resource.media.digest"
local download = require "waba.resource.media.download"
local errors = require "waba.errors"

local located = {}

-- The gateway blocks the media of a key for half an hour after 20 failed requests for files within an hour (cloud.md,
-- section 7.4). Other programs may use the same key, so this client stops after 15.
local MOST, WINDOW = 15, 3600

--- The times of the last failed requests, in a ring, and the end of a block by the gateway, by `core.clock`.
---@class waba.ErrorBlock
---@field times number[]
---@field next integer
---@field blocked_until number

---@return waba.ErrorBlock
function located.new_block()
  return { times = {}, next = 1, blocked_until = -math.huge }
end

local function record(block, err)
  local now = core.clock()
  block.times[block.next] = now
  block.next = block.next % MOST + 1
  -- it blocks already, perhaps because of other programs
  if err.kind == "rate_limited" and err.retry_after then
    block.blocked_until = math.max(block.blocked_until, now + err.retry_after)
  end
end

local function refusal(left, message)
  return errors.new {
    kind = "rate_limited", scope = "endpoint", retryable = true, retry_after = left, message = message,
  }
end

-- The error instead of a request that would lead to a block, or fall into one.
local function check_block(block)
  local now = core.clock()
  local blocked = block.blocked_until - now
  if blocked > 0 then
    return refusal(blocked, ("the gateway serves no files to this key for another %.0f s"):format(math.ceil(blocked)))
  end
  local oldest = block.times[block.next]
  local left = oldest and oldest + WINDOW - now or 0
  if left <= 0 then return nil end
  return refusal(left, ("%d requests for files failed within an hour; the gateway blocks the key's media at 20, so no "
    .. "request is sent for %.0f s: check the ids, which expire after 7 or 30 days"):format(MOST, math.ceil(left)))
end

-- An error of the gateway that counts towards its block.
local function is_refusal(err)
  return err.status ~= nil and err.status >= 400 and err.status < 500
end

-- Runs a step unless too many steps before it failed.
local function guarded(resource, step)
  local blocked = check_block(resource.error_block)
  if blocked then return nil, blocked end
  local result, err = step()
  if not result and is_refusal(err) then record(resource.error_block, err) end
  return result, err
end

--- What the platform knows of a file: GET /{media-id}.
---@param resource waba.MediaResource
---@param id string
---@param timeout? number
---@return waba.MediaInfo|nil
---@return waba.Error? err
function located.info(resource, id, timeout)
  local client = resource.client
  return guarded(resource, function()
    local json, response = client:call("get_media", {
      parameters = { id = id }, timeout = timeout,
    })
    if json == nil then return nil, response end
    local info = resource.rules.read_info(json, id)
    if not info then
      return nil, errors.new { kind = "protocol", status = response.status, message = "the response describes no file" }
    end
    local sum = info.sha256 and digest.read(info.sha256)
    info.sha256 = sum -- what is no sum can't be compared
    return info
  end)
end

-- Path and query of a URL, or why the key does not go there. The URL itself stays out of the message: it
-- opens the file to whoever has it.
local function target_of(resource, url)
  local target = resource.rules.target_of(url)
  if target then return target end
  return nil, errors.new {
    kind = "protocol", path = "url",
    message = ("the file's url is missing, or not of the form https://%s/…: the API key goes to no other host"):format(
      resource.rules.HOST),
  }
end

-- The second step.
local function fetch(resource, target, expected, given, way, timeout)
  local client = resource.client
  return guarded(resource, function()
    return download.fetch(client, "download_media", {
      parameters = { path = target }, timeout = timeout, max_size = resource.rules.largest_download,
    }, given, way, expected)
  end)
end

-- Whether the URL of a file has had its time. The gateway says 404 or 410 then.
local function is_gone(err)
  return err.kind == "not_found" or err.status == 410
end

-- Both steps. The third result tells whether the first one was made.
local function find_and_fetch(resource, id, given, way, deadline)
  local info, err = located.info(resource, id, deadline - core.clock())
  if not info then return nil, err, false end
  local target
  target, err = target_of(resource, info.url)
  if not target then return nil, err, false end
  local expected = given.sha256 == nil and info.sha256 or nil
  local result
  result, err = fetch(resource, target, expected, given, way, math.max(0.001, deadline - core.clock()))
  if result then result.type = result.type or info.type end
  return result, err, true
end

-- A URL from a webhook is tried first while it lives; the time of its end stands in it.
local function is_alive(resource, url)
  local expiry = resource.rules.expiry_of(url)
  return not expiry or os.time() < expiry
end

--- Downloads a file.
---@param resource waba.MediaResource
---@param id string
---@param given waba.DownloadOptions
---@param way "file"|"sink"|"memory"
---@return waba.Download|nil
---@return waba.Error? err
function located.fetch(resource, id, given, way)
  local client = resource.client
  local deadline = core.clock() + (given.timeout or client.timeout * download.PATIENCE)
  local is_last = false
  if given.url then
    local target, err = target_of(resource, given.url)
    if not target then return nil, err end
    if is_alive(resource, given.url) then
      local result
      result, err = fetch(resource, target, nil, given, way, deadline - core.clock())
      if result or not is_gone(err) then return result, err end
      is_last = true
    end
  end
  local result, err, was_found = find_and_fetch(resource, id, given, way, deadline)
  -- a place that was just told and is gone already: asked once more, then not again
  if result or is_last or not was_found or not is_gone(err) then return result, err end
  result, err = find_and_fetch(resource, id, given, way, deadline)
  return result, err
end

return located
