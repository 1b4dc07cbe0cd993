-- The gateway on your own machine, to develop and test against: a real HTTP server in a process of
-- its own, and the handle on it.
--
--   local emulator = assert(require("waba.emulator").start())
--   local client = waba.client(emulator:options())
--   client:send("+49 151 1234567", waba.text "Hello")
--   emulator:customer("+49 151 1234567"):text "Hi"
--   emulator:stop()
--
-- It speaks as 360dialog's gateways do, On-Premise at one port and Cloud (`emulator.cloud`) at another, with
-- two differences: webhooks may go to plain http on loopback, and the certificate is of an authority of its
-- own (`ca_file`).

local errors = require "waba.errors"
local Handle = require "waba.emulator.orders"
local options = require "waba.emulator.options"
local process = require "waba.emulator.process"
local remote = require "waba.emulator.remote"

local emulator = {}

--- What `start` takes.
---@class waba.EmulatorOptions
---@field interpreter? string  that runs the process; the program's own by default
---@field start_timeout? number  seconds to wait until it listens; 10 by default
---@field sleep? fun(seconds: number)  how `wait` lets time pass; found out by default
---@field api_key? string  the key the gateway accepts; a random one by default
---@field number? string  the business number the key belongs to; 49305550199 by default
---@field host? string  address to listen on; 127.0.0.1 by default
---@field port? integer  port to listen on; 0: any free one; 0 by default
---@field tls? boolean  serve HTTPS, with a certificate of an authority made on the spot; true by default
---@field authority? string  a folder that keeps the authority, which is made when there is none, so that its CA file is the same at every start; by default each start has an authority of its own
---@field record? string  a file that gets a line of JSON for every message before its acceptance is answered: hosting, id, to, type, content, at. It is added to, and outlives the process
---@field log? boolean  print a line on standard error for each request and each webhook; false by default
---@field say? string  a text that the customer 491511234567 sends as soon as an address for webhooks is set
---@field client_version? string  version of the WhatsApp client that is imitated. Below 2.39.1 a contact must be checked before it is written to; below 2.41 a template needs its namespace; below 2.43 the contacts check tells who is a WhatsApp user; below 2.45 statuses carry recipient_id on top; 2.53.1 by default
---@field statuses? { sent: number?, delivered: number?, read: number?, played: number? }|false  seconds from a message to each of its statuses (played: voice notes on Cloud); a status left out never comes; false: none
---@field recipient_id? "message"|"top"|"both"  where a status carries its recipient: "message", "top" or "both"; as the client version has it by default
---@field window? boolean  enforce the 24-hour window: messages other than templates fail with 470 (Cloud: 131047) unless the customer wrote within the last day. Off by default, so that a first try needs no customer
---@field templates? "any"|table[]  templates the gateway knows: "any" (every name passes; a few are known and checked), or a list of templates as the platform lists them (only these pass)
---@field namespace? string  template namespace of the account; 9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90 by default
---@field review? number|false  seconds after which a created template is approved; false: the program decides with review_template
---@field catalogs? table<string, string[]>  catalogues by id, each a list of product ids; by default every one exists
---@field contacts? table<string, string|table>  what is known of numbers: "valid", "invalid", "failed", or { status, wa_id, name }
---@field contact_check? number  seconds a contacts check takes that nobody waits for; 0.1 by default
---@field require_webhook? boolean  refuse messages with 1022 until a webhook address is set
---@field max_media? integer  bytes of the largest upload; 67108864 by default
---@field strict_media? boolean  look into uploaded images and stickers, and refuse those that WhatsApp could not show
---@field rate_limits? boolean|table  refuse what goes beyond the platform's rates. On-Premise: 50 messages per second (150 at once) and 20 other requests (60 at once). Cloud: 80 messages per second, one in 6 seconds to each recipient (45 at once), 25 uploads per second. Or a table of { rate, burst }: messages, other; Cloud: pair and media too
---@field sandbox? boolean|string  behave as 360dialog's sandbox for the phone number given here: only that number, texts and text templates, 200 messages, 10 templates, no media; true: for the first number that is written to
---@field webhooks? waba.EmulatorWebhookOptions  how webhooks are delivered
---@field seed? integer  what faults that happen by chance are drawn from; 1 by default
---@field keep? integer  how many requests, messages and deliveries are remembered; 10000 by default
---@field start? number  Unix time the clock begins with; the present by default
---@field cloud? waba.EmulatorCloudOptions|waba.EmulatorOptions  what is different for the Cloud gateway

--- How webhooks are delivered.
---@class waba.EmulatorWebhookOptions
---@field url? string  an address to begin with
---@field headers? table<string, string>  and its headers
---@field timeout? number  seconds to wait for an answer; 5 by default
---@field concurrency? integer  deliveries in flight at once; 6 by default
---@field backoff? number  seconds the delay grows by with every failure; 3 by default
---@field max_backoff? number  seconds the delay grows to; 900 by default
---@field give_up? number  seconds after which a delivery is given up; 86400 by default
---@field batch? integer  how many waiting events go into one body; 1 by default
---@field keep_alive? boolean  use a connection for several deliveries; true by default
---@field ca_file? string  authorities to trust beside the system's
---@field duplicates? number  share of deliveries (0 to 1) that are sent twice; 0 by default
---@field reorder? number  share of deliveries (0 to 1) that are overtaken by later ones; 0 by default

--- What only the Cloud gateway has. Beside it may stand what is different there of all other options.
---@class waba.EmulatorCloudOptions
---@field phone_number_id? string  id of the number; 40110022003 by default
---@field waba_id? string  id of the WhatsApp business account; 30220099001 by default
---@field business_id? string  id of the business; 70030011002 by default
---@field verified_name? string  the name customers see; Emulated Business by default
---@field secret? string  signs webhooks with the header X-Hub-Signature-256, as Meta does
---@field media_block? { errors: integer, within: number, seconds: number }|false  after so many error answers to GET /{media-id} within so many seconds, media is blocked for so long

-- Seconds the process may take to answer that it stops, before it is killed.
local STOP_TIMEOUT = 5

local HANDLE_OPTIONS = { interpreter = "string", start_timeout = "number", sleep = "function" }

--- A running emulator: the handle on its On-Premise gateway, and in `cloud` the one on the Cloud gateway.
---@class waba.Emulator : waba.emulator.Handle
---@field cloud waba.emulator.CloudHandle
---@field pid integer       of its process
local Emulator = setmetatable({}, { __index = Handle })
Emulator.__index = Emulator
Emulator.__name = "waba.Emulator"
-- The code of a failure that nobody describes.
Emulator.USUAL_FAILURE = 500

function Emulator:__tostring()
  return ("waba.Emulator (%s)"):format(self.started and self.url or "stopped")
end

--- The handle on the Cloud gateway: the same methods.
---@class waba.emulator.CloudHandle : waba.emulator.Handle
---@field phone_number_id string
---@field waba_id string
local Cloud = setmetatable({}, { __index = Handle })
Cloud.__index = Cloud
Cloud.__name = "waba.emulator.CloudHandle"
Cloud.USUAL_FAILURE = 131000

function Cloud:__tostring()
  return ("waba.Emulator's Cloud gateway (%s)"):format(self.remote.connection.engine and self.url or "stopped")
end

-- The fields of a gateway's face, with what all handles have.
local function new_handle(class, face, common)
  local self = setmetatable({}, class)
  for _, fields in ipairs({ face, common }) do
    for name, value in pairs(fields) do self[name] = value end
  end
  return self
end

--- Starts an emulator beside the program. It ends with the program, however that ends.
---@param given? waba.EmulatorOptions
---@return waba.Emulator|nil
---@return waba.Error? err  names the library that is missing, or why it can't listen
function emulator.start(given)
  options.check(given, "waba.emulator.start", HANDLE_OPTIONS)
  given = given or {}
  local for_process = {}
  for name, value in pairs(given) do
    if not HANDLE_OPTIONS[name] then for_process[name] = value end
  end
  local sleep = given.sleep or remote.sleep
  local started, message = process.start(for_process, {
    interpreter = given.interpreter, start_timeout = given.start_timeout, sleep = sleep })
  if not started then return nil, errors.new({ kind = "unavailable", message = message }) end
  local line = remote.new(started.control, started.token)
  local self = new_handle(Emulator, started.on_premise, { ca_file = started.ca_file, sleep = sleep, remote = line })
  self.pid, self.started = started.pid, started
  self.cloud = new_handle(Cloud, started.cloud,
    { ca_file = started.ca_file, sleep = sleep, remote = line:to("cloud") })
  return self
end

local function options_for(handle, more)
  local merged = { api_key = handle.api_key, base_url = handle.url, ca_file = handle.ca_file }
  for name, value in pairs(more or {}) do merged[name] = value end
  return merged
end

--- The options with which `waba.client` talks to this emulator: api_key, base_url, ca_file, and yours.
---@param more? table  `hosting = "cloud"` gives those for the Cloud gateway
---@return table
function Emulator:options(more)
  if more ~= nil and type(more) ~= "table" then
    error("emulator:options: the options must be a table, not a " .. type(more), 2)
  end
  if more and more.hosting == "cloud" then
    local merged = self.cloud:options(more)
    return merged
  end
  return options_for(self, more)
end

--- The options with which `waba.client` talks to the Cloud gateway.
---@param more? table
---@return table
function Cloud:options(more)
  local merged = options_for(self, more)
  merged.hosting = "cloud"
  return merged
end

--- Ends the process and removes its files. Harmless when repeated.
function Emulator:stop()
  if self.started then
    local stopped = self.remote:call("stop", {}, STOP_TIMEOUT)
    self.remote:close()
    process.finish(self.started, not stopped)
    self.started = nil
  end
end

return emulator
