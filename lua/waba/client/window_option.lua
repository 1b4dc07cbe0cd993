-- Sends a message if the 24-hour window is open, and a template if the window is closed.

local copy = require("waba.message.parts").copy
local errors = require "waba.errors"
local of_number = require "waba.client.of_number"

--- `client:send` with the option `window`.
return function(client, to, message, options)
  local receiver, otherwise, rest = options.window, options.otherwise, copy(options)
  rest.window, rest.otherwise = nil, nil
  if message.type == "template" then return client:send(to, message, rest) end
  local left, err = receiver:window(to, of_number.digits(client))
  if not left then return nil, err end
  if left <= 0 then
    if otherwise then return client:send(to, otherwise, rest) end
    return nil, errors.new {
      kind = "window",
      message = "the 24-hour window of this customer is closed: send a template, or set option otherwise to a template",
    }
  end
  local sent
  sent, err = client:send(to, message, rest)
  if sent then
    if otherwise and sent.id then receiver:expect(sent.id, to, otherwise) end
    return sent
  end
  if otherwise and err.kind == "window" and not err.maybe_sent then return client:send(to, otherwise, rest) end
  return nil, err
end
