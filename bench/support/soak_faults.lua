-- The failures that the emulator simulates at random in a soak test, and the errors that the library may return for
-- them.

local faults = {}

local MESSAGES = { on_premise = "/v1/messages", cloud = "/messages" }

local HTML = "<html><head><title>Bad Gateway</title></head><body><h1>soak</h1></body></html>"
local HTML_HEADERS = { ["content-type"] = "text/html" }
local AT_ONCE, LATER = { ["retry-after"] = "0" }, { ["retry-after"] = "1" }

-- For each failure, `share` is the number of messages with this failure among 1000 messages; over HTTP/2 `together`
-- replaces `share`. Resets are rarer over HTTP/2, because a reset ends a connection that many messages share. With
-- `stall` the response is sent after the timeout.
local FAULTS = {
  { share = 3, together = 0.15, order = { drop = "before" } },
  { share = 3, together = 0.15, order = { drop = "after" } },
  { share = 0.5, stall = true, order = {} },
  { share = 0.5, stall = true, order = { status = 503 } },
  { share = 5, order = { status = 429, headers = AT_ONCE } },
  { share = 0.02, order = { status = 429, headers = LATER } },
  { share = 1, order = { status = 500 } },
  { share = 1, order = { status = 500, accept = true } },
  { share = 1, order = { status = 504, accept = true } },
  { share = 3, order = { status = 503, headers = AT_ONCE } },
  { share = 0.02, order = { status = 503, body = HTML, headers = HTML_HEADERS } },
  { share = 1, order = { status = 502, body = HTML, headers = HTML_HEADERS } },
  { share = 0.5, order = { status = 200, body = HTML, headers = HTML_HEADERS } },
  { share = 0.5, order = { status = 200, body = HTML, headers = HTML_HEADERS, accept = true } },
  { share = 2, late = true, order = {} },
}

-- Error codes of the platform, by hosting. Only after an error with code 1 the result of a message is uncertain.
local CODES = {
  on_premise = { { share = 2, order = { code = 1015, headers = AT_ONCE } }, { share = 1, order = { code = 1000 } } },
  cloud = {
    { share = 2, order = { code = 130429, headers = AT_ONCE } }, { share = 1, order = { code = 131000 } },
    { share = 0.5, order = { code = 1 } }, { share = 0.5, order = { code = 1, accept = true } },
  },
}

--- Makes a gateway of the emulator simulate the failures.
---@param settings { hosting: string, http2: boolean, timeout: number, intensity: number }
function faults.order(gateway, settings)
  for _, list in ipairs { FAULTS, CODES[settings.hosting] } do
    for _, fault in ipairs(list) do
      local order = {
        path = MESSAGES[settings.hosting], times = 1e9,
        share = (settings.http2 and fault.together or fault.share) / 1000 * settings.intensity,
      }
      for name, value in pairs(fault.order) do order[name] = value end
      -- Few responses have Retry-After, because this header pauses the whole key for a second.
      if order.headers == LATER then order.share = fault.share / 1000 end
      if fault.stall then order.delay = settings.timeout * 1.25 end
      if fault.late then order.delay = settings.timeout * 0.02 end
      assert(gateway:fail_next(order))
    end
  end
end

-- The errors that the library may return, by the platform's code or the HTTP status of the last response: their kinds,
-- and the value of `maybe_sent` (nil: any).
local BY_CODE = {
  [1015] = { kinds = { rate_limited = true }, maybe = false },
  [1000] = { kinds = { unavailable = true }, maybe = false },
  [130429] = { kinds = { rate_limited = true }, maybe = false },
  [131000] = { kinds = { unavailable = true }, maybe = false },
  [1] = { kinds = { api = true }, maybe = true },
}
local BY_STATUS = {
  none = { kinds = { rate_limited = true }, maybe = false }, -- the client sent no request during a pause of the key
  [200] = { kinds = { protocol = true }, maybe = true },
  [429] = { kinds = { rate_limited = true }, maybe = false },
  [500] = { kinds = { unavailable = true }, maybe = true },
  [502] = { kinds = { unavailable = true }, maybe = true },
  [504] = { kinds = { unavailable = true }, maybe = true },
}
-- Maps the first digit of a status to the value that `maybe_sent` must have if the connection breaks after this status
-- has arrived. nil: every value is right.
local BROKEN = { [2] = true, [4] = false }
-- The error after status 503. With On-Premise hosting the message was not processed; with Cloud hosting the result is
-- uncertain.
local OVERLOADED = {
  on_premise = { kinds = { rate_limited = true }, maybe = false },
  cloud = { kinds = { unavailable = true }, maybe = true },
}

--- Returns nil if one of the failures can cause the error, otherwise a text that describes the problem.
---@param hosting "on_premise"|"cloud"
---@return string|nil problem
function faults.judge(hosting, err)
  local allowed
  if err.kind == "network" or err.kind == "timeout" then
    -- The connection can break within a response. Then only the status of the response shows whether the message was
    -- refused; the incomplete body proves nothing.
    allowed = { kinds = { network = true, timeout = true }, maybe = BROKEN[math.floor((err.status or 0) / 100)] }
  elseif err.code then
    allowed = BY_CODE[err.code]
  elseif err.status == 503 then
    allowed = OVERLOADED[hosting]
  else
    allowed = BY_STATUS[err.status or "none"]
  end
  if not allowed or not allowed.kinds[err.kind] then return "an error that nothing has caused: " .. tostring(err) end
  if allowed.maybe ~= nil and allowed.maybe ~= err.maybe_sent then
    return ("maybe_sent is %s: %s"):format(tostring(err.maybe_sent), tostring(err))
  end
end

return faults
