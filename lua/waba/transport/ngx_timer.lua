-- A timer for background work in a worker process of nginx. The timer is set when there is work, and is replaced
-- regularly while there is work. inbox/ngx_work.lua passes the work as a function.

local ngx = ngx

---@class waba.NgxTimer
---@field is_set boolean  true: nginx has a timer that will run or runs
---@field is_wanted boolean  true: there is work left
---@field serial integer  the number of the current timer of nginx; older timers do nothing
---@field due number  the time at which the timer must run; infinity while it runs
---@field is_running boolean?  true: nginx runs the timer now
local Timer = { __name = "waba.NgxTimer" }
Timer.__index = Timer

local ngx_timer = {}

local PAUSE = 1 -- seconds until the work is called again after an error
-- Every WATCH seconds `watch` searches for timers that nginx has dropped. A timer counts as dropped if it is more than
-- LATE seconds late.
local WATCH, LATE = 1, 1

--- Seconds after which a timer is replaced, because nginx frees the memory of a running timer only at its end.
ngx_timer.LIFE = 60

--- Seconds for which a worker process continues the remaining work before it ends.
ngx_timer.GRACE = 10

-- The timers of this worker process.
local watched = setmetatable({}, { __mode = "k" })

---@param work fun(deadline: number, premature: boolean): number|nil  the function must return at the time
---        `deadline`. The result is the seconds until the next call; nil: there is no work. premature: true if the
---        worker process is about to end
function ngx_timer.new(work)
  local timer = setmetatable({ work = work, is_set = false, is_wanted = false, serial = 0, due = math.huge }, Timer)
  watched[timer] = true
  return timer
end

local function run(premature, timer, serial)
  if serial ~= timer.serial then return end -- another timer of nginx has replaced this timer
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

-- Whether this worker process has the repeating timer that calls `watch`. nginx drops a due timer if
-- `lua_max_running_timers` timers run, and makes no timer if `lua_max_pending_timers` timers wait. nginx never drops a
-- repeating timer. A process in which no other timers run needs no repeating timer, because nginx
-- drops none of its timers.
local is_watching = false

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

--- Sets the timer, unless the timer is set already. The timer runs after `pause` seconds. If nginx makes no timer or
--- drops the timer, `watch` sets the timer again within about two seconds. Returns true, or false and the reason if the
--- timer is not set.
function Timer:set(pause)
  self.is_wanted = true
  if self.is_set then return true end
  pause = pause or 0
  local others = ngx.timer.running_count() + ngx.timer.pending_count() - (self.is_running and 1 or 0)
  if not is_watching and (pause > 0 or others > 0) then
    is_watching = ngx.timer.every(WATCH, watch) and true or false
  end
  self.serial = self.serial + 1
  local set, message = ngx.timer.at(pause, run, self, self.serial)
  self.is_set = set and true or false
  self.due = self.is_set and ngx.now() + pause or math.huge
  return self.is_set, message
end

--- Sets a new timer, although the present timer still runs until its work returns. Returns the results of `set`.
function Timer:replace()
  self.is_set = false
  return self:set()
end

return ngx_timer
