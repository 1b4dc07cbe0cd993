-- The templates of a Cloud gateway: their statuses, the webhooks about the statuses, and held messages.

local messages = require "waba.emulator.cloud.messages"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").cloud
local template_store = require "waba.emulator.template_store"

local template_statuses = {}

local Templates = template_store.class("waba.emulator.CloudTemplates")

function Templates:complete(template)
  template.id = template.id or random.digits(15)
  template.status = (template.status or "APPROVED"):upper()
  template.parameter_format = template.parameter_format or "POSITIONAL"
  template.quality_score = template.quality_score or { score = "UNKNOWN", date = self.gateway.clock:timestamp() }
end

function template_statuses.new(gateway)
  local self = template_store.new(Templates, gateway)
  self.created, self.edits, self.held = {}, {}, {}
  return self
end

-- Held messages (cloud.md, section 2.1, `message_status`) -----------------------------------------

local function set_held(self, id, held)
  local waiting = self.held[id] or {}
  self.held[id] = held and waiting or nil
  for _, entry in ipairs(not held and waiting or {}) do
    messages.schedule_statuses(self.gateway, entry.record, entry.failure)
  end
end

-- Ends the hold of a template's messages after the template was paused or disabled. The messages get the status
-- "failed".
local function fail_held(self, id)
  for _, entry in ipairs(self.held[id] or {}) do
    entry.failure = { errors = { responses.row("template_paused",
      "The template was paused before the message was delivered.") } }
  end
  set_held(self, id, false)
end

--- Holds an accepted message if the messages of its template are held. Returns whether the message is held. `failure`
--- is the failure that the message has after the hold, or nil.
function Templates:hold_message(template, record, failure)
  local waiting = template and self.held[template.id]
  if waiting then waiting[#waiting + 1] = { record = record, failure = failure } end
  return waiting and true or false
end

--- Posts the webhook about an event of a template.
function Templates:post_event(template, event, other_info)
  self.gateway:post_change("message_template_status_update", { event = event, other_info = other_info,
    message_template_id = tonumber(template.id), message_template_name = template.name,
    message_template_language = template.language, message_template_category = template.category,
    reason = template.rejected_reason })
end

local PAUSES = { PAUSED = { title = "FIRST_PAUSE", description = "The quality of the template is low" },
  DISABLED = { title = "DISABLED", description = "The quality of the template is low" } }

--- Sets the status of a template, and posts the webhook about the new status.
function Templates:set_status(template, status)
  status = status:upper()
  template.status = status
  self:post_event(template, status, PAUSES[status])
  if PAUSES[status] then fail_held(self, template.id) end
end

--- Starts or stops holding back the messages of the template in `language`, or in all languages if `language` is nil.
--- Returns the number of translations.
function Templates:hold(name, held, language)
  return self:each_of(name, language, function(template) set_held(self, template.id, held) end)
end

return template_statuses
