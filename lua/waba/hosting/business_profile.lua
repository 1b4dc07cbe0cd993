-- The rule of a business profile (cloud.md, section 8.3; on-premise.md, section 8). Only `vertical`, the rule of the
-- industry, differs between the hostings.

local shared = require "waba.schema.shared"

local text = shared.text

return function(vertical)
  return shared.object {
    address = text(0, 256), description = text(0, 512), email = text(0, 128), vertical = vertical,
    websites = { is = "list", count = { 0, 2 }, each = { is = "string", characters = { 1, 256 }, format = "url" } },
  }
end
