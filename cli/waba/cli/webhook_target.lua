-- Posts webhook bodies to a program, with the URL, the credentials and the signature of the command line.

local core = require "waba.core"
local encoding = require "waba.encoding"
local transports = require "waba.transport"

local webhook_target = {}

local TIMEOUT = 5 -- seconds; the gateway waits equally long for a response (cloud.md, section 4.3)

---@param command table
---@param name? string  the name of the option with the URL; default: "--to"
function webhook_target.add_options(command, name)
  command:option(name or "--to", "The address of the program."):argname "<url>"
  command:option("--user", "The user; the password is read from WABA_WEBHOOK_PASSWORD."):argname "<user>"
  command:option("--header", "A header, as Name: value; can be repeated."):argname "<header>":count "*"
  command:flag("--secret", "Sign with the secret in WABA_WEBHOOK_SECRET.")
end

local function headers_of(ctx, args)
  local headers = { ["Content-Type"] = "application/json" }
  for _, text in ipairs(args.header) do
    local name, value = text:match "^([%w_%-]+):%s*(.-)%s*$"
    if not name or not core.check_header(name, value) then
      ctx:wrong(("--header must be Name: value, not %s"):format(text:match "^[^:]*"))
    end
    headers[name] = value
  end
  if args.user then
    headers.Authorization = encoding.basic(args.user, ctx:environment("WABA_WEBHOOK_PASSWORD", "--user"))
  end
  return headers
end

--- Checks the options, and returns a function that posts a body with further headers. The returned function returns the
--- HTTP status of the response, or nil and an error text.
---@param ctx waba.cli.Context
---@param args table
---@param url? string     the URL of the program; default: the value of --to
---@param option? string  the option with the URL, for the error message; default: "--to"
---@return fun(body: string, more: table<string, string>?): integer|nil, string?
function webhook_target.new(ctx, args, url, option)
  url = url or args.to
  if not url then ctx:wrong "--to is missing: expected the URL of the program, such as http://127.0.0.1:8080" end
  local origin, message = core.origin(url)
  if not origin then ctx:wrong(("%s %s is not a URL: %s"):format(option or "--to", url, tostring(message))) end
  local headers = headers_of(ctx, args)
  local secret = args.secret and ctx:environment("WABA_WEBHOOK_SECRET", "--secret")
  local transport = transports.of { ca_file = args.ca_file }
  return function(body, more)
    local complete = {}
    for name, value in pairs(more or {}) do complete[name] = value end
    for name, value in pairs(headers) do complete[name] = value end
    if secret then complete["X-Hub-Signature-256"] = "sha256=" .. core.hmac_sha256(secret, body) end
    local response, failure = transport:send {
      head = { method = "POST", url = url, headers = complete, idempotent = false }, body = body, timeout = TIMEOUT,
      connect_timeout = TIMEOUT, max_body = 65536,
    }
    if not response then return nil, failure.message end
    return response.status
  end
end

function webhook_target.cell(status, message)
  return { text = status and tostring(status) or message or "?", colour = status == 200 and "good" or "bad" }
end

return webhook_target
