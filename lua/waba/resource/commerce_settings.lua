-- The visibility of the catalogue and the cart: /whatsapp_commerce_settings (Cloud hosting only; cloud.md, section
-- 8.7).

local outcome = require "waba.resource.outcome"
local option = require "waba.option"
local values = require "waba.hosting.values"

---@class waba.CommerceSettingsResource
local CommerceSettings = {}

--- The settings. The gateway returns no value (nil) for a setting that was never set.
---@options waba.CommerceSettings
local SETTINGS = {
  is_cart_enabled = "boolean",
  is_catalog_visible = "boolean",
}

--- Reads the settings: GET /whatsapp_commerce_settings.
---@return waba.CommerceSettings|nil
---@return waba.Error? err
function CommerceSettings:get()
  return outcome.fetch(self.client, "get_commerce", nil, function(stored)
    return {
      is_cart_enabled = values.flag(values.dig(stored, "is_cart_enabled")),
      is_catalog_visible = values.flag(values.dig(stored, "is_catalog_visible")),
    }
  end)
end

--- Changes one or both settings: POST /whatsapp_commerce_settings.
---@param settings waba.CommerceSettings
---@return true|nil
---@return waba.Error? err
function CommerceSettings:set(settings)
  settings = option.check(settings, SETTINGS, "client.commerce_settings:set")
  if next(settings) == nil then
    error("client.commerce_settings:set: is_cart_enabled or is_catalog_visible is required", 2)
  end
  local query = {}
  for name, value in pairs(settings) do query[name] = tostring(value) end
  -- the values are in the query; the empty body makes the request a POST request without JSON
  return outcome.success(self.client:call("set_commerce", { query = query, body = "" }))
end

return CommerceSettings
