-- Reads the health and the data of a phone number on Cloud hosting (cloud.md, sections 8.1 and 8.2).

local copy = require("waba.message.parts").copy
local cloud_errors = require "waba.hosting.cloud.errors"
local values = require "waba.hosting.values"

local text, type = values.some_text, type

local health = {}

local RANK = { AVAILABLE = 1, LIMITED = 2, BLOCKED = 3 }

-- The errors of an entity have other field names than the errors of a response.
local function read_errors(list)
  local found = values.each(list, function(row)
    if type(row) ~= "table" then row = { title = row } end
    return cloud_errors.from_row {
      code = row.error_code or row.code, title = row.error_description or row.title, details = row.possible_solution,
    }
  end)
  return found[1] and found
end

local function read_notes(list)
  local notes = values.each(list, text)
  return notes[1] and notes
end

local function read_entity(raw)
  local kind, id = text(raw.entity_type), text(raw.id)
  return {
    name = kind and id and kind .. ":" .. id or kind or id, role = kind, id = id, status = text(raw.can_send_message),
    calls = text(raw.can_receive_call_sip), notes = read_notes(raw.additional_info), errors = read_errors(raw.errors),
  }
end

--- Reads the response to GET /health_status. Returns the health without `checked_at` and `cached`; nil if the response
--- has no health.
function health.read(json)
  local state = type(json) == "table" and json.health_status
  if type(state) ~= "table" then return nil end
  local result = { nodes = {}, status = text(state.can_send_message), number = copy(json) }
  result.number.id, result.number.health_status = text(json.id), nil
  for _, raw in ipairs(values.object(state.entities)) do
    if type(raw) == "table" then
      local node = read_entity(raw)
      result.nodes[#result.nodes + 1] = node
      -- a blocked entity, such as the account, blocks the phone number
      if (RANK[node.status] or 0) > (RANK[result.status] or 0) then result.status = node.status end
      if node.role == "PHONE_NUMBER" then result.number.id = result.number.id or node.id end
      if node.role == "WABA" then result.waba_id = node.id end
    end
  end
  result.healthy = result.status == "AVAILABLE" or result.status == "LIMITED"
  return result
end

return health
