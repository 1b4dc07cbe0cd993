-- The templates of an account by name and language, and functions that divide templates and template messages into
-- their parts.

local json = require "waba.emulator.json"

local template_store = {}

-- A deleted name can't be used again for this number of seconds.
local NAME_REST = 30 * 86400

local function order_ready(language, text, reply)
  return { name = "order_ready", language = language, category = "UTILITY", components = {
    { type = "BODY", text = text, example = { body_text = { { "Eva", "118" } } } },
    { type = "BUTTONS", buttons = {
      { type = "QUICK_REPLY", text = reply },
      { type = "URL", text = "See the order", url = "https://shop.example/orders/{{1}}",
        example = { "https://shop.example/orders/118" } } } } } }
end

-- The templates that exist with the option `templates = "any"`.
local PREDEFINED = {
  { name = "hello_world", language = "en_US", category = "UTILITY", components = {
    { type = "HEADER", format = "TEXT", text = "Hello World" },
    { type = "BODY", text = "Welcome, and congratulations: this message shows that you can send messages." },
    { type = "FOOTER", text = "WhatsApp Business API" } } },
  order_ready("en", "Hello {{1}}, your order {{2}} is ready.", "I am coming"),
  order_ready("de", "Hallo {{1}}, Ihre Bestellung {{2}} ist fertig.", "Ich komme"),
  { name = "invoice", language = "de", category = "UTILITY", components = {
    { type = "HEADER", format = "DOCUMENT" },
    { type = "BODY", text = "Ihre Rechnung über {{1}} vom {{2}}.",
      example = { body_text = { { "49,90 EUR", "2. April" } } } } } },
}

---@class waba.emulator.TemplateStore
---@field any boolean              true: a message may use a template that the account does not have
---@field list table[]             the templates in the order of creation
---@field names table<string, integer>   the number of translations of each name
---@field deleted table<string, number>  the time at which the last translation of a name was deleted
local Store = {}
Store.__index = Store

--- Creates a class of template stores. The class must have the methods `complete(template)`, which adds the missing
--- fields of a new template, and `set_status(template, status)`.
function template_store.class(name)
  local class = setmetatable({}, Store)
  class.__index = class
  class.__name = name
  return class
end

local function key(name, language) return name .. "\0" .. language end

--- Creates a store with the templates of the option `templates`.
function template_store.new(class, gateway)
  local templates = gateway.options.templates
  local self = setmetatable({ gateway = gateway, any = templates == "any", list = {}, by_key = {}, by_id = {},
    names = {}, deleted = {} }, class)
  for _, template in ipairs(self.any and PREDEFINED or templates) do self:add(json.without_nulls(template)) end
  return self
end

function Store:add(template)
  template.category = template.category or "UTILITY"
  template.rejected_reason = template.rejected_reason or "NONE"
  self:complete(template)
  self.list[#self.list + 1], self.by_id[template.id] = template, template
  self.by_key[key(template.name, template.language)] = template
  self.names[template.name] = (self.names[template.name] or 0) + 1
  return template
end

--- Calls a function with each translation of a template, or only with the translation to `language`. Returns the number
--- of calls.
function Store:each_of(name, language, apply)
  local count = 0
  for _, template in ipairs(self.list) do
    if template.name == name and (not language or template.language == language) then
      apply(template)
      count = count + 1
    end
  end
  return count
end

--- Sets the result of a review, such as "approved" or "REJECTED", for the translation to `language` or for all
--- translations. Returns the number of changed translations.
function Store:review(name, status, language, reason)
  return self:each_of(name, language, function(template)
    template.rejected_reason = status:lower() == "rejected" and (reason or "INVALID_FORMAT") or "NONE"
    self:set_status(template, status)
  end)
end

--- Approves a template after the seconds of the option `review`, unless its status has changed by then.
function Store:schedule_review(template)
  local seconds, status = self.gateway.options.review, template.status
  if not seconds then return end
  self.gateway.clock:after(seconds, function()
    if template.status == status and self.by_id[template.id] then self:set_status(template, "approved") end
  end)
end

--- Removes the templates for which `wanted` returns true, and returns their number.
function Store:remove(wanted)
  local kept, count = {}, 0
  for _, template in ipairs(self.list) do
    if wanted(template) then
      count = count + 1
      self.by_key[key(template.name, template.language)], self.by_id[template.id] = nil, nil
      local left = self.names[template.name] - 1
      self.names[template.name] = left > 0 and left or nil
      self.deleted[template.name] = left == 0 and self.gateway.clock:now() or self.deleted[template.name]
    else
      kept[#kept + 1] = template
    end
  end
  self.list = kept
  return count
end

function Store:find(name, language) return self.by_key[key(name, language)] end

--- Returns the template with a name and language if it can be sent; otherwise nil and an error. Returns nil without an
--- error for an unknown name if the option `templates` is "any".
function Store:find_sendable(name, language)
  local checker, template = self.gateway.checker, self:find(name, language)
  if not template then
    if self.any and not self.names[name] then return nil end
    return nil, checker.new_error("template_missing", "template name (%s) does not exist in %s", name, language)
  end
  local status = template.status:lower()
  if status == "approved" then return template end
  local code = "template_" .. status
  if checker.codes[code] then
    return nil, checker.new_error(code, "the template %s in %s is %s: only approved templates can be sent", name,
      language, status)
  end
  return nil, checker.new_error("template_missing", "template name (%s) is not approved in %s: it is %s", name,
    language, template.status)
end

--- Returns the reason why a name and language can't be used for a new template.
function Store:name_error(name, language)
  local deleted_at = self.deleted[name]
  if self:find(name, language) then return "there is a template of this name in this language already" end
  if deleted_at and self.gateway.clock:now() - deleted_at < NAME_REST then
    return "it was deleted less than 30 days ago and cannot be used again yet"
  end
end

-- The parts of a template and of a message --------------------------------------------------------

--- Returns the components of a template or a message by their type in lower case, and the buttons by their position.
function template_store.by_type(components)
  local found = { buttons = {} }
  for _, component in ipairs(components or {}) do
    local kind = component.type:lower()
    if kind == "button" then
      found.buttons[tonumber(component.index)] = component
    elseif kind == "buttons" then
      for i, button in ipairs(component.buttons) do found.buttons[i - 1] = button end
    else
      found[kind] = component
    end
  end
  return found
end

function template_store.parameters_of(component) return component and component.parameters or {} end

--- Returns the placeholders of a text in the order in which they occur: {{1}}, {{2}}, or {{name}}.
function template_store.variables(text)
  local list, seen = {}, {}
  for name in (text or ""):gmatch("{{%s*([%w_]+)%s*}}") do
    if not seen[name] then list[#list + 1] = name end
    seen[name] = true
  end
  return list
end

--- Returns whether the names of placeholders are the numbers 1, 2 … without a gap.
function template_store.are_numbered(names)
  local seen = {}
  for _, name in ipairs(names) do seen[name] = true end
  for i = 1, #names do
    if not seen[tostring(i)] then return false end
  end
  return true
end

--- Replaces the placeholders of a text by the values of parameters. The keys of `parameters` are the names of the
--- placeholders.
function template_store.hydrate(text, parameters)
  return (text:gsub("{{%s*([%w_]+)%s*}}", function(name)
    local parameter = parameters[name]
    local content = parameter and (parameter[parameter.type] or "")
    return type(content) == "table" and content.fallback_value or content
  end))
end

return template_store
