-- Runs background work in a worker process of nginx. The timer is set when there is work, and is replaced regularly
-- while there is work. The user of the timer passes the work as a function, as inbox/ngx_work.lua does.

local ngx = ngx

---@class waba.NgxTimer
---@field is_set boolean    true: the timer runs or is about to run
---@field is_wanted boolean there is work left
---@field serial integer    identifies the current timer; older timers do nothing
---@field due number        the time at which the timer must run; infinity while it runs
---@field is_running boolean?
local Timer = {}
Timer.__index = Timer
Timer.__name = "waba.NgxTimer"

local ngx_timer = {}

-- Seconds until work is tried again after it has raised an error.
local PAUSE = 1
-- Every WATCH seconds there is a search for timers that nginx has dropped. A timer that is more than LATE seconds late
-- counts as dropped.
local WATCH, LATE = 1, 1

--- Seconds after which a timer is replaced, because nginx frees the memory of a running timer only at its end.
ngx_timer.LIFE = 60

--- Seconds for which a worker process continues the remaining work before it ends.
ngx_timer.GRACE = 10

-- The timers of this worker process.
local watched = setmetatable({}, { __mode = "k" })

--- Makes a timer. The timer calls `work` with the time at which it must return, and with true if the
--- process is about to end. The work returns the seconds after which it must be called again; nil: not before the
--- timer is set again.
---@param work fun(deadline: number, premature: boolean): number|nil
---@return waba.NgxTimer
function ngx_timer.new(work)
  local timer = setmetatable({ work = work, is_set = false, is_wanted = false, serial = 0, due = math.huge }, Timer)
  watched[timer] = true
  return timer
end

local function run(premature, timer, serial)
  if serial ~= timer.serial then return end -- another timer has replaced this one
  timer.due, timer.is_running = math.huge, true
  local fine, pause = pcall(timer.work, ngx.now() + ngx_timer.LIFE, premature)
  if not fine then
    ngx.log(ngx.ERR, "waba: ", tostring(pause))
    pause = not ngx.worker.exiting() and PAUSE or nil
  end
  if serial ~= timer.serial then return end
  timer.is_set, timer.is_wanted = false, pause ~= nil
  if pause then
    local is_set, message = timer:set(pause)
    if not is_set then ngx.log(ngx.ERR, "waba: no timer for background work: ", message) end
  end
  timer.is_running = false
end

-- nginx drops a due timer if `lua_max_running_timers` timers run, and makes no timer if `lua_max_pending_timers` timers
-- wait. nginx never drops a repeating timer, because it sets such a timer again before it checks the limit. If there
-- are other timers, a repeating timer checks whether nginx has dropped the timer for the work. Without other timers a
-- timer always runs.
local is_watching = false

local function is_at_risk(timer, pause)
  local others = ngx.timer.running_count() + ngx.timer.pending_count() - (timer.is_running and 1 or 0)
  return pause > 0 or others > 0
end

local function watch(premature)
  if ngx.worker.exiting() and not premature then return end
  for timer in pairs(watched) do
    local is_late = timer.is_set and ngx.now() > timer.due + LATE
    if premature and timer.is_wanted and timer.due < math.huge then
      run(premature, timer, timer.serial)
    elseif timer.is_wanted and (is_late or not timer.is_set) and not premature then
      if is_late then
        ngx.log(ngx.WARN, "waba: nginx has dropped a timer for background work, since too many run at once ",
          "(see lua_max_running_timers): it is set again")
        timer.is_set = false
      end
      timer:set()
    end
  end
end

--- Sets the timer unless it is set already. If nginx refuses or drops the timer, it is set again within about two
--- seconds.
---@param pause? number  seconds until the timer runs; 0 by default
---@return boolean is_set
---@return string? message  the reason why nginx makes no timer
function Timer:set(pause)
  self.is_wanted = true
  if self.is_set then return true end
  pause = pause or 0
  if not is_watching and is_at_risk(self, pause) then is_watching = ngx.timer.every(WATCH, watch) and true or false end
  self.serial = self.serial + 1
  local set, message = ngx.timer.at(pause, run, self, self.serial)
  self.is_set = set and true or false
  self.due = self.is_set and ngx.now() + pause or math.huge
  return self.is_set, message
end

--- Sets a new timer in addition to the running one, which continues until its work returns.
---@return boolean is_set
---@return string? message
function Timer:replace()
  self.is_set = false
  return self:set()
end

return ngx_timer
