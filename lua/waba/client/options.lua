-- What `waba.client` takes, and the check of it.

local environment = require "waba.client.environment"
local options = require "waba.options"

local type = type

local client_options = {}

local HOSTINGS = { on_premise = "waba.hosting.on_premise", cloud = "waba.hosting.cloud" }

--- What `waba.client` takes.
---@class waba.ClientOptions
---@field api_key? string          the D360-API-KEY of one number; the environment's D360_API_KEY by default
---@field hosting? waba.Hosting    which gateway; WABA_HOSTING, else "on_premise", by default
---@field sandbox? boolean         360dialog's own sandbox host
---@field base_url? string         another gateway, such as the emulator; overrides hosting and sandbox. By default
---                                WABA_BASE_URL (with hosting "cloud" WABA_CLOUD_BASE_URL where it is set), else the hosting's
---@field timeout? number          seconds for a call, its waits and repeats included; 30 by default
---@field connect_timeout? number  seconds for each connection; 10 by default
---@field ca_file? string          PEM file of the authorities to trust instead of the system's; WABA_CA_FILE by default
---@field proxy? string            URL, such as http://user:password@host:3128; "" for none; by default the environment's
---@field namespace? string        default namespace of templates
---@field transport? string|waba.Transport  "curl" or "ngx", or any table with a method `send`; by
---                                default "ngx" inside nginx, else "curl"
---@field loop? string             of the curl transport: "blocking", "native", "cqueues", "luv" or "copas";
---                                detected by default, but for "luv"
---@field expect_number? string|integer  the number the key must belong to: before its first request the
---                                client asks the gateway, and refuses with kind "auth" if it is another's
---@field retry? waba.RetryOptions|false
---@field pace? waba.PaceOptions|false  the hosting's published rates where it names none
---@field ordered? boolean|waba.OrderedOptions  hold each message to a recipient until the one before was
---                                accepted, or delivered; false by default
---@field validate? boolean|"documented"  check messages before they are sent; "documented": only by
---                                rules the platform documents; true by default
---@field max_connections? integer  of the curl transport; 16 by default
---@field on_event? fun(event: waba.CallEvent)  told of every call, for logs, traces and metrics; sees no secret
local KNOWN = {
  api_key = "string", hosting = "string", sandbox = "boolean", base_url = "string",
  timeout = "number", connect_timeout = "number", ca_file = "string", proxy = "string",
  namespace = "string", transport = "string|table", loop = "string", retry = "table|false",
  expect_number = "string|integer", pace = "table|false", validate = "boolean|string", max_connections = "integer",
  on_event = "function", ordered = "boolean|table",
}
local KNOWN_RETRY = { attempts = "integer>=1", base = "number>=0", max = "number>=0", ambiguous = "boolean" }
local KNOWN_PACE = { messages = "table|false", other = "table|false", media = "table|false", pair = "table|false" }
local KNOWN_RATE = { rate = "number>0", burst = "integer>=1" }
local KNOWN_ORDERED = { receiver = "table", tracker = "table", timeout = "number>0" }

-- Refuses what is no positive number of seconds.
local function check_seconds(given, name)
  local seconds = given[name]
  if seconds and (seconds ~= seconds or seconds <= 0) then
    error(("waba.client: option %s must be a number of seconds above 0"):format(name), 4)
  end
end

local function check_pace(pace)
  options.check(pace, KNOWN_PACE, "waba.client: pace", 4)
  for class, rate in pairs(pace) do
    if rate then options.check(rate, KNOWN_RATE, "waba.client: pace." .. class, 4) end
    for _, name in ipairs { "rate", "burst" } do
      if rate and not rate[name] then
        error(("waba.client: pace.%s: option %s is required"):format(class, name), 4)
      end
    end
  end
end

-- What statuses are heard from.
local SOURCES = { receiver = "waba.receiver", tracker = "waba.status_tracker" }

--- Checks the option `ordered`.
---@param ordered true|table
---@param what string
---@param level integer  as in an `error` of this function
function client_options.check_ordered(ordered, what, level)
  if ordered == true then return end
  what = what .. ": ordered"
  options.check(ordered, KNOWN_ORDERED, what, level)
  for name, maker in pairs(SOURCES) do
    if ordered[name] and type(ordered[name].watch) ~= "function" then
      error(("%s: option %s must be what %s makes"):format(what, name, maker), level)
    end
  end
  if ordered.timeout and not (ordered.receiver or ordered.tracker) then
    error(what .. ": option timeout has no meaning without receiver or tracker", level)
  end
end

--- Checks the options of `waba.client` and completes them from the environment. Raises an error at its caller's caller.
---@param given? waba.ClientOptions
---@return waba.ClientOptions complete
function client_options.complete(given)
  local written = options.check(given, KNOWN, "waba.client", 3)
  given = environment.complete(written, 3)
  if given.api_key == nil then
    error("waba.client: option api_key is required, or the environment variable D360_API_KEY", 3)
  end
  if given.api_key == "" then error("waba.client: option api_key is empty", 3) end
  if given.hosting and not HOSTINGS[given.hosting] then
    local near = options.nearest(given.hosting, HOSTINGS)
    local source = written.hosting and "option hosting" or "the environment variable WABA_HOSTING"
    error(('waba.client: %s: unknown hosting "%s"%s'):format(source, given.hosting,
      near and (" (did you mean %s?)"):format(near) or ""), 3)
  end
  if type(given.validate) == "string" and given.validate ~= "documented" then
    error('waba.client: option validate must be true, false or "documented"', 3)
  end
  if given.max_connections and not (given.max_connections >= 1 and given.max_connections <= 1000) then
    error("waba.client: option max_connections must be between 1 and 1000", 3)
  end
  if given.base_url and given.base_url:find("[?#]") then
    error("waba.client: option base_url must have neither a query nor a fragment", 3)
  end
  check_seconds(given, "timeout")
  check_seconds(given, "connect_timeout")
  if given.retry then
    options.check(given.retry, KNOWN_RETRY, "waba.client: retry", 3)
  end
  if given.pace then check_pace(given.pace) end
  if given.ordered then client_options.check_ordered(given.ordered, "waba.client", 4) end
  return given
end

--- The rates to keep: the hosting's where the options have none.
---@param given waba.ClientOptions
---@param hosting table
---@return waba.PaceOptions|false
function client_options.pace(given, hosting)
  if given.pace == nil or given.pace == false then return given.pace == nil and hosting.pace end
  local rates = {}
  for class in pairs(KNOWN_PACE) do
    rates[class] = given.pace[class]
    if rates[class] == nil then rates[class] = hosting.pace[class] end
  end
  return rates
end

--- The hosting that the options name.
---@param given waba.ClientOptions
---@return table
function client_options.hosting(given)
  return require(HOSTINGS[given.hosting or "on_premise"])
end

return client_options
