-- Forwards each webhook that `waba listen` receives to a program, and writes it to a file.

local core = require "waba.core"
local output = require "waba.cli.output"
local target = require "waba.cli.webhook_target"

local forwarding = {}

-- Headers that are not forwarded: headers of one connection (RFC 9110, section 7.6.1), and headers that the transport
-- writes itself.
local OWN = {
  connection = true, ["keep-alive"] = true, te = true, trailer = true, ["transfer-encoding"] = true, upgrade = true,
  host = true, ["content-length"] = true, ["content-type"] = true, ["accept-encoding"] = true, expect = true,
}

local function forwarded_headers(headers)
  local kept = {}
  for name, value in pairs(headers) do
    if type(value) == "string" and not OWN[name:lower()] and core.check_header(name, value) then kept[name] = value end
  end
  return kept
end

-- Writes a line for each webhook: the time at which it arrived, its path, and its bytes. The headers are left out,
-- because they may contain secrets.
local function open_record(ctx, path)
  local file, message = core.append(path)
  if not file then ctx:wrong(("--record: can't write %s: %s"):format(path, tostring(message))) end
  return function(request)
    local line = core.encode { time = os.time(), path = request.path, body = request.body }
    -- `line` is nil if the body is not UTF-8; the receiver refuses such a body before this function is called
    local written, reason = true, nil
    if line then written, reason = file:write(line .. "\n") end
    if not written then error({ message = ("can't write %s: %s"):format(path, tostring(reason)) }, 0) end
  end
end

--- Extends a receiver: each webhook that it accepts is also forwarded to a program and written to a file. If the
--- program does not respond with 200, the receiver responds with 503, so that the gateway sends the webhook again.
---@param ctx waba.cli.Context
---@param receiver waba.Receiver
---@param args { forward_to: string?, record: string? }
function forwarding.attach(ctx, receiver, args)
  local record = args.record and open_record(ctx, args.record)
  local post = args.forward_to
    and target.new(ctx, { header = {}, ca_file = args.ca_file }, args.forward_to, "--forward-to")
  local handle = receiver.handle
  function receiver:handle(request, put)
    local status, headers, body, reason = handle(self, request, put)
    if status ~= 200 then return status, headers, body, reason end
    if record then record(request) end
    if not post then return status, headers, body end
    local answered, message = post(request.body, forwarded_headers(request.headers))
    io.stderr:write(("%s: %s\n"):format(args.forward_to, answered or output.one_line(message)))
    if answered == 200 then return status, headers, body end
    return 503, { ["retry-after"] = "1" }, "", ("the program at --forward-to %s did not respond with 200"):format(
      args.forward_to)
  end
end

return forwarding
