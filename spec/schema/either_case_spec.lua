-- The check accepts the types of a template's components in upper case and in lower case, because the platform uses
-- both.

local waba = require "waba"

local TEXT = { { type = "text", text = "x" } }
local IMAGE = { { type = "image", image = { id = "1" } } }

local function template(components)
  return waba.template { name = "t", language = "en", namespace = "n", components = components }
end

local function button(kind, sub_type, parameter)
  return { type = kind, sub_type = sub_type, index = 0, parameters = { parameter } }
end

local PAYLOAD, SUFFIX = { type = "payload", payload = "p" }, { type = "text", text = "s" }

-- Returns lists of components; `convert` changes the case of some of their types.
local function in_case(convert)
  return {
    { { type = convert "body", parameters = TEXT } },
    { { type = convert "header", parameters = IMAGE }, { type = convert "body", parameters = TEXT } },
    { button(convert "button", "quick_reply", PAYLOAD) }, { button("button", convert "quick_reply", PAYLOAD) },
    { button("button", convert "url", SUFFIX) }, { button(convert "button", convert "url", SUFFIX) },
  }
end

local function cards_in_case(convert)
  local components = {
    { type = convert "header", parameters = IMAGE }, { type = convert "body", parameters = TEXT },
    button(convert "button", convert "quick_reply", PAYLOAD),
  }
  return { { type = convert "carousel", cards = { { card_index = 0, components = components },
    { card_index = 1, components = components } } } }
end

describe("the types of a template's components", function()
  it("may be written in lower case and in upper case", function()
    for _, convert in ipairs { string.lower, string.upper } do
      for index, components in ipairs(in_case(convert)) do
        for _, hosting in ipairs { "cloud", "on_premise" } do
          local ok, err = waba.check(template(components), hosting)
          if hosting == "cloud" or convert == string.lower then assert(ok, index .. hosting .. tostring(err)) end
        end
      end
      assert(waba.check(template(cards_in_case(convert)), "cloud"))
    end
  end)

  it("must be known in either case", function()
    for _, name in ipairs { "BODIES", "bodies" } do
      local ok, err = waba.check(template { { type = name, parameters = TEXT } }, "cloud")
      assert.is_nil(ok)
      assert.equal("template.components[1].type", err.path)
    end
    for _, name in ipairs { "LINK", "link" } do
      local ok, err = waba.check(template { button("button", name, SUFFIX) }, "cloud")
      assert.is_nil(ok)
      assert.equal("template.components[1].sub_type", err.path)
    end
  end)
end)
