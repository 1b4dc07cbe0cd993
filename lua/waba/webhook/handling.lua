-- Handles an event of a receiver: reads the customer and the state of the conversation, runs the handlers, and passes
-- the changed state to the inbox. The inbox stores the state together with the acknowledgement.

local costs = require "waba.webhook.costs"
local identity = require "waba.webhook.identity"
local closed_window = require "waba.webhook.closed_window"
local router = require "waba.webhook.router"
local session = require "waba.webhook.session"

local handling = {}

-- A table that is called as a function, because LuaJIT can't compile a function that contains another function.
local Reader = {}

function Reader:__call(name)
  local value = self.known[name]
  if value == nil then return self.get(name) end
  return value or nil
end

-- The fields of account events that report a changed template. After such an event, the client must fetch the template
-- again.
local TEMPLATE_FIELDS = {
  message_template_status_update = true, message_template_components_update = true,
  message_template_quality_update = true, template_category_update = true,
}

--- Returns the function that handles an event.
---@return fun(event: waba.Event, attempts: integer, prepare: function?, subject: any): boolean ok, any raised
---@return fun(entries: table[])|nil read_ahead  reads the records of several events in one call, before they are handled
function handling.new(inbox, on, settings)
  local dispatch, has_handlers = router.new(on)
  settings.get = inbox.get and identity.reader(inbox)

  local function open(event, prepare, subject, attempts)
    local kind = event.kind
    if kind == "status" and event.pricing and (attempts or 1) == 1 then costs.add(settings.billed, event) end
    if kind == "message" and settings.max_age and event.timestamp then
      event.is_late = os.time() - event.timestamp > settings.max_age or nil
    end
    if kind == "status" and event.errors then closed_window.replace(event, inbox, prepare, subject) end
    if event.is_again then return false end
    if kind == "account" and TEMPLATE_FIELDS[event.field] then
      if prepare then prepare(event, subject) end
      local templates = event.client and event.client.templates
      local name = type(event.value) == "table" and event.value.message_template_name
      if templates and type(name) == "string" then templates:forget(name) end
    end
    if kind == "error" or kind == "status" and not event.errors and not has_handlers(event) then return nil end
    return session.open(event, inbox, settings, subject and subject.get)
  end

  -- Reads the records of several events in one call of the store, except the records that `take` has already read. Sets
  -- the field `get` of each entry to a `Reader` of these records.
  local function read_ahead(entries)
    local wanted, known, names = {}, {}, {}
    for _, entry in ipairs(entries) do
      local event, first = entry.event, #names + 1
      if has_handlers(event) then session.add_names(event, settings, names) end
      local taken = inbox:_known(event)
      for index = first, #names do
        local name = names[index]
        known[name] = taken and taken[name]
        if known[name] == nil then wanted[#wanted + 1] = name end
      end
    end
    local found = #wanted > 1 and inbox.store:get_all(wanted)
    if not found and next(known) == nil then return end
    for index = 1, found and #wanted or 0 do known[wanted[index]] = found[wanted[index]] or false end
    local get = setmetatable({ known = known, get = settings.get }, Reader)
    for _, entry in ipairs(entries) do entry.get = get end
  end

  return function(event, attempts, prepare, subject)
    return dispatch(event, attempts, prepare, subject, open)
  end, inbox.durable and inbox.store and read_ahead or nil
end

return handling
