-- waba doctor: looks at everything that sending and receiving need, one line each, good or bad with what to do.

local core = require "waba.core"
local loopback = require "waba.loopback"
local output = require "waba.cli.output"
local waba = require "waba"

local doctor = {}

-- Seconds the clock may differ.
local MAX_SKEW = 60

---@param parser table
function doctor.add(parser)
  parser:command("doctor", "Look at key, number, webhook, health and clock."):epilog [[
Exit code 0 when every line is good, else 1.]]
end

-- One line of the report: `good` is true, false, or nil where it could not be looked at.
local function line(name, good, says, advice)
  return { name = name, good = good, says = says, advice = not good and advice or nil }
end

local REACH = {
  tls = "Is a proxy in between? --ca-file names further authorities. Is this machine's clock right?",
  network = "Is there a way out to the gateway: DNS, firewall, proxy?",
  timeout = "The gateway did not answer in time: try again, or see its status page.",
}

local NEW_KEY = "Make a new key in the 360dialog Hub; only the newest one works, and each hosting has its own."

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

-- Seconds since the epoch of "Tue, 24 Nov 2026 21:39:33 GMT" (RFC 9110).
local function read_date(text)
  local day, month, year, hour, minute, second = tostring(text):match "(%d+) (%a+) (%d+) (%d+):(%d+):(%d+) GMT"
  if not MONTHS[month] then return nil end
  local time = { year = tonumber(year), month = MONTHS[month], day = tonumber(day), hour = tonumber(hour),
    min = tonumber(minute), sec = tonumber(second), isdst = false }
  local here = os.time(time)
  -- os.time reads local time: put right by what it makes of the same moment in UTC
  local utc = os.date("!*t", here)
  utc.isdst = false
  return here + os.difftime(here, os.time(utc))
end

local function check_clock(headers)
  local theirs = headers and read_date(headers.date)
  if not theirs then return line("clock", nil, "the gateway told no time") end
  local skew = os.time() - theirs
  local good = math.abs(skew) <= MAX_SKEW
  return line("clock", good, good and "as the gateway's"
    or ("%d s %s the gateway's"):format(math.abs(skew), skew > 0 and "ahead of" or "behind"),
    "Set the clock: certificates and the 24-hour window depend on it.")
end

-- The first call: shows at once whether the gateway is reached, trusted, and knows the key.
local function check_access(client, report)
  local path = client.hosting.endpoints.phone_number.path
  local json, response = client:request { path = path }
  local err = json == nil and response or nil
  local reached = not err or err.status ~= nil
  local trusted = client.base_url:find "^https" and ", TLS verified" or ", without TLS"
  report[#report + 1] = line("gateway", reached, reached and client.base_url .. trusted or tostring(err),
    err and (REACH[err.kind] or "See the message."))
  if not reached then return false end
  local accepted = not (err and (err.kind == "auth" or err.status == 401))
  report[#report + 1] = line("key", accepted, accepted and "accepted" or tostring(err), NEW_KEY)
  report[#report + 1] = check_clock(not err and response.headers or nil)
  return accepted
end

local function check_number(client)
  local number, err = client:phone_number()
  return line("number", number ~= nil, number or tostring(err), "Is the number registered at 360dialog?")
end

local function check_hosting(client)
  local is_cloud = client.hosting.name == "cloud"
  return line("hosting", is_cloud or client.base_url ~= client.hosting.base_url,
    is_cloud and "Cloud" or "On-Premise",
    "WhatsApp's On-Premise client ended in October 2025: move the number, then see waba migrate.")
end

-- Seconds to wait for a response from the webhook's address.
local PROBE_TIMEOUT = 10

-- Checks whether a server responds at the webhook's address, as seen from this machine. Any response is accepted.
local function check_address(client, url)
  local is_local = loopback.is_url(url)
  if is_local and not loopback.is_url(client.base_url) then
    return line("webhook", false, url, "The gateway can't reach an address of this machine only: set a public one.")
  end
  if not is_local and not url:find "^https://" then
    return line("webhook", false, url, "The address must begin with https://.")
  end
  local response, failure = client.transport:send {
    head = { method = "GET", url = url, headers = { ["User-Agent"] = "waba doctor" }, idempotent = true },
    timeout = PROBE_TIMEOUT, connect_timeout = PROBE_TIMEOUT, max_body = 65536,
  }
  if response or failure.status then
    return line("webhook", true, ("%s, reached from here (status %d)"):format(url, (response or failure).status))
  end
  return line("webhook", false, ("%s: %s"):format(url, failure.message),
    failure.kind == "tls" and "The gateway accepts only a valid certificate from a public certificate authority."
      or "No server responds there, as seen from this machine: check host name, port and firewall.")
end

local function check_webhook(client)
  local address, err = client.webhook:get()
  if not address then return line("webhook", false, tostring(err), "See waba webhook --help.") end
  if not address.url then
    return line("webhook", false, "no address is set", "waba webhook set https://…; until then nothing is received.")
  end
  return check_address(client, address.url)
end

local function check_health(client)
  local health, err = client:health()
  if not health then return line("health", false, tostring(err), "Try again in five minutes.") end
  local said = { health.status or health.healthy and "connected" or "not connected" }
  for _, node in ipairs(health.nodes) do
    for _, fault in ipairs(node.errors or {}) do
      said[#said + 1] = fault.message
    end
  end
  return line("health", health.healthy, table.concat(said, "; "),
    "The gateway looks every five minutes: if it stays so, open a ticket with 360dialog.")
end

local OTHER = { on_premise = "cloud", cloud = "on_premise" }
local TITLES = { on_premise = "On-Premise", cloud = "Cloud" }

-- Checks whether the key belongs to the other hosting, if this gateway refuses it or has no number for it.
local function belongs_to_other(ctx, client)
  if client.sandbox then return false end
  local own_url = client.base_url ~= client.hosting.base_url and client.base_url or nil
  local made, other = pcall(waba.client, { api_key = ctx:key(), hosting = OTHER[client.hosting.name],
    base_url = own_url, ca_file = ctx.args.ca_file, timeout = PROBE_TIMEOUT, retry = false })
  if not made then return false end
  local number = other:phone_number()
  other:close()
  return number ~= nil
end

local function wrong_hosting(client)
  local right = OTHER[client.hosting.name]
  return line("hosting", false, ('%s, but the key belongs to %s: hosting = "%s"'):format(
    TITLES[client.hosting.name], TITLES[right], right),
    ('Give hosting = "%s" to waba.client, and --hosting %s or WABA_HOSTING=%s to the command.'):format(right, right,
      right))
end

-- Everything, from what the rest depends on to what hangs on it.
local function examine(ctx)
  local found, fault, source = pcall(ctx.key, ctx)
  if not found then
    local says = type(fault) == "table" and fault.message or tostring(fault)
    return { line("api key", false, says, "It stands in the 360dialog Hub.") }
  end
  local client, report = ctx:client(), {}
  report[1] = line("api key", true, "from " .. source)
  report[2] = check_hosting(client)
  local has_access = check_access(client, report)
  local number = has_access and check_number(client)
  if not (number and number.good) and belongs_to_other(ctx, client) then
    report[2] = wrong_hosting(client)
    return report
  end
  if has_access then
    report[#report + 1] = number
    report[#report + 1] = check_webhook(client)
    report[#report + 1] = check_health(client)
  end
  return report
end

-- What stands beside "good  api key  " in 80 columns.
local ADVICE_WIDTH = 64

local WORDS = { [true] = { "good", "good" }, [false] = { "bad", "bad" } }

local function show(report)
  local rows = {}
  for _, entry in ipairs(report) do
    local word = WORDS[entry.good] or { "?", "dim" }
    rows[#rows + 1] = { { text = word[1], colour = word[2] }, entry.name, entry.says }
    for _, text in ipairs(entry.advice and output.wrapped(entry.advice, ADVICE_WIDTH) or {}) do
      rows[#rows + 1] = { "", "", text }
    end
  end
  output.columns(rows)
end

---@param ctx waba.cli.Context
---@return integer exit_code
function doctor.run(ctx)
  local report = examine(ctx)
  if ctx.json then
    for _, entry in ipairs(report) do
      if entry.good == nil then entry.good = core.null end
    end
    output.json(report)
  else
    show(report)
  end
  for _, entry in ipairs(report) do
    if entry.good == false then return 1 end
  end
  return 0
end

return doctor
