-- Sends a template to each customer in a list of appointments. The program can be stopped or killed and started again:
-- the journal records each sent reminder, so that no reminder is sent twice.
--   D360_API_KEY=… lua5.4 reminders.lua appointments.csv reminders.journal

local waba = require "waba"

local list, journal = arg[1] or "appointments.csv", arg[2] or "reminders.journal"

local client = waba.client {} -- reads the variables D360_API_KEY and WABA_HOSTING

-- The list is read line by line, so that it can have any length. The id of an appointment is the key of its message.
local lines = io.lines(list)
lines() -- skips the names of the columns

local function appointments()
  local line = lines()
  if not line then return nil end
  local id, number, name, day, time = line:match "^([^,]+),([^,]+),([^,]+),([^,]+),([^,\r]+)"
  if not id then error("not an appointment: " .. line .. ": expected id,number,name,day,time") end
  return number, waba.template { name = "appointment_reminder", language = "en", body = { name, day, time } }, id
end

local summary, err = client:send_all(appointments, {
  journal = journal,
  on_result = function(id, _, fault)
    if fault and fault.maybe_sent then
      print(id .. ": may have been reminded; call them")
    elseif fault then
      print(id .. ": not reminded: " .. tostring(fault))
    end
  end,
  on_progress = function(figures) io.stderr:write(("%d, %.0f per second\r"):format(figures.done, figures.rate)) end,
})
client:close()
if not summary then
  print(err)
  os.exit(1)
end
print(("%d reminded, %d not, %d uncertain; %d were done before"):format(
  summary.sent, summary.failed, summary.maybe_sent, summary.skipped))
