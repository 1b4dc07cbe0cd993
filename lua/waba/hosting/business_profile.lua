-- The rule of a business profile, which is the same on both hostings except for the industry (cloud.md, section 8.3;
-- on-premise.md, section 8). The rule has its own file, because a program that only sends messages does not load the
-- rule.

local shared = require "waba.schema.shared"

local text = shared.text

--- Creates the rule; `vertical` is the rule of the industry.
return function(vertical)
  return shared.object {
    address = text(0, 256), description = text(0, 512), email = text(0, 128), vertical = vertical,
    websites = { is = "list", count = { 0, 2 }, each = { is = "string", characters = { 1, 256 }, format = "url" } },
  }
end
