-- Downloads in two steps, as on the Cloud gateway: first where a file is, then the file (cloud.md,
-- sections 3.3 and 3.4). The key goes to the gateway only: what is not at the one host that the gateway
-- stands for is never asked for.

local core = require "waba.core"
local digest = require "waba.resource.media.digest"
local download = require "waba.resource.media.download"
local errors = require "waba.errors"

local located = {}

-- A refusal of the gateway that counts towards its block.
local function is_refusal(err)
  return err.status ~= nil and err.status >= 400 and err.status < 500
end

-- Runs a step unless too many before it failed.
local function guarded(resource, step)
  local refusal = resource.error_block:refusal(core.clock())
  if refusal then return nil, refusal end
  local result, err = step()
  if not result and is_refusal(err) then resource.error_block:note(err, core.clock()) end
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
