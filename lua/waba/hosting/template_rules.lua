-- What both hostings share in the check of a template that is to be created: the pieces of the rules
-- that are data, the placeholders of a text, and the way through components and their rules.

local errors = require "waba.errors"
local validate = require "waba.schema.validate"

local template_rules = {}

---@param rule waba.Rule
---@return waba.Rule  the same, but the field may not be missing
function template_rules.required(rule)
  local result = { required = true }
  for name, value in pairs(rule) do result[name] = value end
  return result
end

---@param most? integer  characters
---@return waba.Rule
function template_rules.text(most)
  return { is = "string", characters = { 1, most } }
end

---@param rule waba.Rule  of each element
---@param count? { [1]: integer, [2]: integer? }
---@return waba.Rule
function template_rules.list_of(rule, count)
  return { is = "list", count = count, each = rule }
end

--- The examples that reviewers see. Newer kinds of them are refused in the strict mode only.
---@param fields table<string, waba.Rule>
---@return waba.Rule
function template_rules.example(fields)
  return { is = "object", fields = fields, open = true, inferred = { open = false } }
end

--- What a template is called.
---@type waba.Rule
template_rules.name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" }

---@type waba.Rule
template_rules.category = { required = true, one_of = { "AUTHENTICATION", "MARKETING", "UTILITY" } }

--- The placeholders of a text, in order, as they stand between the braces.
---@param value string
---@return string[]
function template_rules.placeholders(value)
  local found = {}
  for name in value:gmatch("{{%s*(.-)%s*}}") do found[#found + 1] = name end
  return found
end

--- How many different names there are.
---@param names string[]
---@return integer count
---@return table<string, true> seen
function template_rules.variety(names)
  local seen, count = {}, 0
  for _, name in ipairs(names) do
    if not seen[name] then seen[name], count = true, count + 1 end
  end
  return count, seen
end

---@return string  as in "2 placeholders"
function template_rules.plural(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

--- Whether the names are {{1}} to {{n}}, none left out.
---@param names string[]
---@return string? fault
function template_rules.numbering_fault(names)
  local count, seen = template_rules.variety(names)
  for i = 1, count do
    if not seen[tostring(i)] then
      return ("has no {{%d}}; its %s must be numbered from {{1}}"):format(i,
        template_rules.plural(count, "placeholder"))
    end
  end
end

--- Rules that hold on both hostings.
template_rules.common = {}

function template_rules.common.one_in_header(component)
  if component.format ~= "TEXT" then return end
  local count = #template_rules.placeholders(component.text)
  if count > 1 then return "text", ("has %d placeholders; at most 1 is allowed"):format(count) end
end

function template_rules.common.none_in_footer(component)
  if component.text and #template_rules.placeholders(component.text) > 0 then
    return "text", "has a placeholder; a footer takes none"
  end
end

function template_rules.common.one_at_end_of_url(component)
  for i, button in ipairs(component.buttons) do
    local path = ("buttons[%d].url"):format(i)
    local url = type(button.url) == "string" and button.url or ""
    local names = template_rules.placeholders(url)
    if #names > 1 then
      return path, ("has %d placeholders; at most 1 is allowed"):format(#names)
    elseif #names == 1 and (names[1] ~= "1" or not url:find("}}$")) then
      return path, "has its placeholder elsewhere; it may end with {{1}}"
    end
  end
end

function template_rules.common.otp_in_authentication(component, template)
  if template.category == nil then return end
  for i, button in ipairs(component.buttons) do
    if button.type == "OTP" and template.category ~= "AUTHENTICATION" then
      return ("buttons[%d].type"):format(i), "is OTP; it is allowed in the category AUTHENTICATION only"
    end
  end
end

--- A rule that looks at one component: returns the path below it and what is wrong there.
---@class waba.ComponentRule
---@field check fun(component: table, template: table, mode: true|"documented"): string?, string?
---@field inferred? boolean  not in the platform's documents

--- What is wrong with one component.
---@param rules table<string, waba.ComponentRule[]>  by the component's type
---@param component table
---@param template table
---@param mode true|"documented"
---@return string? path
---@return string? says
function template_rules.component_fault(rules, component, template, mode)
  for _, rule in ipairs(rules[component.type] or {}) do
    if mode == true or not rule.inferred then
      local path, says = rule.check(component, template, mode)
      if path then return path, says end
    end
  end
end

--- Checks a template.
---@param client waba.Client   its `validate` says which rules hold
---@param rule waba.Rule       of the whole
---@param rules table<string, waba.ComponentRule[]>
---@param template table
---@return true|nil
---@return waba.Error? err  of kind "invalid", with a path such as "components[2].buttons[1].text"
function template_rules.check(client, rule, rules, template)
  local mode = client.validate
  if not mode then return true end
  local valid, err = validate(mode, rule, template)
  if not valid then return nil, err end
  if template.components == nil then return true end
  local has_body = false
  for i, component in ipairs(template.components) do
    has_body = has_body or component.type == "BODY"
    local path, says = template_rules.component_fault(rules, component, template, mode)
    if path then
      path = ("components[%d]%s%s"):format(i, path == "" and "" or ".", path)
      return nil, errors.invalid(path, path .. " " .. says)
    end
  end
  if not has_body then return nil, errors.invalid("components", "components has no BODY; a template needs one") end
  return true
end

return template_rules
