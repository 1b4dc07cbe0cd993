-- Cloud hosting: the URLs and rate limits of the gateway.

local cloud_errors = require "waba.hosting.cloud.errors"
local endpoints = require "waba.hosting.cloud.endpoints"
local messages = require "waba.hosting.cloud.messages"
local sent = require "waba.hosting.sent"

local cloud = {
  name = "cloud",
  base_url = "https://waba-v2.360dialog.io",
  sandbox_url = "https://waba-sandbox.360dialog.io/v1",
  -- requests per second (cloud.md, section 7); one recipient gets at most one message in six seconds
  pace = {
    messages = { rate = 80, burst = 80 }, other = { rate = 20, burst = 60 }, media = { rate = 20, burst = 5 },
    pair = { rate = 1 / 6, burst = 45 },
  },
  endpoints = endpoints,
  errors = cloud_errors,
  encode_message = messages.encode,
  -- webhook URLs of Cloud hosting have no port, and no "_" in the host (cloud.md, section 4.1)
  webhook_url = { most_characters = 2048 },
  read_sent = sent.read,
  number_field = "display_phone_number", -- in the response to GET /health_status (cloud.md, section 8.2)
}

--- Returns the body of the request that marks a message as read (cloud.md, section 2.20).
function cloud.encode_read(id, options)
  local body = { messaging_product = "whatsapp", status = "read", message_id = id }
  if options and options.typing then body.typing_indicator = { type = "text" } end
  return body
end

return cloud
