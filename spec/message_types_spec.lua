-- A new message type needs rules for each hosting, a builder, a rule of the emulator, an example and a row in the
-- guide. This spec fails if a message type lacks one of them, and names it.

local documents = require "spec.support.documents"
local messages = require "spec.support.messages"
local schema = require "waba.schema"
local waba = require "waba"

local GUIDE = "docs/guides/message-types.md"
local HOSTINGS = { "on_premise", "cloud" }

-- Functions of `waba.message` that are not builders of one message type.
local NO_TYPE = { message = true, currency = true, date_time = true }

-- Types that 360dialog offers to selected customers only. The library accepts these types; the emulator refuses them.
local PILOTS = {
  on_premise = {
    ["interactive address_message"] = true, ["interactive order_details"] = true, ["interactive order_status"] = true,
  },
  cloud = {},
}

-- "text", "interactive button"
local function name_of(built)
  if built.type ~= "interactive" then return built.type end
  return "interactive " .. tostring(built.interactive.type)
end

-- Returns the set of the names of those message types and interactive kinds for whose rule `is_wanted` returns true.
-- `interactive` itself does not count as a type.
local function collect(types, kinds, is_wanted)
  local names = {}
  for name, rule in pairs(types) do
    if name ~= "interactive" and is_wanted(rule) then names[name] = true end
  end
  for name, rule in pairs(kinds) do
    if is_wanted(rule) then names["interactive " .. name] = true end
  end
  return names
end

local function always() return true end

local function is_supported(rule) return not rule.unsupported and not (rule.inferred and rule.inferred.unsupported) end

local function in_schema(hosting, is_wanted)
  local ruleset, types = schema.ruleset(hosting), {}
  for kind in pairs(ruleset.types) do types[kind] = schema.content(ruleset, kind) end
  return collect(types, types.interactive.variants, is_wanted)
end

local function set(list)
  local names = {}
  for _, name in ipairs(list) do names[name] = true end
  return names
end

-- For each hosting, a function that returns the set of types for which the emulator has rules.
local emulated = {}

function emulated.on_premise()
  local rules = require "waba.emulator.on_premise.message_rules"
  local listed = set(rules.types)
  for name in pairs(listed) do listed[name] = rules.content[name] and true end
  return collect(listed, rules.content.interactive.variants, always)
end

function emulated.cloud()
  local rules = require "waba.emulator.cloud.message_rules"
  local listed = set(rules.types)
  for name in pairs(listed) do listed[name] = rules.content[name] and true end
  return collect(listed, rules.content.interactive.variants, always)
end

-- Returns the builders of each type. The keys are the names of the types.
local function built()
  local names = {}
  for builder, fn in pairs(messages.builders()) do
    if not NO_TYPE[builder] then
      local name = name_of(fn {})
      names[name] = names[name] or {}
      table.insert(names[name], builder)
    end
  end
  return names
end

-- Asserts that `whole` contains all names of `part`.
local function contains(whole, part, sentence)
  local missing = {}
  for name in pairs(part) do
    if not whole[name] then missing[#missing + 1] = name end
  end
  table.sort(missing)
  assert(#missing == 0, ("%s: %s"):format(sentence, table.concat(missing, ", ")))
end

describe("every message type", function()
  it("has rules on both hostings, also if it is unsupported", function()
    contains(in_schema("on_premise", always), in_schema("cloud", always), "no rule in lua/waba/schema/on_premise.lua")
    contains(in_schema("cloud", always), in_schema("on_premise", always), "no rule in lua/waba/schema/cloud.lua")
  end)

  it("has a builder, and every builder makes an existing type", function()
    contains(built(), in_schema("cloud", always), "no builder in lua/waba/message")
    contains(in_schema("cloud", always), built(), "no rule in lua/waba/schema for what a builder makes")
  end)

  for _, hosting in ipairs(HOSTINGS) do
    it("has a rule in the emulator's gateway: " .. hosting, function()
      local wanted = in_schema(hosting, is_supported)
      for name in pairs(PILOTS[hosting]) do
        assert(wanted[name], name .. " is no type any more")
        wanted[name] = nil
      end
      contains(emulated[hosting](), wanted, "no rule in emulator/waba/emulator/" .. hosting)
      contains(in_schema(hosting, is_supported), emulated[hosting](), "the emulator knows more than the schema of " .. hosting)
    end)

    it("has an example in the specs: " .. hosting, function()
      local wanted, examples = in_schema(hosting, is_supported), {}
      for name in pairs(PILOTS[hosting]) do wanted[name] = nil end
      for _, example in ipairs(messages.examples(hosting)) do examples[name_of(example.message)] = true end
      contains(examples, wanted, "no example in spec/support/messages")
    end)
  end

  describe("in the guide", function()
    local emulator, clients

    setup(function()
      emulator = assert(waba.emulator.start { statuses = false })
      clients = { on_premise = waba.client(emulator:options {}), cloud = waba.client(emulator:options { hosting = "cloud" }) }
    end)

    teardown(function()
      for _, client in pairs(clients) do client:close() end
      emulator:stop()
    end)

    for _, row in ipairs(documents.rows(GUIDE)) do
      it(("has the result of the guide (line %d): %s"):format(row.line, row.cells[1]), function()
        local code = row.cells[2]:match "^`(.*)`$"
        local example = documents.run(GUIDE, { line = row.line, code = "return " .. code }, { waba = waba })
        local to = example.type == "pin" and { group_id = "Y2FwaV9ncm91cDox" } or "+49 151 1234567"
        local where = row.cells[3]
        for hosting, client in pairs(clients) do
          local served = where == "both" or where:find(hosting == "cloud" and "^Cloud" or "^On%-Premise")
          if served then
            assert(client:send(to, example))
          elseif where:find "pilot" then
            assert(waba.check(example, hosting))
          else
            local valid, err = waba.check(example, hosting)
            assert.is_nil(valid)
            assert.matches(hosting == "cloud" and "On%-Premise hosting" or "Cloud hosting", err.message)
          end
        end
      end)
    end
  end)

  it("has a row for each of its builders in the guide", function()
    local named, wanted = {}, {}
    for _, row in ipairs(documents.rows(GUIDE)) do
      for builder in row.cells[2]:gmatch "waba%.([%w_]+)" do named[builder] = true end
    end
    for _, builders in pairs(built()) do
      for _, builder in ipairs(builders) do wanted[builder] = true end
    end
    contains(named, wanted, "not in " .. GUIDE)
  end)
end)
