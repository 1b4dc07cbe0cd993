-- waba doctor: checks key, hosting, number, webhook, health and clock, and prints advice for each failed check.

local core = require "waba.core"
local loopback = require "waba.loopback"
local output = require "waba.cli.output"
local waba = require "waba"

local MAX_SKEW = 60 -- the largest accepted difference between the clocks of this machine and the gateway, in seconds

local function add(parser)
  parser:command("doctor", "Check key, number, webhook, health and clock."):epilog [[
Exit code 0 when every line is good, else 1.]]
end

-- Creates a line of the report. `good` is the result of the check: true, false, or nil if the check was not possible.
local function line(name, good, text, advice)
  return { name = name, good = good, says = text, advice = not good and advice or nil }
end

local CONNECTION_ADVICE = {
  tls = "Check the clock of this machine. If a proxy replaces certificates, pass its authority with --ca-file.",
  network = "Check DNS, firewall and proxy between this machine and the gateway.",
  timeout = "The gateway did not respond in time: try again, or see its status page.",
}

local NEW_KEY = "Create a new key in the 360dialog Hub; only the newest one works, and each hosting has its own."

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

-- Converts a date such as "Tue, 24 Nov 2026 21:39:33 GMT" (RFC 9110) to Unix time.
local function read_date(text)
  local day, month, year, hour, minute, second = tostring(text):match "(%d+) (%a+) (%d+) (%d+):(%d+):(%d+) GMT"
  if not MONTHS[month] then return nil end
  local time = { year = tonumber(year), month = MONTHS[month], day = tonumber(day), hour = tonumber(hour),
    min = tonumber(minute), sec = tonumber(second), isdst = false }
  local as_local = os.time(time)
  -- `os.time` interprets its argument as local time, so the difference between local time and UTC is added
  local utc = os.date("!*t", as_local)
  utc.isdst = false
  return as_local + os.difftime(as_local, os.time(utc))
end

local function check_clock(headers)
  local theirs = headers and read_date(headers.date)
  if not theirs then return line("clock", nil, "the gateway's response has no date") end
  local skew = os.time() - theirs
  local good = math.abs(skew) <= MAX_SKEW
  return line("clock", good, good and "same as the gateway's"
    or ("%d s %s the gateway's"):format(math.abs(skew), skew > 0 and "ahead of" or "behind"),
    "Set the clock: certificates and the 24-hour window depend on it.")
end

-- Adds three lines to the report: whether the gateway responds, whether the gateway accepts the key, and the clock.
-- Returns whether the gateway accepts the key.
local function check_access(client, report)
  local path = client.hosting.endpoints.phone_number.path
  local json, response = client:request { path = path }
  local err = json == nil and response or nil
  local reached = not err or err.status ~= nil
  local trusted = client.base_url:find "^https" and ", TLS verified" or ", without TLS"
  report[#report + 1] = line("gateway", reached, reached and client.base_url .. trusted or tostring(err),
    err and (CONNECTION_ADVICE[err.kind] or "See the error message."))
  if not reached then return false end
  local accepted = not (err and (err.kind == "auth" or err.status == 401))
  report[#report + 1] = line("key", accepted, accepted and "accepted" or tostring(err), NEW_KEY)
  report[#report + 1] = check_clock(not err and response.headers or nil)
  return accepted
end

local function check_number(client)
  local number, err = client:phone_number()
  return line("number", number ~= nil, number or tostring(err),
    "Check in the 360dialog Hub whether the number is registered.")
end

local function check_hosting(client)
  local is_cloud = client.hosting.name == "cloud"
  return line("hosting", is_cloud or client.base_url ~= client.hosting.base_url,
    is_cloud and "Cloud" or "On-Premise",
    "Meta ended the On-Premise API in October 2025: move the number to Cloud hosting, then see waba migrate.")
end

local PROBE_TIMEOUT = 10 -- seconds

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
    return line("webhook", false, "no address is set",
      "Set it with waba webhook set https://…; until then no webhooks arrive.")
  end
  return check_address(client, address.url)
end

local function check_health(client)
  local health, err = client:health()
  if not health then return line("health", false, tostring(err), "Try again in five minutes.") end
  local messages = { health.status or health.healthy and "connected" or "not connected" }
  for _, node in ipairs(health.nodes) do
    for _, reason in ipairs(node.errors or {}) do messages[#messages + 1] = reason.message end
  end
  return line("health", health.healthy, table.concat(messages, "; "),
    "The gateway checks every five minutes: if the state stays the same, open a ticket with 360dialog.")
end

local OTHER = { on_premise = "cloud", cloud = "on_premise" }
local TITLES = { on_premise = "On-Premise", cloud = "Cloud" }

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
    ('Use hosting = "%s" in waba.client, and --hosting %s or WABA_HOSTING=%s with the command.'):format(right, right,
      right))
end

local function examine(ctx)
  local found, raised, source = pcall(ctx.key, ctx)
  if not found then
    local text = type(raised) == "table" and raised.message or tostring(raised)
    return { line("api key", false, text, "Find the key in the 360dialog Hub.") }
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

local ADVICE_WIDTH = 64 -- characters of the third column of the report on a terminal of 80 columns

local RESULTS = { [true] = { "good", "good" }, [false] = { "bad", "bad" } }

local function show(report)
  local rows = {}
  for _, entry in ipairs(report) do
    local result = RESULTS[entry.good] or { "?", "dim" }
    rows[#rows + 1] = { { text = result[1], colour = result[2] }, entry.name, entry.says }
    for _, text in ipairs(entry.advice and output.wrapped(entry.advice, ADVICE_WIDTH) or {}) do
      rows[#rows + 1] = { "", "", text }
    end
  end
  output.columns(rows)
end

local function run(ctx)
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

return { add = add, run = run }
