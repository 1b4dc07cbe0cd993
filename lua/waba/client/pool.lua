-- `waba.clients`: the clients of many numbers. Each is made when its number is first needed; the least recently used ones
-- are closed.

local client_module = require "waba.client"
local client_options = require "waba.client.options"
local core = require "waba.core"
local errors = require "waba.errors"
local options = require "waba.options"
local recipient = require "waba.recipient"
local runtime = require "waba.runtime"

local WHAT = "waba.clients"

---@class waba.Clients
---@field count integer  clients that are open
---@field closed boolean
local Clients = {}
Clients.__index = Clients
Clients.__name = "waba.Clients"

--- The options of `waba.clients`. Those of `waba.client` apply to each client, unless `load` returns another value.
---@options waba.ClientsOptions : waba.ClientOptions
local OPTIONS = options.with(client_options.OPTIONS, {
  load = "fun(number: string, event: waba.Event|nil): waba.ClientOptions|nil", -- required: returns the options of a
                             -- number, with its api_key; nil for an unknown number. May wait. It is called again when the
                             -- gateway has refused the key with 401, because the key may have been changed; `event` then
                             -- has `hosting`, `number`, `phone_number_id` and `waba_id` only
  max = { "integer>=1", 1000 }, -- clients that are open at most, besides those in use
  verify = { "boolean", false }, -- asks the gateway before the first request of a client whether the key belongs to the
                             -- number; if not, requests return an error of kind "auth"
})

-- The options of the pool itself, and those that differ from number to number.
local OWN = { load = true, max = true, verify = true }
local EACH = { api_key = true, expect_number = true }

local function shown(number) return "the number " .. number end

-- Calls `load`. Returns nil and an error for an unknown number. Raises if `load` raises or returns nonsense.
local function load_options(self, number, event)
  local ok, found, reason = runtime.protect(self.load, number, event)
  if not ok then
    if errors.is_error(found) then error(found, 0) end
    error(("%s: option load raised an error for %s: %s"):format(WHAT, shown(number), tostring(found)), 0)
  elseif not found then
    if errors.is_error(reason) then return nil, reason end
    if reason then error(("%s: option load failed for %s: %s"):format(WHAT, shown(number), tostring(reason)), 0) end
    return nil, errors.invalid("number", ("%s is unknown: option load of %s returned nil for it"):format(shown(number),
      WHAT))
  elseif type(found) ~= "table" or type(found.api_key) ~= "string" then
    error(("%s: option load must return nil or a table of options with api_key, for %s"):format(WHAT, shown(number)), 0)
  end
  return found
end

-- A hash, which does not reveal the key.
local function identity_of(key) return core.hmac_sha256(key, WHAT) end

-- The error of a key that another open client has.
local function used_key(self, identity, number)
  local other = self.keys[identity]
  if other == nil or other == number then return nil end
  return errors.invalid("api_key", ("the API key of %s is also that of %s: an API key belongs to one number"):format(
    shown(number), shown(other)))
end

-- ---- A client of the pool. ---------------------------------------------------------------------------

local Member = {}
Member.__index = Member

-- The part of an event that `load` gets when the client is loaded again.
local function origin_of(event)
  return event and {
    hosting = event.hosting, number = event.number, phone_number_id = event.phone_number_id, waba_id = event.waba_id,
  }
end

-- Loads the options again after the key was refused. Returns true if there is another key; else nil and perhaps an error.
local function reload(self, refused)
  local pool, client = self.pool, self.client
  local found, err = load_options(pool, self.number, self.origin)
  if client.credentials ~= refused then return true end -- another call has done it meanwhile
  if not found then return nil, err end
  local identity = identity_of(found.api_key)
  if identity == self.identity then return nil end
  err = used_key(pool, identity, self.number)
  if err then return nil, err end
  client_module.set_key(client, found.api_key)
  pool.keys[self.identity], pool.keys[identity], self.identity = nil, self.number, identity
  client.number_verified, client.wrong_number = nil, nil
  return true
end

-- Whether the request can be sent again: a reader that was used can't start again.
local function can_repeat(request)
  local body = request.body
  return not (type(body) == "table" and body.used and not (body.rewind and body.rewind()))
end

local function perform(self, request, endpoint, timeout, call)
  local client, refused = self.client, request.head.credentials
  local response, json = client.delivery:call(request, endpoint, timeout, call)
  if response or json.status ~= 401 or endpoint.is_external then return response, json end
  local is_changed, failure = true, nil
  if client.credentials == refused then
    local ok
    ok, is_changed, failure = runtime.protect(reload, self, refused)
    if not ok then is_changed, failure = nil, is_changed end
  end
  if failure then json.message = ("%s; its key can't be loaded again: %s"):format(json.message, tostring(failure)) end
  if not is_changed or not can_repeat(request) then return nil, json end
  if client.expected_number and endpoint ~= client.hosting.endpoints.phone_number then
    local verified, err = runtime.require("waba.resource.phone_number").ensure(client)
    if not verified then return nil, err end
  end
  local head = request.head
  request.head = {
    method = head.method, url = head.url, headers = head.headers, idempotent = head.idempotent, owner = head.owner,
    credentials = client.credentials,
  }
  return client.delivery:call(request, endpoint, timeout, call)
end

local function finish(self) self.calls = self.calls - 1 end

--- Sends a request of the client, as `Delivery:call`. If the key is refused with 401 and `load` returns another one, sends
--- it once more.
function Member:call(request, endpoint, timeout, call)
  self.calls = self.calls + 1
  return runtime.ensure(finish, self, perform, self, request, endpoint, timeout, call)
end

-- ---- The pool. ---------------------------------------------------------------------------------------

local function remove(self, member)
  self.members[member.number], self.keys[member.identity], self.order[member.position] = nil, nil, nil
  self.count = self.count - 1
  member.client:close()
end

-- Closes the least recently used clients until another one may be opened. Those in use stay.
local function make_room(self)
  local position = self.first
  while self.count >= self.max and position <= self.last do
    local member = self.order[position]
    if member and member.calls == 0 and member.holds == 0 then remove(self, member) end
    position = position + 1
  end
end

-- Records that a client is used now.
local function touch(self, member)
  if member.position == self.last then return end
  if member.position then self.order[member.position] = nil end
  self.last = self.last + 1
  self.order[self.last], member.position = member, self.last
  while self.order[self.first] == nil do self.first = self.first + 1 end
end

local function make_client(self, number, found)
  local all = {}
  for name, value in pairs(self.common) do all[name] = value end
  for name, value in pairs(found) do all[name] = value end
  local ok, client = pcall(client_module.new, all)
  if ok then return client end
  error(("%s: the options of %s: %s"):format(WHAT, shown(number), tostring(client)), 0)
end

local function open(self, number, event)
  local found, err = load_options(self, number, event)
  if self.closed then error("attempt to use closed clients", 0) end
  if not found then return nil, err end
  local member = self.members[number]
  if member then return member end -- another call has made it meanwhile
  local identity = identity_of(found.api_key)
  err = used_key(self, identity, number)
  if err then return nil, err end
  make_room(self)
  local client = make_client(self, number, found)
  if self.verify then client.expected_number = number end
  member = setmetatable({
    pool = self, client = client, number = number, identity = identity, origin = origin_of(event), calls = 0, holds = 0,
  }, Member)
  function member.release() member.holds = member.holds - 1 end
  client.pooled = member
  self.members[number], self.keys[identity], self.count = member, number, self.count + 1
  return member
end

--- The client of a number; makes it if need be. Another call may close it when it has no request in flight, so ask for it
--- each time. Raises if `load` raises an error or returns nonsense.
---@param number string|integer  or a phone_number_id, if `load` knows the number by it
---@param event? waba.Event      for `load`
---@return waba.Client|nil
---@return waba.Error? err  kind "invalid": the number is unknown, or its key is that of another number
function Clients:get(number, event)
  if self.closed then error("attempt to use closed clients", 2) end
  local digits = recipient.business_number(number)
  if not digits then
    return nil, errors.invalid("number", "number must be a phone number or a phone_number_id")
  end
  local member, err = self.members[digits], nil
  if not member then member, err = open(self, digits, event) end
  if not member then return nil, err end
  touch(self, member)
  return member.client
end

--- Keeps a client open until the returned function is called.
---@param client waba.Client  of `get`
---@return fun() release
function Clients:hold(client)
  client.pooled.holds = client.pooled.holds + 1
  return client.pooled.release
end

--- Closes all clients. Can be called again without effect.
function Clients:close()
  if self.closed then return end
  self.closed = true
  for _, member in pairs(self.members) do member.client:close() end
  self.members, self.keys, self.order, self.count = {}, {}, {}, 0
end

Clients.__close = Clients.close

function Clients:__tostring()
  return ("waba.Clients: %d open%s"):format(self.count, self.closed and " (closed)" or "")
end

local pool = {}

--- Makes the clients of many numbers, each when its number is first needed. Can be the option `client` of `waba.receiver`.
---@param given waba.ClientsOptions
---@return waba.Clients
function pool.new(given)
  local complete = options.check(given, OPTIONS, WHAT)
  if not complete.load then error(WHAT .. ": option load is required", 2) end
  local common = {}
  for name, value in pairs(complete) do
    if EACH[name] then error(("%s: option %s belongs to one number: load returns it"):format(WHAT, name), 2) end
    if not OWN[name] then common[name] = value end
  end
  local transport = type(common.transport) == "table" and common.transport
    or common.loop and { loop = runtime.loop(common.loop) } or nil
  return setmetatable({
    load = complete.load, max = complete.max or OPTIONS.max[2], verify = complete.verify, common = common,
    transport = transport, -- where a receiver waits
    members = {}, keys = {}, order = {}, first = 1, last = 0, count = 0, closed = false,
  }, Clients)
end

return pool
