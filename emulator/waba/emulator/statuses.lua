-- What becomes of a message after it was accepted: its statuses in their order and at their time, or a
-- failure. How a status is told is the gateway's own (`tell_status`).

local statuses = {}

--- Reports a status at once.
---@param gateway table
---@param record table      the accepted message
---@param status string
---@param errors? table[]   error objects
function statuses.report(gateway, record, status, errors)
  record.status = status
  record.statuses[#record.statuses + 1] = status
  gateway:tell_status(record, status, errors)
end

--- Lets an accepted message go through its statuses, or fail.
---@param gateway table
---@param record table
---@param order string[]    the statuses it goes through
---@param failure? { errors: table[], after: string?, status: string? }
---  after: the last status that is reached before it; none by default. status: "failed" or "warning"
function statuses.begin(gateway, record, order, failure)
  local delays = gateway.options.statuses or {}
  local function fail()
    statuses.report(gateway, record, failure.status or "failed", failure.errors)
  end
  local fatal = failure and failure.status ~= "warning"
  if failure and not failure.after then
    gateway.clock:after(delays.sent or 0, fail)
    if fatal then return end
  end
  for _, status in ipairs(order) do
    if delays[status] then
      gateway.clock:after(delays[status], function() statuses.report(gateway, record, status) end)
    end
    if failure and failure.after == status then
      gateway.clock:after(delays[status] or 0, fail)
      if fatal then return end
    end
  end
end

return statuses
