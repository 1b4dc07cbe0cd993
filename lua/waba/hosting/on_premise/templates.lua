-- The rules of a template that is to be created on the On-Premise gateway (reference, section 9), as
-- data, and what data can't say: placeholders, and what the parts ask of each other.

local core = require "waba.core"
local errors = require "waba.errors"
local validate = require "waba.resource.validate"

local templates = {}

local some_text = { is = "string", characters = { 1 } }

local function text(most)
  return { is = "string", characters = { 1, most } }
end

local function required(rule)
  local result = { required = true }
  for name, value in pairs(rule) do result[name] = value end
  return result
end

local function list_of(rule, count)
  return { is = "list", count = count, each = rule }
end

-- The examples that reviewers see. Newer kinds of them are refused in the strict mode only.
local function example(fields)
  return { is = "object", fields = fields, open = true, inferred = { open = false } }
end

local file_header = { is = "object", fields = { example = example { header_handle = list_of(some_text, { 1, 1 }) } } }

local header = {
  is = "object",
  by = "format",
  variants = {
    TEXT = {
      is = "object",
      fields = { text = required(text(60)), example = example { header_text = list_of(some_text, { 1, 1 }) } },
    },
    IMAGE = file_header,
    VIDEO = file_header,
    DOCUMENT = file_header,
    LOCATION = { is = "object" },
  },
}

local body = {
  is = "object",
  fields = {
    text = text(1024), -- required but for authentication: see below
    example = example { body_text = list_of(list_of(some_text)) },
    add_security_recommendation = { is = "boolean" },
  },
}

local footer = {
  is = "object",
  fields = { text = text(60), code_expiration_minutes = { is = "integer", range = { 1, 90 } } },
  at_least_one = { "text", "code_expiration_minutes" },
  inferred = { exactly_one = { "text", "code_expiration_minutes" } },
}

-- Lengths of buttons are recalled from the platform's newer documents.
local button_text = { is = "string", required = true, characters = { 1 }, inferred = { characters = { 1, 25 } } }

local otp = {
  is = "object",
  by = "otp_type",
  variants = {},
}

for otp_type, needs_app in pairs { COPY_CODE = false, ONE_TAP = true, ZERO_TAP = true } do
  local app = { is = "string", characters = { 1 }, inferred = { required = needs_app or nil } }
  otp.variants[otp_type] = {
    is = "object",
    fields = {
      text = { is = "string", characters = { 1 }, inferred = { characters = { 1, 25 } } },
      autofill_text = { is = "string", characters = { 1 }, inferred = { characters = { 1, 25 } } },
      package_name = app,
      signature_hash = app,
    },
  }
end

local buttons = {
  is = "object",
  fields = {
    buttons = {
      is = "list",
      required = true,
      count = { 1, 10 },
      each = {
        is = "object",
        by = "type",
        variants = {
          QUICK_REPLY = { is = "object", fields = { text = button_text } },
          URL = {
            is = "object",
            fields = {
              text = button_text,
              url = { is = "string", required = true, format = "url", inferred = { characters = { 1, 2000 } } },
              example = list_of(some_text, { 1, 1 }),
            },
          },
          PHONE_NUMBER = {
            is = "object",
            fields = {
              text = button_text,
              phone_number = {
                is = "string", required = true, characters = { 1 }, inferred = { characters = { 1, 20 } },
              },
            },
          },
          OTP = otp,
        },
      },
    },
  },
}

--- What POST /v1/configs/templates takes.
---@type waba.Rule
templates.rule = {
  is = "object",
  fields = {
    name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" },
    language = required(some_text),
    category = { required = true, one_of = { "AUTHENTICATION", "MARKETING", "UTILITY" } },
    allow_category_change = { is = "boolean" },
    components = {
      is = "list",
      required = true,
      count = { 1, 4 },
      unique = { "type" },
      each = {
        is = "object",
        by = "type",
        variants = { HEADER = header, BODY = body, FOOTER = footer, BUTTONS = buttons },
      },
    },
  },
}

-- Beyond the data ---------------------------------------------------------------------------------

-- The placeholders of a text, in order, as they stand between the braces.
local function placeholders(value)
  local found = {}
  for name in value:gmatch("{{%s*(.-)%s*}}") do found[#found + 1] = name end
  return found
end

-- How many different ones there are.
local function variety(names)
  local seen, count = {}, 0
  for _, name in ipairs(names) do
    if not seen[name] then seen[name], count = true, count + 1 end
  end
  return count, seen
end

local function plural(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

-- {{1}} to {{n}}, none left out.
local function numbering_fault(names)
  local count, seen = variety(names)
  for i = 1, count do
    if not seen[tostring(i)] then
      return ("has no {{%d}}; its %s must be numbered from {{1}}"):format(i, plural(count, "placeholder"))
    end
  end
end

-- Each rule looks at one component and returns the path below it and what is wrong there. `inferred`
-- ones are not in the platform's documents.
local component_rules = {
  HEADER = {
    {
      check = function(component)
        if component.format ~= "TEXT" then return end
        local count = #placeholders(component.text)
        if count > 1 then return "text", ("has %d placeholders; at most 1 is allowed"):format(count) end
      end,
    },
    {
      inferred = true,
      check = function(component)
        local fault = component.format == "TEXT" and numbering_fault(placeholders(component.text))
        if fault then return "text", fault end
      end,
    },
  },
  BODY = {
    {
      check = function(component, template)
        if component.text == nil and template.category ~= "AUTHENTICATION" then return "text", "is missing" end
      end,
    },
    {
      inferred = true,
      check = function(component)
        local fault = component.text and numbering_fault(placeholders(component.text))
        if fault then return "text", fault end
      end,
    },
    {
      inferred = true,
      check = function(component)
        local count = variety(placeholders(component.text or ""))
        for i, values in ipairs(component.example and component.example.body_text or {}) do
          if #values ~= count then
            return ("example.body_text[%d]"):format(i),
              ("has %s; the text has %s"):format(plural(#values, "element"), plural(count, "placeholder"))
          end
        end
      end,
    },
  },
  FOOTER = {
    {
      check = function(component)
        if component.text and #placeholders(component.text) > 0 then
          return "text", "has a placeholder; a footer takes none"
        end
      end,
    },
  },
  BUTTONS = {
    {
      check = function(component)
        for i, button in ipairs(component.buttons) do
          local path = ("buttons[%d]"):format(i)
          local names = placeholders(button.url or "")
          if #names > 1 then
            return path .. ".url", ("has %d placeholders; at most 1 is allowed"):format(#names)
          elseif #names == 1 and (names[1] ~= "1" or not button.url:find("}}$")) then
            return path .. ".url", "has its placeholder elsewhere; it may end with {{1}}"
          end
        end
      end,
    },
    {
      inferred = true,
      check = function(component, template)
        for i, button in ipairs(component.buttons) do
          if button.type == "OTP" and template.category ~= "AUTHENTICATION" then
            return ("buttons[%d].type"):format(i), "is OTP; it is allowed in the category AUTHENTICATION only"
          end
        end
      end,
    },
  },
}

local function component_fault(component, template, mode)
  for _, rule in ipairs(component_rules[component.type]) do
    if mode == true or not rule.inferred then
      local path, says = rule.check(component, template)
      if path then return path, says end
    end
  end
end

--- Checks a template before it is created.
---@param client waba.Client    its `validate` says which rules hold
---@param template table        the body of POST /v1/configs/templates
---@return true|nil
---@return waba.Error? err  of kind "invalid", with a path such as "components[2].buttons[1].text"
function templates.check(client, template)
  if not client.validate then return true end
  local valid, err = validate(client, templates.rule, template)
  if not valid then return nil, err end
  local has_body = false
  for i, component in ipairs(template.components) do
    has_body = has_body or component.type == "BODY"
    local path, says = component_fault(component, template, client.validate)
    if path then
      path = ("components[%d].%s"):format(i, path)
      return nil, errors.invalid(path, path .. " " .. says)
    end
  end
  if not has_body then return nil, errors.invalid("components", "components has no BODY; a template needs one") end
  return true
end

-- Reading -----------------------------------------------------------------------------------------

-- A copy in which null is what it means: nothing.
local function without_null(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, inner in pairs(value) do
    if inner ~= core.null then copy[name] = without_null(inner) end
  end
  return copy
end

--- A template as the gateway has it. What is not named here is as the platform writes it.
---@class waba.StoredTemplate
---@field name string
---@field language string
---@field category string         in capitals
---@field status string           as the platform writes it: "approved", "rejected", "submitted", …
---@field components table[]      with types in capitals
---@field namespace string?       of the account; what a message names
---@field rejected_reason string? "NONE" when it was not rejected
---@field id string?

--- Reads one template.
---@param json any
---@return waba.StoredTemplate|nil
function templates.read(json)
  if type(json) ~= "table" or type(json.name) ~= "string" then return nil end
  local template = without_null(json)
  if template.id ~= nil then template.id = tostring(template.id) end
  if type(template.components) ~= "table" then template.components = {} end
  return template
end

--- Reads one page of the list.
---@param json any
---@param offset integer  that was asked for
---@return waba.TemplatePage|nil
function templates.read_page(json, offset)
  if type(json) ~= "table" or type(json.waba_templates) ~= "table" then return nil end
  local page = { templates = {}, limit = tonumber(json.limit), offset = tonumber(json.offset) or offset }
  for _, item in ipairs(json.waba_templates) do page.templates[#page.templates + 1] = templates.read(item) end
  page.count = tonumber(json.count) or #json.waba_templates
  page.total = tonumber(json.total) or page.offset + page.count
  return page
end

return templates
