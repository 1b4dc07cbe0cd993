-- Messages for the specs: an example of each type, random valid messages, and messages with one mistake. The messages
-- are written from the platform's reference, not from the rules in lua/waba/schema, so that tests fail if a rule is too
-- strict or too lax.

local random = require "spec.support.random"
local cloud = require "spec.support.messages.cloud"
local common = require "spec.support.messages.common"
local examples = require "spec.support.messages.examples"
local message = require "waba.message"
local mistakes = require "spec.support.messages.mistakes"

local messages = {
  rng = random.rng,
  mutate = mistakes.mutate,
  copy = mistakes.copy, -- the copy shares no table with the original
}

local builders = { on_premise = common, cloud = {} }
for kind, build in pairs(common) do
  if kind ~= "hsm" then builders.cloud[kind] = build end
end
for kind, build in pairs(cloud.builders) do builders.cloud[kind] = build end

--- Returns all builders of `waba.message`, which loads some of them at first use.
function messages.builders()
  local all = {}
  for name in pairs(getmetatable(message).modules) do all[name] = message[name] end
  for name, build in pairs(message) do all[name] = build end
  return all
end

--- Returns the names of all messages that `random` can build for a hosting, sorted.
function messages.kinds_of(hosting)
  local kinds = {}
  for kind in pairs(builders[hosting]) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  return kinds
end

messages.kinds = messages.kinds_of "on_premise"

--- Returns a random valid message. The same seed gives the same messages.
---@param rng fun(least: integer, most: integer): integer
---@param kind? string     one of `messages.kinds`; by default a random one
---@param hosting? string  "on_premise" by default
function messages.random(rng, kind, hosting)
  hosting = hosting or "on_premise"
  kind = kind or random.pick(rng, messages.kinds_of(hosting))
  return builders[hosting][kind](rng, hosting), kind
end

--- Returns one example of every type and of every kind of interactive message.
---@param hosting? string  "on_premise" by default
---@return { name: string, message: waba.Message }[]
function messages.examples(hosting)
  if hosting == "cloud" then return cloud.examples() end
  return examples()
end

return messages
