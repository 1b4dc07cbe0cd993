-- Templates whose messages are held until their quality is known (cloud.md, section 2.1, `message_status`):
-- accepted, they wait for the template to be released, or to be paused, and fail then.

local answers = require "waba.emulator.cloud.answers"
local progress = require "waba.emulator.statuses"
local statuses = require "waba.emulator.cloud.statuses"

local template_pacing = {}

---@class waba.emulator.TemplatePacing
local Pacing = {}
Pacing.__index = Pacing
Pacing.__name = "waba.emulator.TemplatePacing"

---@param gateway table
---@return waba.emulator.TemplatePacing
function template_pacing.new(gateway)
  return setmetatable({ gateway = gateway, waiting = {} }, Pacing)
end

--- Begins or ends holding the messages of a template.
---@param id string
---@param held boolean
function Pacing:set(id, held)
  local waiting = self.waiting[id]
  self.waiting[id] = held and (waiting or {}) or nil
  for _, entry in ipairs(not held and waiting or {}) do
    progress.begin(self.gateway, entry.record, statuses.order(entry.record), entry.failure)
  end
end

--- Lets what waits fail, for its template was paused or disabled.
---@param id string
function Pacing:drop(id)
  for _, entry in ipairs(self.waiting[id] or {}) do
    entry.failure = { errors = { answers.row(132015, "The template was paused before the message was delivered.") } }
  end
  self:set(id, false)
end

--- Keeps an accepted message, if its template's are held.
---@param template table|nil
---@param record table
---@param failure table|nil  of the message, once it goes on
---@return boolean held
function Pacing:keep(template, record, failure)
  local waiting = template and self.waiting[template.id]
  if not waiting then return false end
  waiting[#waiting + 1] = { record = record, failure = failure }
  return true
end

return template_pacing
