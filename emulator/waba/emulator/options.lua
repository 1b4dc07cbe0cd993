-- The options of the emulator's process: their types in LuaCATS form, their defaults, and the texts that
-- `waba emulator --help`, editors and the reference show. Checks options, and completes the options of each gateway.

local check = require "waba.option"
local core = require "waba.core"
local files = require "waba.emulator.files"
local option_values = require "waba.emulator.option_values"

local options = {}

--- The options of the emulator's process.
---@options waba.EmulatorProcessOptions
options.list = {
  { "api_key", "string", nil, "the key that the gateway accepts; default: a random one" },
  { "number", "string", "49305550199", "the business number of the key" },
  { "host", "string", "127.0.0.1", "the address to listen on" },
  { "port", "integer", 0, "the port to listen on; 0: any free port" },
  { "tls", "boolean", true, "serves HTTPS, with a certificate of a new authority" },
  { "authority", "string", nil, "a folder that keeps the authority, so that each start has the same CA file" },
  { "record", "string", nil, "a file to which a line of JSON is appended for each message before the response is"
    .. " sent: hosting, id, to, type, content, at" },
  { "log", "boolean", false, "prints a line on standard error for each request and each webhook" },
  { "ui", "boolean", false, "serves a page for the browser, with a phone for each customer; prints the page's URL" },
  { "ui_port", "integer", 0, "the port of this page; 0: any free port" },
  { "say", "string", nil, "a text that the customer 491511234567 sends when a webhook URL is set" },
  { "client_version", "string", "2.53.1", "the version of the WhatsApp client. Below 2.39.1 a contact must be checked"
    .. " before a message is sent to it; below 2.41 a template needs its namespace; below 2.43 the contacts check"
    .. " reports who is a WhatsApp user; below 2.45 statuses have recipient_id at the top level" },
  { "statuses", "{ sent: number?, delivered: number?, read: number?, played: number? }|false",
    { sent = 0, delivered = 0.05, read = 0.1, played = 0.15 }, "seconds from a message to each of its statuses (played:"
    .. " voice notes on Cloud); a missing status is never sent; false: none" },
  { "recipient_id", '"message"|"top"|"both"', nil, "where a status has its recipient: message, top or both;"
    .. " default: as in the client version" },
  { "window", "boolean", false, "messages without a template fail outside the 24-hour window (470; Cloud: 131047)" },
  { "templates", "string|table[]", "any", "the templates of the account: \"any\" (each name is accepted; a few have"
    .. " a definition), or a list of templates in the form of the platform (only these are accepted), or a folder of"
    .. " such templates, as waba templates pull writes it" },
  { "namespace", "string", "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", "the template namespace of the account" },
  { "review", "number|false", false, "seconds after which a created template is approved; false: the program"
    .. " calls review_template" },
  { "catalogs", "table<string, string[]>", nil, "the product ids by catalogue id; default: all exist" },
  { "contacts", "table<string, string|table>", nil, "the status of numbers: \"valid\", \"invalid\", \"failed\", or"
    .. " { status, wa_id, name }" },
  { "contact_check", "number", 0.1, "seconds of a contacts check without `wait`" },
  { "require_webhook", "boolean", false, "refuses messages with 1022 until a webhook URL is set" },
  { "max_media", "integer", 64 * 1024 * 1024, "bytes of the largest upload" },
  { "strict_media", "boolean", false, "refuses uploaded images and stickers that WhatsApp could not show" },
  { "rate_limits", "boolean|table", false, "refuses requests above the platform's rates. On-Premise: 50 messages"
    .. " per second (150 at once) and 20 other requests (60 at once). Cloud: 80 messages per second, one in 6"
    .. " seconds to each recipient (45 at once), 25 uploads per second. Or a table of { rate, burst }:"
    .. " messages, other; Cloud: pair and media too" },
  { "sandbox", "boolean|string", false, "behaves as 360dialog's sandbox for this phone number:"
    .. " only this number, texts and text templates, 200 messages, 10 templates, no media;"
    .. " true: for the first recipient" },
  { "webhooks", "waba.EmulatorWebhookOptions", nil, "how webhooks are delivered" },
  { "numbers", "waba.EmulatorProcessOptions[]", nil, "the business numbers, each with the options that differ from the"
    .. " others: number, api_key, webhooks, templates …; the first one is the emulator's own" },
  { "seed", "integer", 1, "the seed of random failures" },
  { "keep", "integer", 10000, "the number of requests, messages and deliveries that are stored" },
  { "start", "number", nil, "the Unix time at the start of the clock; default: the current time" },
  { "cloud", "waba.EmulatorCloudOptions|waba.EmulatorProcessOptions", nil, "options for the Cloud gateway only" },
}

--- Further options of the Cloud gateway. The option `cloud` may also contain all other options; options in `cloud`
--- apply to the Cloud gateway only. Outside of `cloud`, the options api_key, number and port apply to the
--- On-Premise gateway only. By default, the Cloud gateway has a random key, the number 49305550277 and any free port.
---@options waba.EmulatorCloudOptions
options.cloud = {
  { "phone_number_id", "string", "40110022003", "the id of the number" },
  { "waba_id", "string", "30220099001", "the id of the WhatsApp business account" },
  { "business_id", "string", "70030011002", "the id of the business" },
  { "verified_name", "string", "Emulated Business", "the name that customers see" },
  { "secret", "string", nil, "the secret of the webhooks' signature, the header X-Hub-Signature-256" },
  { "media_block", "{ errors: integer, within: number, seconds: number }|false",
    { errors = 20, within = 3600, seconds = 1800 }, "after `errors` error responses to GET /{media-id} in `within`"
    .. " seconds, media is blocked for `seconds`" },
}

--- The options for the delivery of webhooks.
---@options waba.EmulatorWebhookOptions
options.webhooks = {
  { "url", "string", nil, "the webhook URL at the start" },
  { "headers", "table<string, string>", nil, "the headers of the webhooks to this URL" },
  { "timeout", "number", 5, "seconds to wait for a response" },
  { "concurrency", "integer", 6, "the largest number of deliveries at the same time" },
  { "backoff", "number", 3, "seconds that each failure adds to the delay" },
  { "max_backoff", "number", 900, "the longest delay in seconds" },
  { "give_up", "number", 86400, "seconds after which a delivery ends without success" },
  { "batch", "integer", 1, "the largest number of waiting events in one body" },
  { "keep_alive", "boolean", true, "uses a connection for several deliveries" },
  { "ca_file", "string", nil, "PEM file of authorities to trust besides the system's" },
  { "duplicates", "number", 0, "the share of deliveries (0 to 1) that are sent twice" },
  { "reorder", "number", 0, "the share of deliveries (0 to 1) that are sent after later ones" },
}

--- The options of the process, which are the same for all its gateways.
options.shared = { cloud = true, numbers = true, seed = true, keep = true, start = true, host = true, tls = true,
  authority = true, record = true, log = true, say = true, ui = true, ui_port = true }

-- Options that are not copied from the On-Premise gateway to the Cloud gateway, or from the first business number to
-- the others.
local OWN = { api_key = true, number = true, port = true }
local OWN_NUMBER = "49305550277"
local OWN_WEBHOOKS = { url = true, headers = true }

-- Returns the types (column 2) or the defaults (column 3) of the options in several lists, by name.
local function column(place, ...)
  local values = {}
  for _, list in ipairs({ ... }) do
    for _, row in ipairs(list) do values[row[1]] = row[place] end
  end
  return values
end

local function without_shared(values)
  for name in pairs(options.shared) do values[name] = nil end
  return values
end

-- The types of options by name: of the process, of webhooks, of the Cloud gateway, of a business number.
local OF_PROCESS, OF_WEBHOOKS = column(2, options.list), column(2, options.webhooks)
local OF_CLOUD = without_shared(column(2, options.list, options.cloud))
local OF_NUMBER = without_shared(column(2, options.list))
local OF_NUMBER_CLOUD = without_shared(column(2, options.list, options.cloud))
OF_NUMBER.cloud, OF_NUMBER.port, OF_NUMBER_CLOUD.port = OF_PROCESS.cloud, nil, nil

-- The types of the options that `emulator:configure` can change.
local CHANGEABLE = {}
for _, name in ipairs({ "statuses", "recipient_id", "window", "review", "catalogs", "contact_check", "require_webhook",
  "strict_media", "max_media", "webhooks", "media_block", "secret" }) do
  CHANGEABLE[name] = OF_CLOUD[name]
end

-- Checks ------------------------------------------------------------------------------------------

local function check_values(values, known, what, level)
  for name, value in pairs(check.check(values, known, what, level + 1)) do
    local reason = option_values.refuse(name, value)
    if reason then error(("%s: option %s %s"):format(what, name, reason), level + 1) end
  end
end

local function check_gateway(values, known, what, level)
  check_values(values, known, what, level + 1)
  check_values(values and values.webhooks, OF_WEBHOOKS, what .. ": webhooks", level + 1)
end

--- Checks the options of `emulator:configure`, and raises an error for an unknown or invalid option. `what` is the name
--- of the function that gets the options, for the error text.
function options.check_change(changed, what) check_gateway(changed, CHANGEABLE, what, 3) end

--- Checks the options of a business number.
function options.check_number(number, what, level)
  level = (level or 2) + 1
  check_gateway(number, OF_NUMBER, what, level)
  if not (number and number.number) then
    error(what .. ": option number is required: the digits of a phone number", level)
  end
  check_gateway(number.cloud, OF_NUMBER_CLOUD, what .. ": cloud", level)
end

--- Checks the options of the process. `more` has the types of further allowed options.
function options.check(values, what, more)
  check_gateway(values, check.with(OF_PROCESS, check.with(more or {}, {})), what, 3)
  for i, number in ipairs(values and values.numbers or {}) do
    options.check_number(number, ("%s: numbers[%d]"):format(what, i), 3)
  end
  check_gateway(values and values.cloud, OF_CLOUD, what .. ": cloud", 3)
end

-- Complete options --------------------------------------------------------------------------------

-- Returns the templates in the files of a folder; or nil and an error message.
local function read_folder(folder)
  local quoted, paths = files.quote(folder), {}
  local pipe = io.popen(("test -d %s/. && echo . && find %s/ -maxdepth 1 -type f -name '*.json' | sort"):format(quoted,
    quoted))
  local is_folder = pipe and pipe:read("*l")
  for path in is_folder and pipe:lines() or function() end do paths[#paths + 1] = path end
  if pipe then pipe:close() end
  if not is_folder then return nil, ("option templates: %s is not a folder"):format(folder) end
  if not paths[1] then
    return nil, ("option templates: the folder %s has no templates: expected files *.json, as waba templates pull"
      .. " writes them"):format(folder)
  end
  local list = {}
  for i, path in ipairs(paths) do
    local text, message = files.read(path)
    if text then list[i], message = core.decode(text) end
    message = message or option_values.template_error(list[i])
    if message then return nil, ("option templates: %s is not a template: %s"):format(path, message) end
  end
  return list
end

--- Returns a copy of options in which the templates of a folder replace the folder's name; or nil and an error message.
function options.with_folders(values)
  local copy, message = {}, nil
  for name, value in pairs(values) do copy[name] = value end
  if type(values.templates) == "string" and values.templates ~= "any" then
    copy.templates, message = read_folder(values.templates)
  end
  if values.cloud and not message then copy.cloud, message = options.with_folders(values.cloud) end
  copy.numbers = values.numbers and {}
  for i, number in ipairs(values.numbers or {}) do
    if not message then copy.numbers[i], message = options.with_folders(number) end
  end
  return not message and copy or nil, message
end

-- Returns the options in `list`. The value of an option comes from the first source that has the option. Options in
-- `own` are not taken from the last source.
local function collect(list, own, sources)
  local collected = {}
  for _, row in ipairs(list) do
    local name = row[1]
    for i = 1, #sources do
      if collected[name] == nil and not (i == #sources and own[name]) then collected[name] = sources[i][name] end
    end
  end
  return collected
end

-- Returns the options in `sources`. Missing options have the values of `other`, the options of another gateway.
local function inherit(sources, other)
  local webhooks = {}
  for i = #sources, 1, -1 do webhooks = sources[i].webhooks or webhooks end
  sources[#sources + 1] = other
  local complete = collect(options.list, OWN, sources)
  complete.webhooks = collect(options.webhooks, OWN_WEBHOOKS, { webhooks, other.webhooks })
  complete.cloud, complete.numbers = nil, nil
  return complete
end

local function add(values, more)
  for name, value in pairs(more) do values[name] = value end
  return values
end

--- Completes the options of a further business number with the options of the first one.
function options.complete_number(number, first)
  local complete, cloud, both = inherit({ number }, first), number.cloud or {}, without_shared(add({}, number))
  both.webhooks = nil
  complete.cloud = add(inherit({ cloud, both }, first.cloud),
    collect(options.cloud, { phone_number_id = true }, { cloud, first.cloud }))
  return complete
end

--- Returns all options of the first business number, with defaults. The field `cloud` has all options of the number's
--- Cloud gateway. The options in the first element of `values.numbers` replace those in `values`.
function options.complete(values)
  local first = values.numbers and values.numbers[1] or {}
  local complete = collect(options.list, {}, { first, values, column(3, options.list) })
  complete.webhooks = collect(options.webhooks, {}, { complete.webhooks or {}, column(3, options.webhooks) })
  local cloud, first_cloud = values.cloud or {}, first.cloud or {}
  complete.cloud = add(inherit({ first_cloud, { number = first.number, api_key = first.api_key }, cloud }, complete),
    collect(options.cloud, {}, { first_cloud, cloud, column(3, options.cloud) }))
  complete.cloud.number, complete.cloud.port = complete.cloud.number or OWN_NUMBER, complete.cloud.port or 0
  return complete
end

return options
