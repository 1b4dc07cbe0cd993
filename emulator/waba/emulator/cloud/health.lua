-- Health and what is known of the phone number (cloud.md, sections 8.1 and 8.2).

local answers = require "waba.emulator.cloud.answers"

local health = {}

local RANK = { AVAILABLE = 1, LIMITED = 2, BLOCKED = 3 }

--- Health as a good number has it.
---@return table
function health.new() return { entities = {}, fields = {} } end

--- Sets what GET /health_status answers.
---@param gateway table
---@param settings { status: string?, entities: table<string, table>?, fields: table? }
---  status: of the number; entities: fields of an entity by its type; fields: of the phone number
---@return true|nil
---@return string? message
function health.set(gateway, settings)
  local status = settings.status
  if status and not RANK[status] then
    return nil, "status must be \"AVAILABLE\", \"LIMITED\" or \"BLOCKED\""
  end
  local entities = settings.entities or {}
  if status then
    entities.PHONE_NUMBER = entities.PHONE_NUMBER or {}
    entities.PHONE_NUMBER.can_send_message = status
  end
  gateway.health = { entities = entities, fields = settings.fields or {} }
  return true
end

-- "+49 30 5550277" of "49305550277": the country code is a guess, which is all that people see it for.
local function display(number)
  return ("+%s %s %s"):format(number:sub(1, 2), number:sub(3, 4), number:sub(5))
end

local function fields_of(gateway)
  local options = gateway.options
  local fields = { id = options.phone_number_id, display_phone_number = display(options.number),
    verified_name = options.verified_name, name_status = "APPROVED", quality_rating = "GREEN", status = "CONNECTED",
    throughput = { level = "STANDARD" }, platform_type = "CLOUD_API", code_verification_status = "VERIFIED",
    account_mode = options.sandbox and "SANDBOX" or "LIVE", is_official_business_account = false,
    country_code = "DE", whatsapp_business_manager_messaging_limit = "TIER_2K" }
  for name, value in pairs(gateway.health.fields) do fields[name] = value end
  return fields
end

local function entities_of(gateway)
  local options = gateway.options
  local entities, overall = {}, "AVAILABLE"
  for i, pair in ipairs({ { "PHONE_NUMBER", options.phone_number_id }, { "WABA", options.waba_id },
    { "BUSINESS", options.business_id }, { "APP", "80010099003" } }) do
    local entity = { entity_type = pair[1], id = pair[2], can_send_message = "AVAILABLE" }
    for name, value in pairs(gateway.health.entities[pair[1]] or {}) do entity[name] = value end
    if RANK[entity.can_send_message] > RANK[overall] then overall = entity.can_send_message end
    entities[i] = entity
  end
  return entities, overall
end

local function get(gateway, request)
  local entities, overall = entities_of(gateway)
  local body = { health_status = { can_send_message = overall, entities = entities },
    id = gateway.options.phone_number_id }
  local known = fields_of(gateway)
  for name in (request.query.fields or ""):gmatch("[^,%s]+") do
    if name ~= "health_status" then
      if known[name] == nil then
        return answers.error(100, ("Tried accessing nonexisting field (%s)"):format(name))
      end
      body[name] = known[name]
    end
  end
  return answers.json(200, body)
end

local function phone_number(gateway)
  return answers.json(200, { id = gateway.options.phone_number_id,
    display_phone_number = display(gateway.options.number) })
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function health.routes(route)
  route("GET", "health_status", get)
  route("GET", "v1/configs/phone_number", phone_number)
end

return health
