-- Health (on-premise.md, section 7.2) in its three shapes, with whatever the program puts into a node.

local health = {}

local SHAPES = {
  single = {},
  high_availability = {
    { "10.1.4.11:wa-master-%s-0", "primary_master", "disconnected" },
    { "10.1.4.12:wa-master-%s-1", "secondary_master", "disconnected" },
    { "10.1.4.21:wa-core-%s-0", "coreapp", "connected" },
    { "10.1.4.22:wa-core-%s-1", "coreapp", "disconnected" },
  },
  multiconnect = {
    { "10.1.4.11:wa-master-%s-0", "primary_master", "connected" },
    { "10.1.4.21:wa-core-%s-0", "coreapp", "connected" },
    { "10.1.4.22:wa-core-%s-1", "coreapp", "connected" },
    { "10.1.4.23:wa-core-%s-2", "coreapp", "disconnected" },
  },
}

--- The names of the shapes.
---@type table<string, boolean>
health.shapes = { single = true, high_availability = true, multiconnect = true }

--- A healthy single instance.
---@return table
function health.new() return { shape = "single", status = "connected" } end

-- `nodes` of the settings replace or complete nodes by their full name or a part of it.
local function apply_nodes(nodes, settings)
  for name, content in pairs(settings.nodes or {}) do
    local place = name
    for full in pairs(nodes) do
      if full:find(name, 1, true) then place = full end
    end
    nodes[place] = content
  end
  return nodes
end

--- The body's `health` and what stands in its place.
---@param settings table   as given to emulator:health
---@param number string
---@return table body
function health.body(settings, number)
  if settings.errors then return { errors = settings.errors } end
  if settings.shape == "single" then
    return { health = apply_nodes({ gateway_status = settings.status or "connected" }, settings) }
  end
  local nodes = {}
  for _, node in ipairs(SHAPES[settings.shape]) do
    nodes[node[1]:format(number)] = { role = node[2], gateway_status = settings.status or node[3] }
  end
  return { health = apply_nodes(nodes, settings) }
end

local function get(gateway)
  local settings = gateway.health
  local body = health.body(settings, gateway.options.number)
  if settings.meta == false then return gateway:bare(body) end
  return gateway:ok(body)
end

local function phone_number(gateway)
  return gateway:bare({ phone_number = gateway.options.number })
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function health.routes(route)
  route("GET", "v1/health", get)
  route("GET", "v1/configs/phone_number", phone_number)
end

return health
