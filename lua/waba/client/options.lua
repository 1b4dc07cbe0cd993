-- Declares and checks the options of `waba.client`, and reads their defaults from environment variables.

local core = require "waba.core"
local hostings = require "waba.hosting"
local option = require "waba.option"

local client_options = {}

--- The options of `waba.client`.
---@options waba.ClientOptions
client_options.OPTIONS = {
  api_key = "string",                 -- the D360-API-KEY of the phone number; default: the environment variable
                                      -- D360_API_KEY
  hosting = '"on_premise"|"cloud"',   -- the gateway; default: the environment variable WABA_HOSTING, else "on_premise"
  sandbox = { "boolean", false },     -- true: the gateway is 360dialog's sandbox
  base_url = "string",                -- the URL of another gateway, such as the emulator; overrides the URL of hosting
                                      -- and sandbox. Default: the environment variable WABA_CLOUD_BASE_URL (hosting
                                      -- "cloud" only), else WABA_BASE_URL, else the URL of the hosting
  timeout = { "number", 30 },         -- seconds for a call, including all waits and retries
  connect_timeout = { "number", 10 }, -- seconds to establish a connection
  ca_file = "string",                 -- PEM file of the certificate authorities to trust instead of the system's;
                                      -- default: the environment variable WABA_CA_FILE
  proxy = "string",                   -- URL, such as http://user:password@host:3128; "": no proxy; default: the
                                      -- environment variables https_proxy and all_proxy
  namespace = "string",               -- the default namespace of templates
  transport = "string|waba.Transport", -- "curl", "ngx", or a table with a method `send`; default: "ngx" inside nginx,
                                      -- else "curl"
  loop = "string",                    -- the event loop of the curl transport: "blocking", "native", "cqueues", "luv" or
                                      -- "copas"; default: detected; "luv" is never detected
  expect_number = "string|integer",   -- the phone number of the key. Before its first request, the client requests the
                                      -- key's phone number from the gateway. All calls return an error of kind "auth"
                                      -- if the two phone numbers differ
  retry = "waba.RetryOptions|false",  -- when a failed request is sent again; false: no request is sent again
  pace = "waba.PaceOptions|false",    -- the rate limits; default: the published rates of the hosting; false: none
  ordered = { "boolean|waba.OrderedOptions", false }, -- delays a message until the previous message to the recipient
                                      -- was accepted, or delivered
  validate = { 'boolean|"documented"', true }, -- true: checks messages before they are sent; "documented": checks only
                                      -- the rules that the platform documents
  max_connections = "integer",        -- the largest number of connections to one host, for the curl transport; 1
                                      -- to 1000; default: 16
  on_event = "fun(event: waba.CallEvent)", -- called for each call, for logs, traces and metrics; events contain no
                                           -- secret
}

--- How often a failed request is sent again, and how long the pauses between the attempts are.
---@options waba.RetryOptions
local RETRY = {
  attempts = { "integer>=1", 4 },     -- attempts of one request, including the first one
  base = { "number>=0", 0.5 },        -- seconds: the longest pause before the second attempt; each pause has a
                                      -- random length
  max = { "number>=0", 30 },          -- seconds: the longest pause, unless the gateway demands a longer pause
  ambiguous = { "boolean", false },   -- true: also repeats a request that the gateway may have accepted
}

-- All clients without the option `retry` share this table.
local DEFAULT_RETRY = option.complete({}, RETRY, "waba.client: retry")

--- The rate limits of one API key; false: no limit. Clients of one process that have the same key and the same rates
--- share the limits. If several processes use one key, such as the workers of nginx, set the option `store`, or divide
--- the rates among the processes.
---@options waba.PaceOptions
local PACE = {
  messages = "waba.Rate|false",       -- requests that send a message
  other = "waba.Rate|false",          -- all other requests
  media = "waba.Rate|false",          -- uploads, on Cloud hosting
  pair = "waba.Rate|false",           -- messages to one recipient
  store = "waba.PaceStore",           -- the result of waba.pace.shared_dict or waba.pace.redis: all processes with this
                                      -- store share the limits of a key
}

--- A rate limit.
---@options waba.Rate
local RATE = {
  rate = "number>0",                  -- required: requests per second
  burst = "integer>=1",               -- required: the number of requests that may be sent at once after a pause
}

--- The options for keeping messages to one recipient in order.
---@options waba.OrderedOptions
local ORDERED = {
  receiver = "waba.Receiver",         -- a receiver that handles statuses in this process. The next message waits until
                                      -- a status reports that the previous message was delivered, was read or failed
  tracker = "waba.StatusTracker",     -- instead of `receiver`: a tracker to which the program applies the statuses
  timeout = "number>0",               -- seconds after which the next message is sent without a status of the previous
                                      -- message; default: 10
}

local function check_pace(pace)
  option.check(pace, PACE, "waba.client: pace", 4)
  local store = pace.store
  if store and type(store.limiters) ~= "function" then
    error("waba.client: pace: option store must be a value from waba.pace.shared_dict or waba.pace.redis", 4)
  end
  for class, rate in pairs(pace) do
    if rate and class ~= "store" then
      option.check(rate, RATE, "waba.client: pace." .. class, 4)
      local missing = not rate.rate and "rate" or not rate.burst and "burst"
      if missing then error(("waba.client: pace.%s: option %s is required"):format(class, missing), 4) end
    end
  end
end

--- Checks the option `ordered`. `level` is as in `error`; `what` is the name in error texts, such as "waba.client".
function client_options.check_ordered(ordered, what, level)
  if ordered == true then return end
  what = what .. ": ordered"
  option.check(ordered, ORDERED, what, level)
  for name, maker in pairs { receiver = "waba.receiver", tracker = "waba.status_tracker" } do
    if ordered[name] and type(ordered[name].watch) ~= "function" then
      error(("%s: option %s must be a value from %s"):format(what, name, maker), level)
    end
  end
  if ordered.timeout and not (ordered.receiver or ordered.tracker) then
    error(what .. ": option timeout requires option receiver or tracker", level)
  end
end

-- Environment variables ---------------------------------------------------------------------------

-- An empty variable counts as unset.
local function variable(name)
  local value = os.getenv(name)
  if value ~= "" then return value end
end

local function url_of(name)
  local url = variable(name)
  local origin, message = core.origin(url or "https://none.example")
  if not origin then error(("waba.client: the environment variable %s: %s"):format(name, message), 5) end
  return url
end

-- WABA_BASE_URL is the URL of the hosting that WABA_HOSTING selects. A client of the other hosting needs
-- WABA_CLOUD_BASE_URL or the option base_url.
local function base_url_for(hosting, named)
  local cloud = hosting == "cloud" and url_of "WABA_CLOUD_BASE_URL"
  if cloud then return cloud end
  local url = url_of "WABA_BASE_URL"
  if url and named and named ~= hosting then
    error(('waba.client: option hosting is "%s", but WABA_BASE_URL is the URL for WABA_HOSTING=%s: set option '
      .. "base_url too, or set WABA_HOSTING=%s and its WABA_BASE_URL"):format(hosting, named, hosting), 4)
  end
  return url
end

--- Checks the options of `waba.client`, and completes them from environment variables. An error has the position of the
--- code that called `waba.client`.
function client_options.complete(options)
  options = option.complete(options, client_options.OPTIONS, "waba.client", 3)
  local named = variable "WABA_HOSTING"
  local source = options.hosting and "option hosting" or "the environment variable WABA_HOSTING"
  options.hosting = options.hosting or named or "on_premise"
  options.api_key = options.api_key or variable "D360_API_KEY"
  options.ca_file = options.ca_file or variable "WABA_CA_FILE"
  if not options.base_url and not options.sandbox then options.base_url = base_url_for(options.hosting, named) end
  if options.api_key == nil then
    error("waba.client: option api_key is required, or the environment variable D360_API_KEY", 3)
  end
  if options.api_key == "" then
    error("waba.client: option api_key is empty: expected the D360-API-KEY of a number", 3)
  end
  if not hostings.NAMES[options.hosting] then
    error(('waba.client: %s: unknown hosting "%s"%s'):format(source, options.hosting,
      option.suggestion(options.hosting, hostings.NAMES)), 3)
  end
  if type(options.validate) == "string" and options.validate ~= "documented" then
    error(('waba.client: option validate must be true, false or "documented", not "%s"'):format(options.validate), 3)
  end
  if options.max_connections and not (options.max_connections >= 1 and options.max_connections <= 1000) then
    error(("waba.client: option max_connections must be 1 to 1000, not %s"):format(options.max_connections), 3)
  end
  if options.base_url and options.base_url:find("[?#]") then
    error("waba.client: option base_url must be a URL without query and fragment", 3)
  end
  for _, name in ipairs { "timeout", "connect_timeout" } do -- both options can be infinite
    local seconds = options[name]
    if seconds <= 0 or seconds ~= seconds then
      error(("waba.client: option %s must be a number of seconds above 0, not %s"):format(name, seconds), 3)
    end
  end
  if options.retry == nil then
    options.retry = DEFAULT_RETRY
  elseif options.retry then
    options.retry = option.complete(options.retry, RETRY, "waba.client: retry", 3)
  end
  if options.pace then check_pace(options.pace) end
  if options.ordered then client_options.check_ordered(options.ordered, "waba.client", 4) end
  return options
end

--- Returns the rate limits of a client. For a class of requests that the option `pace` does not have, the limit of the
--- hosting applies.
function client_options.pace(pace, hosting)
  if not pace then return pace == nil and hosting.pace end
  local rates = {}
  for class in pairs(PACE) do
    rates[class] = pace[class]
    if rates[class] == nil then rates[class] = hosting.pace[class] end
  end
  return rates
end

return client_options
