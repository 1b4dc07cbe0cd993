-- Work in the background of a worker process of nginx: one timer, set when there is work and replaced
-- now and then while there is. What the work is, its owner knows (ngx_queue.lua, webhook/nginx.lua).

local ngx = ngx

---@class waba.NgxTimer
---@field is_set boolean  it runs, or will soon
local Timer = {}
Timer.__index = Timer
Timer.__name = "waba.NgxTimer"

local ngx_timer = {}

-- Seconds after which a timer is replaced: nginx frees what a running one used only at its end.
local LIFE = 60
-- Seconds before work that raised is tried again.
local PAUSE = 1

--- Seconds that a worker process which is told to end gives to what is left.
ngx_timer.GRACE = 10

--- Work is called with the moment at which to return, and whether the process ends already. It returns
--- how soon it wants to be called again, in seconds; nil: not before the timer is set again.
---@param work fun(deadline: number, premature: boolean): number|nil
---@return waba.NgxTimer
function ngx_timer.new(work)
  return setmetatable({ work = work, is_set = false }, Timer)
end

local function run(premature, timer)
  local fine, pause = pcall(timer.work, ngx.now() + LIFE, premature)
  if not fine then
    ngx.log(ngx.ERR, "waba: ", tostring(pause))
    pause = not ngx.worker.exiting() and PAUSE or nil
  end
  timer.is_set = false
  if not pause then return end
  local is_set, message = timer:set(pause)
  if not is_set then ngx.log(ngx.ERR, "waba: no timer for work in the background: ", message) end
end

--- Sets the timer unless it is set.
---@param pause? number  seconds until it runs; 0 by default
---@return boolean is_set
---@return string? message  why nginx has no timer
function Timer:set(pause)
  if self.is_set then return true end
  local set, message = ngx.timer.at(pause or 0, run, self)
  self.is_set = set and true or false
  return self.is_set, message
end

return ngx_timer
