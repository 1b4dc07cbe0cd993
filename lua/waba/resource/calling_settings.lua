-- The settings for calls of a business number: /calling/settings (Cloud hosting only; cloud.md, sections 8.8 and 11.4).

local outcome = require "waba.resource.outcome"
local option = require "waba.option"
local values = require "waba.hosting.values"

---@class waba.CallingSettingsResource
local CallingSettings = {}

--- The settings, in the platform's form. A field that the gateway omits is nil.
---@options waba.CallingSettings
local SETTINGS = {
  status = "string",                     -- "ENABLED" or "DISABLED"
  call_icon_visibility = "string",
  call_hours = "table",
  callback_permission_status = "string",
  sip = "{ status: string?, servers: { hostname: string, port: integer? }[]? }",
  video = "{ status: string? }",
}

--- Reads the settings: GET /calling/settings.
---@return waba.CallingSettings|nil
---@return waba.Error? err
function CallingSettings:get()
  return outcome.fetch(self.client, "get_calling", nil, function(stored)
    return values.without_null(values.object(stored))
  end)
end

--- Changes the passed settings and keeps the other settings: POST /calling/settings.
---@param settings waba.CallingSettings
---@return true|nil
---@return waba.Error? err
function CallingSettings:set(settings)
  settings = option.check(settings, SETTINGS, "client.calling_settings:set")
  if next(settings) == nil then
    error("client.calling_settings:set: at least one field is needed, such as status", 2)
  end
  return outcome.success(self.client:call("set_calling", { json = { calling = settings } }))
end

return CallingSettings
