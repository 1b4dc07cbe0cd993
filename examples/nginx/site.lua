-- Sends a text message from a form with the fields `to` and `text`. The response has the message's id, or the error.

local gateway = require "gateway"
local waba = require "waba"

local site = {}

-- The HTTP status for each kind of error; 502 for other kinds.
local STATUSES = { invalid = 400, recipient = 422, window = 422, rate_limited = 503 }

local function field(fields, name)
  return type(fields[name]) == "string" and fields[name] or nil
end

--- Responds to a POST with 200 and the message's id, or with an error.
function site.send()
  ngx.req.read_body()
  local fields = ngx.req.get_post_args()
  local sent, err = gateway:send(field(fields, "to"), waba.text { body = field(fields, "text") })
  ngx.header["content-type"] = "text/plain"
  if not sent then
    ngx.status = STATUSES[err.kind] or 502
    return ngx.say(tostring(err))
  end
  ngx.say(sent.id)
end

return site
