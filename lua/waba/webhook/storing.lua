-- Checks the request of a webhook, stores its events in the inbox, and returns the response.

local events = require "waba.hosting.events"

---@class waba.Receiver
local Receiver = {}

local RETRY_AFTER = "10"

--- An HTTP request that an adapter has read.
---@class waba.WebhookRequest
---@field method string
---@field path? string  the percent-encoded path
---@field query? string  without "?"
---@field headers? table<string, string>
---@field body? string  may be nil when the function of the option `number` is called
---@field place? table  set by `receiver:refuse`
---@field authentic? table  set by `receiver:refuse`: the table of the headers, if they have valid credentials

local function response(status, headers, reason)
  return status, headers or {}, "", reason
end

local function unauthorized(reason)
  return response(401, { ["www-authenticate"] = 'Basic realm="webhook"' }, reason)
end

local function no_place(status, reason)
  return response(status, status == 503 and { ["retry-after"] = RETRY_AFTER } or nil, reason)
end

local function refuse_head(self, method, length)
  if method ~= "POST" then return response(405, { allow = "POST" }, "its method is " .. tostring(method)) end
  if length and length > self.max_body then
    return response(413, nil, ("its body of %.0f bytes is longer than max_body, %d"):format(length, self.max_body))
  end
end

-- Returns whether a Cloud event belongs to another business number than its webhook. An account event without a
-- phone_number_id is never foreign, because it may concern all numbers of the account.
local function is_foreign(place, event)
  local id, number = event.phone_number_id, event.number
  if not id and event.kind == "account" and not event.system then return false end
  return (id or number) ~= nil and id ~= place.number and number ~= place.number
end

-- Sets the business number of On-Premise events to the number of the place. If the place has its own credentials,
-- returns the first Cloud event of another business number.
local function assign_number(place, list)
  for _, event in ipairs(list) do
    if event.hosting == "on_premise" then
      event.number = place.number
      if event.kind == "message" and event.from == place.number then -- the business itself has written the message
        event.kind, event.to = "echo", type(event.raw.to) == "string" and event.raw.to:gsub("^%+", "") or nil
        event.contact = { wa_id = event.to }
      end
    elseif place.is_own and is_foreign(place, event) then
      return event
    end
  end
end

--- Checks the head of a request, so that an adapter need not read the body of a refused request.
---@param method string
---@param length integer|nil  the length of the body in bytes, if it is known
---@param headers? table<string, string>  the headers with the credentials; nil: the credentials are not checked
---@param request? waba.WebhookRequest  the request with its path; must be passed to `handle` afterwards
---@return integer|nil status  404, 503, 405, 413 or 401: the request is refused; nil: the body can be read
---@return table<string, string>? headers
---@return string? body
---@return string? reason  the reason for the log
function Receiver:refuse(method, length, headers, request)
  request = request or { method = method, headers = headers }
  local place, status, reason = self.find_place(request)
  request.place, request.authentic = place, nil
  if not place then return no_place(status, reason) end
  local refused, more, body, why = refuse_head(self, method, length)
  if refused or not headers then return refused, more, body, why end
  local is_authentic
  is_authentic, reason = place.is_authentic(headers)
  if is_authentic == false then return unauthorized(reason) end
  request.authentic = is_authentic and headers or nil
end

--- Returns whether the headers have valid credentials. Returns false if no credentials are required, or if the
--- credentials are a signature of the body.
---@param headers table<string, string>
---@param request? waba.WebhookRequest  the request that was passed to `refuse`
---@return boolean
function Receiver:knows(headers, request)
  local place = request and request.place or self.find_place {}
  return place ~= nil and not place.is_open and place.is_authentic(headers) == true
end

--- Handles one webhook. If the status is 200, the events are in the inbox; `receiver:work` runs their handlers.
---
--- Other statuses: 404 for a path that belongs to no number (option `number`), 405 for a method other than POST, 413
--- for a body above `max_body`, 401 without valid credentials, 400 for a body that is not a JSON object, and 503 if the
--- inbox can't store the events or the number can't be determined. After a status other than 200 the gateway delivers
--- the webhook again.
---@param request waba.WebhookRequest
---@param put? fun(events: waba.Event[], sources: table<integer, string>?): integer|nil, waba.Error?  stores the events;
---        default: the method `put` of the inbox
---@return integer status
---@return table<string, string> headers  the headers by lower-case name
---@return string body
---@return string? reason  the reason of a status other than 200, for the log
function Receiver:handle(request, put)
  if type(request) ~= "table" then error("receiver:handle: the request must be a table, not a " .. type(request), 2) end
  local body = request.body or ""
  if type(body) ~= "string" then error("receiver:handle: the body must be a string, not a " .. type(body), 2) end
  local place, status, why = request.place, nil, nil
  local is_authentic, reason = request.authentic ~= nil and request.authentic == request.headers, nil
  request.place, request.authentic = nil, nil -- the adapter may pass the table `request` again for another request
  if not place then place, status, why = self.find_place(request) end
  if not place then return no_place(status, why) end
  local refused, headers, _, cause = refuse_head(self, request.method, #body)
  if refused then return response(refused, headers, cause) end
  if not is_authentic then is_authentic, reason = place.is_authentic(request.headers or {}, body) end
  if not is_authentic then return unauthorized(reason) end
  local sources = self.inbox.durable and {} or nil -- only durable inboxes store the JSON text of an event
  local list, err = events.read(body, sources)
  if not list then return response(400, nil, tostring(err)) end
  local foreign = place.number and assign_number(place, list)
  if foreign then
    return unauthorized(("its credentials are those of the number %s, and an event is of %s"):format(place.number,
      foreign.number))
  end
  if #list > 0 then
    local stored
    if put then stored, err = put(list, sources) else stored, err = self.inbox:put(list, sources) end
    if not stored then
      local reason_of_inbox = tostring(err or "the inbox returned no error")
      return response(503, { ["retry-after"] = RETRY_AFTER }, "the inbox cannot store it: " .. reason_of_inbox)
    end
    for index = 1, self.watchers and #self.watchers or 0 do
      for _, event in ipairs(list) do self.watchers[index](event) end
    end
  end
  return response(200)
end

return Receiver
