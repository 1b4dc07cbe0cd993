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
  { "http2", "boolean", true, "offer HTTP/2 beside HTTP/1.1" },
  { "client_version", "string", "2.53.1", "version of the WhatsApp client that is imitated. Below 2.39.1 a"
    .. " contact must be checked before it is written to; below 2.41 a template needs its namespace; below"
    .. " 2.43 the contacts check tells who is a WhatsApp user; below 2.45 statuses carry recipient_id on top" },
  { "statuses", "table|false", { sent = 0, delivered = 0.05, read = 0.1 }, "seconds from a message to each of"
    .. " its statuses; a status left out never comes; false: none" },
  { "recipient_id", "string", nil, "where a status carries its recipient: \"message\", \"top\" or \"both\";"
    .. " as the client version has it by default" },
  { "window", "boolean", false, "enforce the 24-hour window: messages other than templates fail with 470"
    .. " unless the customer wrote within the last day. Off by default, so that a first try needs no customer" },
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
  { "rate_limits", "boolean|table", false, "answer 429 beyond 50 messages per second (150 at once) and 20"
    .. " other requests (60 at once); or { messages = { rate, burst }, other = { rate, burst } }" },
  { "sandbox", "boolean|string", false, "behave as 360dialog's sandbox for the phone number given here:"
    .. " only that number, texts and text templates, 200 messages, 10 templates, no media;"
    .. " true: for the first number that is written to" },
  { "webhooks", "table", nil, "how webhooks are delivered, see below" },
  { "seed", "integer", 1, "what faults that happen by chance are drawn from" },
  { "keep", "integer", 10000, "how many requests, messages and deliveries are remembered" },
  { "start", "number", nil, "Unix time the clock begins with; the present by default" },
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

local function types(list)
  local known = {}
  for _, row in ipairs(list) do
    known[row[1]] = row[2]
  end
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

--- Raises for an unknown option or one of the wrong type.
---@param given table|nil
---@param what string     whose options they are, for the message
---@param more? table<string, string>  further options that are allowed: name to type
---@param level? integer
function options.check(given, what, more, level)
  local known = types(options.list)
  for name, kind in pairs(more or {}) do
    known[name] = kind
  end
  check.check(given, known, what, (level or 2) + 1)
  check.check(given and given.webhooks, types(options.webhooks), what .. ": webhooks", (level or 2) + 1)
end

--- The given options with the defaults for the rest.
---@param given table
---@return table
function options.complete(given)
  local complete = with_defaults(given, options.list)
  complete.webhooks = with_defaults(given.webhooks or {}, options.webhooks)
  return complete
end

return options
