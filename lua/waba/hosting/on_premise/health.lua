-- Reads the health of the phone number's WhatsApp client on On-Premise hosting (on-premise.md, section 7.2).

local on_premise_errors = require "waba.hosting.on_premise.errors"
local values = require "waba.hosting.values"

local HEALTHY_ALONE = { connected = true, connecting = true }

--- On-Premise hosting: a container of the WhatsApp client. Cloud hosting: an entity that can prevent sending, such as
--- the phone number or the business account.
---@class waba.HealthNode
---@field name string|nil   "host:container"; nil for the only container of a client. Cloud: "PHONE_NUMBER:4011…"
---@field role string|nil   "primary_master", "secondary_master", "coreapp". Cloud: "PHONE_NUMBER", "WABA", "BUSINESS"
---                         or "APP"
---@field status string|nil "connected", "connecting", "disconnected", "uninitialized", "unregistered". Cloud:
---                         "AVAILABLE", "LIMITED", "BLOCKED"
---@field errors waba.Error[]|nil  the errors of a container without a status. Cloud: the reasons of a block
---@field id string|nil     Cloud
---@field notes string[]|nil  Cloud: the reasons of a limit
---@field calls string|nil  Cloud: the status of calls over SIP

---@class waba.Health
---@field healthy boolean       true if at least one container is connected; some containers are only in reserve. Cloud:
---                             true if messages can be sent, with or without limits
---@field status string|nil     the status of the only container. Cloud: the worst status of all nodes
---@field nodes waba.HealthNode[]  sorted by name; on Cloud hosting in the gateway's order
---@field number table|nil      Cloud: the number's own fields in the platform's form: id, display_phone_number,
---                             verified_name, name_status, quality_rating, status, throughput, …
---@field waba_id string|nil    Cloud: the id of the account
---@field checked_at integer    the time of the gateway's response in Unix seconds
---@field cached boolean        true: the client has returned the stored response to an earlier request

local function read_node(name, value)
  value = values.object(value)
  local found = values.each(value.errors, on_premise_errors.from_row)
  local status, role = values.text(value.gateway_status), values.text(value.role)
  return { name = name, status = status, role = role, errors = found[1] and found }
end

--- Reads the response to GET /v1/health: the status of a single container, or one entry for each container. Returns the
--- health without `checked_at` and `cached`; nil if the response has no health.
local function read(json)
  local state = type(json) == "table" and json.health
  if type(state) ~= "table" then return nil end
  if state.gateway_status ~= nil or state.errors ~= nil then
    local node = read_node(nil, state)
    return { healthy = HEALTHY_ALONE[node.status] or false, status = node.status, nodes = { node } }
  end
  local result = { healthy = false, nodes = {} }
  for name, value in pairs(state) do
    local node = read_node(tostring(name), value)
    result.nodes[#result.nodes + 1] = node
    result.healthy = result.healthy or node.status == "connected"
  end
  table.sort(result.nodes, function(a, b) return a.name < b.name end)
  return result
end

return { read = read }
