-- Downloads a file in the two steps of the Cloud gateway: first the URL of the file, then the file (cloud.md, sections
-- 3.3 and 3.4). Refuses a URL of a host other than the platform's file server, because the request contains the API
-- key.

local core = require "waba.core"
local digest = require "waba.resource.media.digest"
local download = require "waba.resource.media.download"
local errors = require "waba.errors"
local outcome = require "waba.resource.outcome"

local by_url = {}

-- The gateway blocks the media of an API key for half an hour after 20 failed requests for files within an hour
-- (cloud.md, section 7.4). The client stops after 15 failed requests, because other programs may use the same key.
local MOST, WINDOW = 15, 3600

-- Creates a record of failed requests. All times in the record are values of `core.clock`.
function by_url.new_block()
  return {
    times = {}, -- of the latest failed requests
    blocked_until = -math.huge, -- the end of the gateway's block of the key
  }
end

local function record(block, err)
  local now = core.clock()
  table.insert(block.times, now)
  if #block.times > MOST then table.remove(block.times, 1) end
  if err.kind == "rate_limited" and err.retry_after then
    block.blocked_until = math.max(block.blocked_until, now + err.retry_after)
  end
end

local function refusal(left, message)
  return errors.new {
    kind = "rate_limited", scope = "endpoint", retryable = true, retry_after = left, message = message,
  }
end

-- Returns an error if the gateway blocks the key, or would block it after another failed request.
local function check_block(block)
  local now = core.clock()
  local blocked = block.blocked_until - now
  if blocked > 0 then
    return refusal(blocked, ("the gateway serves no files to this key for another %.0f s"):format(math.ceil(blocked)))
  end
  local left = #block.times == MOST and block.times[1] + WINDOW - now or 0
  if left <= 0 then return nil end
  return refusal(left, ("%d requests for files failed within an hour; the gateway blocks the key's media at 20, so no "
    .. "request is sent for %.0f s: check the ids, which expire after 7 or 30 days"):format(MOST, math.ceil(left)))
end

-- Runs a step of a download, unless the gateway blocks the key. A status from 400 to 499 counts as a failed request.
local function guarded(resource, step)
  local blocked = check_block(resource.error_block)
  if blocked then return nil, blocked end
  local result, err = step()
  if not result and err.status and err.status >= 400 and err.status < 500 then record(resource.error_block, err) end
  return result, err
end

function by_url.info(resource, id, timeout)
  return guarded(resource, function()
    return outcome.fetch(resource.client, "get_media", { parameters = { id = id }, timeout = timeout }, function(json)
      local info = resource.rules.read_info(json, id)
      -- an invalid digest of the platform becomes nil
      if info and info.sha256 then info.sha256 = digest.read(info.sha256) end
      return info
    end, 'the response has no file: expected an object with "url"')
  end)
end

-- Downloads a file from `url` or, if `url` is nil, in both steps. The third result is true if the URL of the file was
-- known and valid, so that an error can mean that the URL has expired.
local function attempt(resource, id, url, options, destination, deadline)
  local info, err = { url = url }
  if not url then
    info, err = by_url.info(resource, id, deadline - core.clock())
    if not info then return nil, err, false end
  end
  local target = resource.rules.target_of(info.url)
  if not target then
    -- the error does not contain the URL, because the URL gives access to the file
    return nil, errors.new {
      kind = "protocol", path = "url",
      message = ("the file's url is missing, or does not begin with https://%s/: the API key is sent to no other host")
        :format(resource.rules.HOST),
    }, false
  end
  local result, failure = guarded(resource, function()
    return download.fetch(resource.client, "download_media", {
      parameters = { path = target }, timeout = math.max(0.001, deadline - core.clock()),
      max_size = resource.rules.largest_download,
    }, options, destination, options.sha256 == nil and info.sha256 or nil)
  end)
  if result then result.type = result.type or info.type end
  return result, failure, true
end

function by_url.fetch(resource, id, options, destination)
  local deadline = core.clock() + (options.timeout or resource.client.timeout * download.PATIENCE)
  local url, expiry = options.url, options.url and resource.rules.expiry_of(options.url)
  if expiry and os.time() >= expiry then url = nil end
  local result, err, was_known = attempt(resource, id, url, options, destination, deadline)
  local has_expired = was_known and not result and (err.kind == "not_found" or err.status == 410)
  -- a URL may expire before its use, so both steps are performed once more
  if has_expired then result, err = attempt(resource, id, nil, options, destination, deadline) end
  return result, err
end

return by_url
