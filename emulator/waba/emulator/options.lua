-- Every option of the emulator's process, in one table: name, type, default and meaning. The handle,
-- the shell and the documentation read it.

local check = require "waba.options"

local options = {}

--- name, type, default, meaning
options.list = {
  { "api_key", "string", nil, "the key the gateway accepts; a random one by default" },
  { "number", "string", "49305550199", "the business number the key belongs to" },
  { "host", "string", "127.0.0.1", "address to listen on" },
  { "port", "integer", 0, "port to listen on; 0: any free one" },
  { "tls", "boolean", true, "serve HTTPS, with a certificate of an authority made on the spot" },
  { "authority", "string", nil, "a folder that keeps the authority, which is made when there is none, so that its"
    .. " CA file is the same at every start; by default each start has an authority of its own" },
  { "record", "string", nil, "a file that gets a line of JSON for every message before its acceptance is"
    .. " answered: hosting, id, to, type, content, at. It is added to, and outlives the process" },
  { "log", "boolean", false, "print a line on standard error for each request and each webhook" },
  { "say", "string", nil, "a text that the customer 491511234567 sends as soon as an address for webhooks is set" },
  { "client_version", "string", "2.53.1", "version of the WhatsApp client that is imitated. Below 2.39.1 a"
    .. " contact must be checked before it is written to; below 2.41 a template needs its namespace; below"
    .. " 2.43 the contacts check tells who is a WhatsApp user; below 2.45 statuses carry recipient_id on top" },
  { "statuses", "table|false", { sent = 0, delivered = 0.05, read = 0.1, played = 0.15 }, "seconds from a message"
    .. " to each of its statuses (played: voice notes on Cloud); a status left out never comes; false: none" },
  { "recipient_id", "string", nil, "where a status carries its recipient: \"message\", \"top\" or \"both\";"
    .. " as the client version has it by default" },
  { "window", "boolean", false, "enforce the 24-hour window: messages other than templates fail with 470"
    .. " (Cloud: 131047) unless the customer wrote within the last day. Off by default, so that a first try"
    .. " needs no customer" },
  { "templates", "any", "any", "templates the gateway knows: \"any\" (every name passes; a few are known"
    .. " and checked), or a list of templates as the platform lists them (only these pass)" },
  { "namespace", "string", "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", "template namespace of the account" },
  { "review", "number|false", false, "seconds after which a created template is approved; false: the program"
    .. " decides with review_template" },
  { "catalogs", "table", nil, "catalogues by id, each a list of product ids; by default every one exists" },
  { "contacts", "table", nil, "what is known of numbers: \"valid\", \"invalid\", \"failed\", or"
    .. " { status, wa_id, name }" },
  { "contact_check", "number", 0.1, "seconds a contacts check takes that nobody waits for" },
  { "require_webhook", "boolean", false, "refuse messages with 1022 until a webhook address is set" },
  { "max_media", "integer", 64 * 1024 * 1024, "bytes of the largest upload" },
  { "strict_media", "boolean", false, "look into uploaded images and stickers, and refuse those that"
    .. " WhatsApp could not show" },
  { "rate_limits", "boolean|table", false, "refuse what goes beyond the platform's rates. On-Premise: 50 messages"
    .. " per second (150 at once) and 20 other requests (60 at once). Cloud: 80 messages per second, one in 6"
    .. " seconds to each recipient (45 at once), 25 uploads per second. Or a table of { rate, burst }:"
    .. " messages, other; Cloud: pair and media too" },
  { "sandbox", "boolean|string", false, "behave as 360dialog's sandbox for the phone number given here:"
    .. " only that number, texts and text templates, 200 messages, 10 templates, no media;"
    .. " true: for the first number that is written to" },
  { "webhooks", "table", nil, "how webhooks are delivered, see below" },
  { "seed", "integer", 1, "what faults that happen by chance are drawn from" },
  { "keep", "integer", 10000, "how many requests, messages and deliveries are remembered" },
  { "start", "number", nil, "Unix time the clock begins with; the present by default" },
  { "cloud", "table", nil, "what is different for the Cloud gateway, see below" },
}

--- Further options of the Cloud gateway. Every option above may stand in `cloud` too, and holds for this
--- gateway then; api_key, number and port hold for the On-Premise one only.
options.cloud = {
  { "phone_number_id", "string", "40110022003", "id of the number" },
  { "waba_id", "string", "30220099001", "id of the WhatsApp business account" },
  { "business_id", "string", "70030011002", "id of the business" },
  { "verified_name", "string", "Emulated Business", "the name customers see" },
  { "secret", "string", nil, "signs webhooks with the header X-Hub-Signature-256, as Meta does" },
  { "media_block", "table|false", { errors = 20, within = 3600, seconds = 1800 }, "after so many error answers to"
    .. " GET /{media-id} within so many seconds, media is blocked for so long" },
}

--- The same for the option `webhooks`.
options.webhooks = {
  { "url", "string", nil, "an address to begin with" },
  { "headers", "table", nil, "and its headers" },
  { "timeout", "number", 5, "seconds to wait for an answer" },
  { "concurrency", "integer", 6, "deliveries in flight at once" },
  { "backoff", "number", 3, "seconds the delay grows by with every failure" },
  { "max_backoff", "number", 900, "seconds the delay grows to" },
  { "give_up", "number", 86400, "seconds after which a delivery is given up" },
  { "batch", "integer", 1, "how many waiting events go into one body" },
  { "keep_alive", "boolean", true, "use a connection for several deliveries" },
  { "ca_file", "string", nil, "authorities to trust beside the system's" },
  { "duplicates", "number", 0, "share of deliveries (0 to 1) that are sent twice" },
  { "reorder", "number", 0, "share of deliveries (0 to 1) that are overtaken by later ones" },
}

--- What belongs to the process, and can't differ between its gateways.
---@type table<string, boolean>
options.shared = { cloud = true, seed = true, keep = true, start = true, host = true, tls = true,
  authority = true, record = true, log = true, say = true }

-- What the Cloud gateway has of its own, whatever the On-Premise one was given.
local OWN = { api_key = true, number = true, port = true }
local OWN_NUMBER = "49305550277"

local function types(...)
  local known = {}
  for _, list in ipairs({ ... }) do
    for _, row in ipairs(list) do known[row[1]] = row[2] end
  end
  return known
end

local function cloud_types()
  local known = types(options.list, options.cloud)
  for name in pairs(options.shared) do known[name] = nil end
  return known
end

local function with_defaults(given, list)
  local complete = {}
  for _, row in ipairs(list) do
    if given[row[1]] ~= nil then
      complete[row[1]] = given[row[1]]
    else
      complete[row[1]] = row[3]
    end
  end
  return complete
end

local MOST_PORT = 65535

local function check_port(given, what, level)
  local port = given and given.port
  if port and (port < 0 or port > MOST_PORT) then
    error(("%s: option port must be 0 to %d, not %.0f"):format(what, MOST_PORT, port), level + 1)
  end
end

--- Raises for an unknown option or one of the wrong type.
---@param given table|nil
---@param what string     whose options they are, for the message
---@param more? table<string, string>  further options that are allowed: name to type
---@param level? integer
function options.check(given, what, more, level)
  level = (level or 2) + 1
  local known = types(options.list)
  for name, kind in pairs(more or {}) do known[name] = kind end
  check.check(given, known, what, level)
  check_port(given, what, level)
  check.check(given and given.webhooks, types(options.webhooks), what .. ": webhooks", level)
  local cloud = given and given.cloud
  check.check(cloud, cloud_types(), what .. ": cloud", level)
  check_port(cloud, what .. ": cloud", level)
  check.check(cloud and cloud.webhooks, types(options.webhooks), what .. ": cloud: webhooks", level)
end

-- The address to begin with belongs to one number.
local function cloud_webhooks(given, complete)
  local webhooks = {}
  for _, row in ipairs(options.webhooks) do
    local name = row[1]
    if given[name] ~= nil then
      webhooks[name] = given[name]
    elseif name ~= "url" and name ~= "headers" then
      webhooks[name] = complete.webhooks[name]
    end
  end
  return webhooks
end

local function complete_cloud(given, complete)
  local cloud = with_defaults(given, options.cloud)
  for _, row in ipairs(options.list) do
    local name = row[1]
    if given[name] ~= nil then
      cloud[name] = given[name]
    elseif not OWN[name] and name ~= "cloud" then
      cloud[name] = complete[name]
    end
  end
  cloud.number = cloud.number or OWN_NUMBER
  cloud.port = cloud.port or 0
  cloud.webhooks = cloud_webhooks(given.webhooks or {}, complete)
  return cloud
end

--- The given options with the defaults for the rest; those of the Cloud gateway in `cloud`.
---@param given table
---@return table
function options.complete(given)
  local complete = with_defaults(given, options.list)
  complete.webhooks = with_defaults(given.webhooks or {}, options.webhooks)
  complete.cloud = complete_cloud(given.cloud or {}, complete)
  return complete
end

return options
