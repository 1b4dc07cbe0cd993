-- Ice breakers, commands and welcome messages in chats: /conversational_automation (Cloud hosting; cloud.md, section
-- 8.5).

local outcome = require "waba.resource.outcome"
local option = require "waba.option"
local validate = require("waba.schema").validate
local values = require "waba.hosting.values"

---@class waba.AutomationResource
local Automation = {}

local function text(most, required)
  return { is = "string", required = required, characters = { 1, most }, format = "no_emoji" }
end

---@type waba.Rule
local RULE = {
  is = "object",
  fields = {
    enable_welcome_message = { is = "boolean" },
    prompts = { is = "list", count = { 0, 4 }, each = text(80) },
    commands = {
      is = "list", count = { 0, 30 }, unique = { "command_name" },
      each = { is = "object", fields = { command_name = text(32, true), command_description = text(256, true) } },
    },
  },
}

--- The elements of a chat: ice breakers, commands and the welcome message. `get` and `set` return all fields.
---@options waba.Automation
local FIELDS = {
  enable_welcome_message = "boolean", -- true: a webhook reports when a customer opens the chat for the first time
  prompts = "string[]",               -- ice breakers: at most 4, each with at most 80 characters and no emoji
  commands = "{ command_name: string, command_description: string }[]", -- at most 30; names have at most 32
                                      -- characters, descriptions at most 256, without emoji
}

local function read_command(item)
  local name = values.some_text(values.dig(item, "command_name"))
  local description = values.some_text(values.dig(item, "command_description")) or ""
  return name and { command_name = name, command_description = description }
end

local function read(stored)
  stored = values.object(stored)
  return {
    enable_welcome_message = values.flag(stored.enable_welcome_message) or false,
    prompts = values.each(stored.prompts, values.some_text), commands = values.each(stored.commands, read_command),
  }
end

--- Reads the elements: GET /conversational_automation.
---@return waba.Automation|nil
---@return waba.Error? err
function Automation:get()
  return outcome.fetch(self.client, "get_automation", nil, read)
end

--- Changes the elements in `fields` and keeps the others: GET and POST /conversational_automation. The gateway replaces
--- all three elements, so this function reads the stored elements first. An empty list removes all prompts or commands.
---@param fields waba.Automation
---@return waba.Automation|nil stored  the elements that were written
---@return waba.Error? err
function Automation:set(fields)
  fields = option.check(fields, FIELDS, "client.conversational_automation:set")
  if next(fields) == nil then
    error("client.conversational_automation:set: at least one field is needed, such as commands", 2)
  end
  local stored
  local valid, err = validate(self.client.validate, RULE, fields)
  if not valid then return nil, err end
  local whole = {}
  for name, value in pairs(fields) do whole[name] = value end
  for name in pairs(FIELDS) do
    if whole[name] == nil then
      if not stored then stored, err = self:get() end
      if not stored then return nil, err end
      whole[name] = stored[name]
    end
  end
  valid, err = outcome.success(self.client:call("set_automation", { json = {
    enable_welcome_message = whole.enable_welcome_message, prompts = values.json_list(whole.prompts),
    commands = values.json_list(whole.commands),
  } }))
  if not valid then return nil, err end
  return whole
end

return Automation
