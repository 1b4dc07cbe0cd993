-- Refuses valid requests and messages because of requested failures, rate limits, and the limits of 360dialog's
-- sandbox.

local json = require "waba.emulator.json"

local refusals = {}

---@class waba.emulator.Failures
---@field requests table[]  commands of emulator:fail_next
---@field statuses table[]  commands of emulator:fail_status
local Failures = {}
Failures.__index = Failures
Failures.__name = "waba.emulator.Failures"

--- Creates an empty list of failures. `row(code, details, title)` returns an error object in the platform's form.
function refusals.failures(chance, row)
  return setmetatable({ chance = chance, row = row, requests = {}, statuses = {} }, Failures)
end

function Failures:add(list, command)
  command.times = command.times or 1
  table.insert(self[list], command)
end

function Failures:clear() self.requests, self.statuses = {}, {} end

-- Returns the first command that applies, and counts its use. The field `share` is the probability that a command
-- applies.
local function take(self, list, applies)
  for i, command in ipairs(list) do
    if applies(command) and not (command.share and self.chance() >= command.share) then
      command.times = command.times - 1
      if command.times <= 0 then table.remove(list, i) end
      return command
    end
  end
end

--- Returns whether a path is equal to `wanted`. If `wanted` begins with ^, returns whether the path matches this Lua
--- pattern.
function refusals.path_matches(path, wanted)
  if wanted:sub(1, 1) == "^" then return path:find(wanted) ~= nil end
  return path == wanted
end

local function message_type(request)
  local body = request.body and request.body:sub(1, 1) == "{" and json.decode(request.body)
  return type(body) == "table" and (body.type or body.text and "text") or nil
end

--- Returns the command of fail_next that applies to a request, or nil. Counts the use of the command.
function Failures:take_request(request)
  return take(self, self.requests, function(command)
    return (not command.method or command.method:upper() == request.method)
      and (not command.path or refusals.path_matches(request.path, command.path))
      and (not command.type or command.type == message_type(request))
  end)
end

--- Returns the error objects of a command: its field `errors`, or one object that is created from its code.
function Failures:rows(command)
  return command.errors or command.code and { self.row(command.code, command.details, command.title) } or nil
end

--- Applies a command of fail_status to a message, and counts the use of the command. Returns nil or the failure: its
--- `errors`, the last status before the failure (`after`), and its `status`.
function Failures:take_status(wa_id, kind)
  local command = take(self, self.statuses, function(command)
    return (not command.to or command.to:gsub("%D", "") == wa_id) and (not command.type or command.type == kind)
  end)
  return command and { errors = self:rows(command), after = command.after, status = command.status } or nil
end

-- Rate limits -------------------------------------------------------------------------------------

-- Token buckets that use the emulator's clock.
local RateLimits = {}
RateLimits.__index = RateLimits
RateLimits.__name = "waba.emulator.RateLimits"

--- Creates the rate limits of a gateway from the option `rate_limits` and the rates that the platform documents.
function refusals.rate_limits(option, published, clock)
  local rates = {}
  for _, named in ipairs(option and { published, type(option) == "table" and option or {} } or {}) do
    for name, rate in pairs(named) do rates[name] = rate end
  end
  return setmetatable({ rates = rates, clock = clock, buckets = {} }, RateLimits)
end

--- Counts a request for the rate limit `name`. Returns false if the request exceeds the limit. Each value of `whose`
--- has its own bucket.
function RateLimits:take(name, whose)
  local rate, now, key = self.rates[name], self.clock:now(), name .. " " .. (whose or "")
  if not rate then return true end
  local burst = rate.burst or rate.rate
  local bucket = self.buckets[key] or { level = burst, at = now }
  self.buckets[key] = bucket
  bucket.level, bucket.at = math.min(burst, bucket.level + (now - bucket.at) * rate.rate), now
  if bucket.level < 1 - 1e-9 then return false end -- rounding errors can make the level slightly smaller than 1
  bucket.level = bucket.level - 1
  return true
end

-- The sandbox -------------------------------------------------------------------------------------

-- The largest number of messages of each type in the sandbox (cloud.md, section 1.5).
local MOST = { text = 200, template = 10 }

--- Creates the sandbox if the option `sandbox` is set. `number` is the only allowed recipient, by default the recipient
--- of the first message. `text` and `template` count the messages that were sent.
function refusals.sandbox(option)
  if not option then return nil end
  local number = type(option) == "string" and option:gsub("%D", "") or nil
  return { number = number, text = 0, template = 0 }
end

local function is_text_template(message)
  for _, component in ipairs(type(message.template.components) == "table" and message.template.components or {}) do
    local parameters = component.type == "header" and component.parameters
    if type(parameters) == "table" and parameters[1] and parameters[1].type ~= "text" then return false end
  end
  return true
end

--- Counts a message that the sandbox allows. For a refused message, returns the reason, and true if the reason is the
--- recipient. `sandbox` is nil if the gateway has no sandbox.
function refusals.sandbox_error(sandbox, wa_id, kind, message)
  if not sandbox then return nil end
  sandbox.number = sandbox.number or wa_id
  if wa_id ~= sandbox.number then
    return "The sandbox sends to the number that requested the key only", true
  elseif not MOST[kind] or kind == "template" and not is_text_template(message) then
    return "The sandbox sends texts and text templates only"
  elseif sandbox[kind] >= MOST[kind] then
    return ("The sandbox sends at most %d %s messages"):format(MOST[kind], kind)
  end
  sandbox[kind] = sandbox[kind] + 1
end

return refusals
