-- The options of `waba.client`: their declaration, their check, and their defaults from environment variables.

local core = require "waba.core"
local hostings = require "waba.hosting"
local option = require "waba.option"

local client_options = {}

--- The options of `waba.client`.
---@options waba.ClientOptions
local OPTIONS = {
  api_key = "string",                 -- the D360-API-KEY of one phone number; default: the environment variable
                                      -- D360_API_KEY
  hosting = '"on_premise"|"cloud"',   -- the gateway; default: the environment variable WABA_HOSTING, else "on_premise"
  sandbox = { "boolean", false },     -- true: 360dialog's own sandbox host
  base_url = "string",                -- the URL of another gateway, such as the emulator; overrides hosting and
                                      -- sandbox. Default: the environment variable WABA_BASE_URL (for hosting "cloud"
                                      -- WABA_CLOUD_BASE_URL if it is set), else the URL of the hosting
  timeout = { "number", 30 },         -- seconds for a call, including all waits and retries
  connect_timeout = { "number", 10 }, -- seconds to establish a connection
  ca_file = "string",                 -- PEM file of the authorities to trust instead of the system's; default: the
                                      -- environment variable WABA_CA_FILE
  proxy = "string",                   -- URL, such as http://user:password@host:3128; "": no proxy; default: the proxy
                                      -- of the environment variables
  namespace = "string",               -- the default namespace of templates
  transport = "string|waba.Transport", -- "curl", "ngx", or a table with a method `send`; default: "ngx" inside nginx,
                                      -- else "curl"
  loop = "string",                    -- the event loop of the curl transport: "blocking", "native", "cqueues", "luv" or
                                      -- "copas"; default: detected, except "luv"
  expect_number = "string|integer",   -- the phone number of the key: the client requests the key's phone number from
                                      -- the gateway before its first request, and returns an error of kind "auth" if
                                      -- the key belongs to another phone number
  retry = "waba.RetryOptions|false",  -- when a failed request is sent again; false: no request is sent again
  pace = "waba.PaceOptions|false",    -- the rate limits; default: the published rates of the hosting; false: none
  ordered = { "boolean|waba.OrderedOptions", false }, -- delays a message until the previous message to the same
                                      -- recipient was accepted, or delivered
  validate = { 'boolean|"documented"', true }, -- checks messages before they are sent; "documented": only by the rules
                                      -- that the platform documents
  max_connections = "integer",        -- the largest number of connections to one host, for the curl transport; 1
                                      -- to 1000; default: 16
  on_event = "fun(event: waba.CallEvent)", -- called for each call, for logs, traces and metrics; its events
                                           -- contain no secret
}

client_options.OPTIONS = OPTIONS

--- How often and after which pauses a failed request is sent again.
---@options waba.RetryOptions
local RETRY = {
  attempts = { "integer>=1", 4 },     -- attempts of one request, including the first one
  base = { "number>=0", 0.5 },        -- seconds: the longest first pause; the pause is a random part of it
  max = { "number>=0", 30 },          -- seconds: the longest pause, unless the gateway demands a longer one
  ambiguous = { "boolean", false },   -- true: also repeats a request that the gateway may have accepted
}

-- All clients without the option share this table.
local DEFAULT_RETRY = option.complete({}, RETRY, "waba.client: retry")

--- The rates of one API key; false: no limit. The clients of one process that have the same key and the same rates
--- share the limit. If several processes use one key, such as the workers of nginx, set a shared store, or set a part
--- of the rate in each process.
---@options waba.PaceOptions
local PACE = {
  messages = "waba.Rate|false",       -- sending messages
  other = "waba.Rate|false",          -- all other requests
  media = "waba.Rate|false",          -- the rate of uploads, on Cloud hosting
  pair = "waba.Rate|false",           -- messages to one recipient
  store = "waba.PaceStore",           -- shares the limits with other processes that have the same key; returned by
                                      -- waba.pace.shared_dict or waba.pace.redis
}

--- A rate limit.
---@options waba.Rate
local RATE = {
  rate = "number>0",                  -- required: requests per second
  burst = "integer>=1",               -- required: requests that may be sent at once after a pause
}

--- The options for keeping messages to one recipient in order.
---@options waba.OrderedOptions
local ORDERED = {
  receiver = "waba.Receiver",         -- a receiver: the next message waits until a status reports that the previous
                                      -- message was delivered, was read or failed. The receiver must handle the
                                      -- statuses in this process
  tracker = "waba.StatusTracker",     -- a tracker: the same as `receiver`, but the program applies the statuses to the
                                      -- tracker
  timeout = "number>0",               -- seconds after which the next message is sent although no status has come;
                                      -- default: 10
}

local function check_seconds(options, name)
  local seconds = options[name]
  if seconds and (seconds ~= seconds or seconds <= 0) then
    error(("waba.client: option %s must be a number of seconds above 0, not %s"):format(name, tostring(seconds)), 4)
  end
end

local function check_pace(pace)
  option.check(pace, PACE, "waba.client: pace", 4)
  local store = pace.store
  if store and type(store.limiters) ~= "function" then
    error("waba.client: pace: option store must be a value from waba.pace.shared_dict or waba.pace.redis", 4)
  end
  for class, rate in pairs(pace) do
    local is_rate = rate and class ~= "store"
    if is_rate then option.check(rate, RATE, "waba.client: pace." .. class, 4) end
    for _, name in ipairs { "rate", "burst" } do
      if is_rate and not rate[name] then
        error(("waba.client: pace.%s: option %s is required"):format(class, name), 4)
      end
    end
  end
end

-- The options whose values supply statuses, and for each option the function that makes its value.
local SOURCES = { receiver = "waba.receiver", tracker = "waba.status_tracker" }

--- Checks the option `ordered`.
---@param ordered true|table
---@param what string
---@param level integer  the level at which `error` reports the calling code
function client_options.check_ordered(ordered, what, level)
  if ordered == true then return end
  what = what .. ": ordered"
  option.check(ordered, ORDERED, what, level)
  for name, maker in pairs(SOURCES) do
    if ordered[name] and type(ordered[name].watch) ~= "function" then
      error(("%s: option %s must be a value from %s"):format(what, name, maker), level)
    end
  end
  if ordered.timeout and not (ordered.receiver or ordered.tracker) then
    error(what .. ": option timeout requires option receiver or tracker", level)
  end
end

-- Environment variables ---------------------------------------------------------------------------

-- An option overrides its environment variable; an empty variable counts as unset.
local function variable(name)
  local value = os.getenv(name)
  if value ~= "" then return value end
end

local function url_of(name, level)
  local url = variable(name)
  local origin, message = core.origin(url or "https://none.example")
  if not origin then error(("waba.client: the environment variable %s: %s"):format(name, message), level + 1) end
  return url
end

-- The gateway's address. WABA_BASE_URL is the URL of the hosting that WABA_HOSTING selects. A client of the other
-- hosting uses WABA_CLOUD_BASE_URL, or needs the option base_url.
local function base_url_for(hosting, named, level)
  local cloud = hosting == "cloud" and url_of("WABA_CLOUD_BASE_URL", level + 1)
  if cloud then return cloud end
  local url = url_of("WABA_BASE_URL", level + 1)
  if url and named and named ~= hosting then
    error(('waba.client: option hosting is "%s", but WABA_BASE_URL is the URL for WABA_HOSTING=%s: set option '
      .. "base_url too, or set WABA_HOSTING=%s and its WABA_BASE_URL"):format(hosting, named, hosting), level + 1)
  end
  return url
end

-- Completes the options from environment variables. `level` is the level at which `error` reports the calling function.
local function with_environment(options, level)
  local all = {}
  for name, value in pairs(options) do all[name] = value end
  local named = variable "WABA_HOSTING"
  all.api_key = options.api_key or variable "D360_API_KEY"
  all.hosting = options.hosting or named
  if not options.base_url and not options.sandbox then
    all.base_url = base_url_for(all.hosting or "on_premise", named, level + 1)
  end
  all.ca_file = options.ca_file or variable "WABA_CA_FILE"
  return all
end

--- Checks the options of `waba.client` and completes them from environment variables. Errors report the position of the
--- code that called the caller of this function.
---@param options? waba.ClientOptions
---@return waba.ClientOptions complete
function client_options.complete(options)
  local written = option.complete(options, OPTIONS, "waba.client", 3)
  options = with_environment(written, 3)
  if options.api_key == nil then
    error("waba.client: option api_key is required, or the environment variable D360_API_KEY", 3)
  end
  if options.api_key == "" then
    error("waba.client: option api_key is empty: expected the D360-API-KEY of a number", 3)
  end
  if options.hosting and not hostings.NAMES[options.hosting] then
    local source = written.hosting and "option hosting" or "the environment variable WABA_HOSTING"
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
  check_seconds(options, "timeout")
  check_seconds(options, "connect_timeout")
  if options.retry == nil then
    options.retry = DEFAULT_RETRY
  elseif options.retry then
    options.retry = option.complete(options.retry, RETRY, "waba.client: retry", 3)
  end
  if options.pace then check_pace(options.pace) end
  if options.ordered then client_options.check_ordered(options.ordered, "waba.client", 4) end
  return options
end

--- Returns the rate limits of the options, or by default those of the hosting.
---@param options waba.ClientOptions
---@param hosting table
---@return waba.PaceOptions|false
function client_options.pace(options, hosting)
  if options.pace == nil or options.pace == false then return options.pace == nil and hosting.pace end
  local rates = {}
  for class in pairs(PACE) do
    rates[class] = options.pace[class]
    if rates[class] == nil then rates[class] = hosting.pace[class] end
  end
  return rates
end

--- Returns the hosting that the option `hosting` selects.
---@param options waba.ClientOptions
---@return table
function client_options.hosting(options)
  return hostings.get(options.hosting or "on_premise")
end

return client_options
