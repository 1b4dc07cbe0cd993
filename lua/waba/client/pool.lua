-- `waba.clients`: a pool of clients for many phone numbers. Makes a client when its phone number is first needed, and
-- closes the least recently used clients.

local client_module = require "waba.client"
local client_options = require "waba.client.options"
local copy = require("waba.message.parts").copy
local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local option = require "waba.option"
local recipient = require "waba.recipient"
local runtime = require "waba.runtime"
local waiters = require "waba.transport.waiter"

local WHAT = "waba.clients"
local CLOSED = "attempt to use closed clients: make other ones with waba.clients"

---@class waba.Clients
---@field count integer  the number of open clients
---@field closed boolean  true: `close` was called
local Clients = {}
Clients.__index = Clients
Clients.__name = "waba.Clients"

--- The options of `waba.clients`. Options of `waba.client` apply to all clients; `load` can override them for a client.
---@options waba.ClientsOptions : waba.ClientOptions
local OPTIONS = option.with(client_options.OPTIONS, {
  load = "fun(number: string, event: waba.Event|nil): waba.ClientOptions|nil", -- required: returns the options of a
                             -- number, including its api_key; nil for an unknown number. May wait; coroutines that
                             -- need the number meanwhile get the result of this call. If the gateway refuses the key
                             -- with 401, `load` is called again, because the key may have changed. In the second call,
                             -- `event` has only `hosting`, `number`, `phone_number_id` and `waba_id`
  max = { "integer>=1", 1000 }, -- before a client is made, the least recently used clients are closed until fewer than
                             -- this number are open; clients in use stay open
  verify = { "boolean", false }, -- true: before its first request, each client checks that its key belongs to the
                             -- number. If the key belongs to another number, all calls return an error of kind "auth"
})

-- `waba.clients` does not have these options of `waba.client`: `load` returns the `api_key` of each client, and
-- `verify` replaces `expect_number`.
OPTIONS.api_key, OPTIONS.expect_number = nil, nil

-- A coroutine waits at most this number of seconds for another coroutine's call of `load`, because the event loop may
-- have ended the other coroutine.
local STALE = 5

-- Calls `load` by `coroutines.protect`, and returns the results. Other coroutines that need the same number wait for
-- the results of this call.
local function call_load(self, number, event)
  local current = self.loading[number]
  local waiter = current and waiters.parked(self.transport and self.transport.loop)
  if waiter then
    local deadline = core.clock() + STALE
    current.waiters[#current.waiters + 1] = waiter
    while not current.has_ended and core.clock() < deadline do waiter:wait(deadline - core.clock()) end
    if current.has_ended then return current.ok, current.found, current.reason end
  end
  current = { waiters = {} }
  self.loading[number] = current
  current.ok, current.found, current.reason = coroutines.protect(self.load, number, event)
  current.has_ended = true
  if self.loading[number] == current then self.loading[number] = nil end
  for _, waiting in ipairs(current.waiters) do waiting:wake() end
  return current.ok, current.found, current.reason
end

-- Returns nil and an error for an unknown number. Raises an error if `load` fails or returns an invalid value.
local function load_options(self, number, event)
  local ok, found, reason = call_load(self, number, event)
  if not ok or not found and reason then
    local raised = not ok and found or reason
    if errors.is_error(raised) then error(raised, 0) end
    error(("%s: option load failed for the number %s: %s"):format(WHAT, number, tostring(raised)), 0)
  elseif not found then
    return nil, errors.invalid("number", ("the number %s is unknown: option load of %s returned nil for it"):format(
      number, WHAT))
  elseif type(found) ~= "table" or type(found.api_key) ~= "string" then
    error(("%s: option load must return nil or options with api_key for the number %s"):format(WHAT, number), 0)
  end
  return found
end

-- Returns a hash of an API key; nil and an error if the client of another number has this key.
local function identify(self, key, number)
  local identity = core.hmac_sha256(key, WHAT)
  local other = self.keys[identity] or number
  if other == number then return identity end
  return nil, errors.invalid("api_key", ("the API key of the number %s is also that of the number %s: a key belongs "
    .. "to one number"):format(number, other))
end

-- A client of the pool ----------------------------------------------------------------------------

local Member = {}
Member.__index = Member

-- Loads the options again, because the gateway has refused the credentials `refused`. Returns whether the client has
-- another API key now, or nil and an error.
local function reload(self, refused)
  local pool, client = self.pool, self.client
  local found, err = load_options(pool, self.number, self.origin)
  if client.credentials ~= refused then return true end -- another call has loaded the options meanwhile
  if not found then return nil, err end
  local identity
  identity, err = identify(pool, found.api_key, self.number)
  if not identity or identity == self.identity then return nil, err end
  client_module.set_key(client, found.api_key)
  pool.keys[self.identity], pool.keys[identity], self.identity = nil, self.number, identity
  client.number_verified, client.wrong_number = nil, nil
  return true
end

local function perform(self, request, endpoint, call)
  local client = self.client
  local refused, timeout = client.credentials, call.timeout
  local json, response = request(client, endpoint, call, true)
  if json ~= nil or response.status ~= 401 or endpoint.is_external then return json, response end
  local ok, is_changed, err = true, true, nil
  if client.credentials == refused then ok, is_changed, err = coroutines.protect(reload, self, refused) end
  err = not ok and is_changed or err
  if err then
    response.message = ("%s; the API key of the number %s can't be loaded again: %s"):format(response.message,
      self.number, tostring(err))
  end
  local body = call.body -- a reader without `rewind` can return the body only once
  local is_used = type(body) == "table" and body.used and not (body.rewind and body.rewind())
  if err or not is_changed or is_used then return nil, response end
  call.timeout = timeout -- lua/waba/delivery has changed this field
  return request(client, endpoint, call, true)
end

local function finish(self) self.calls = self.calls - 1 end

-- Calls an endpoint by the function `request`. If the gateway refuses the API key with 401 and `load` returns another
-- key, calls the endpoint once more.
function Member:call(request, endpoint, call)
  self.calls = self.calls + 1
  return coroutines.ensure(finish, self, perform, self, request, endpoint, call)
end

-- The pool ----------------------------------------------------------------------------------------

-- Closes the least recently used of the clients that are not in use, until the pool may open another client.
local function close_least_used(self)
  for position = self.first, self.last do
    if self.count < self.max then return end
    local member = self.order[position]
    if member and member.calls == 0 and member.holds == 0 then
      self.members[member.number], self.keys[member.identity], self.order[position] = nil, nil, nil
      self.count = self.count - 1
      member.client:close()
    end
  end
end

-- Marks a client as the most recently used one.
local function touch(self, member)
  if member.position == self.last then return end
  if member.position then self.order[member.position] = nil end
  self.last = self.last + 1
  self.order[self.last], member.position = member, self.last
  while self.order[self.first] == nil do self.first = self.first + 1 end
end

local function make_client(self, number, found)
  local all = copy(self.common)
  for name, value in pairs(found) do all[name] = value end
  local ok, client = pcall(client_module.new, all)
  if not ok then error(("%s: the options of the number %s: %s"):format(WHAT, number, tostring(client)), 0) end
  if self.verify then client.expected_number = number end
  return client
end

local function open(self, number, event)
  local found, err = load_options(self, number, event)
  if self.closed then error(CLOSED, 0) end
  if not found then return nil, err end
  if self.members[number] then return self.members[number] end -- another call has made the client meanwhile
  local identity
  identity, err = identify(self, found.api_key, number)
  if not identity then return nil, err end
  close_least_used(self)
  local member = setmetatable({
    pool = self, client = make_client(self, number, found), number = number, identity = identity, calls = 0, holds = 0,
    origin = event and {
      hosting = event.hosting, number = event.number, phone_number_id = event.phone_number_id, waba_id = event.waba_id,
    },
  }, Member)
  function member.release() member.holds = member.holds - 1 end
  member.client.pooled = member
  self.members[number], self.keys[identity], self.count = member, number, self.count + 1
  return member
end

--- Returns the client of a phone number, and makes it if it does not exist. Call this function before each use of a
--- client, because the pool may close a client that has no request in flight. Raises an error if `load` raises an error
--- or returns an invalid value.
---@param number string|integer  the digits, or a phone_number_id if `load` accepts one
---@param event? waba.Event      the second argument of `load`
---@return waba.Client|nil
---@return waba.Error? err  kind "invalid": the number is unknown, or its key belongs to another number
function Clients:get(number, event)
  if self.closed then error(CLOSED, 2) end
  local digits = recipient.business_number(number)
  if not digits then
    return nil, errors.invalid("number", ("number %s is neither a phone number nor a phone_number_id"):format(
      tostring(number)))
  end
  local member, err = self.members[digits], nil
  if not member then member, err = open(self, digits, event) end
  if not member then return nil, err end
  touch(self, member)
  return member.client
end

--- Keeps a client open until the returned function is called.
---@param client waba.Client  a client that `get` has returned
---@return fun() release
function Clients:hold(client)
  client.pooled.holds = client.pooled.holds + 1
  return client.pooled.release
end

--- Closes all clients. A second call of `close` has no effect.
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

--- Makes an object with the clients of many phone numbers, for example for the option `client` of `waba.receiver`. A
--- client is made when its phone number is first needed.
---@param options waba.ClientsOptions
---@return waba.Clients
function pool.new(options)
  options = option.check(options, OPTIONS, WHAT)
  if not options.load then error(WHAT .. ": option load is required", 2) end
  local self = {
    load = options.load, max = options.max or OPTIONS.max[2], verify = options.verify, common = {},
    members = {}, keys = {}, loading = {}, order = {}, first = 1, last = 0, count = 0, closed = false,
  }
  for name, value in pairs(options) do
    if self[name] == nil then self.common[name] = value end
  end
  -- a receiver waits with the event loop of this transport
  self.transport = type(options.transport) == "table" and options.transport
    or options.loop and { loop = runtime.loop(options.loop) } or nil
  return setmetatable(self, Clients)
end

return pool
