-- Rate limits in a shared dictionary of nginx, for the workers of one nginx.

local core = require "waba.core"
local rules = require "waba.pace.rules"
local runtime = require "waba.runtime"
local store = require "waba.pace.store"

local shared_dict = {}

---@options waba.SharedDictPaceOptions : waba.PaceStoreOptions
local OPTIONS = {
  name = "string", -- required: the name of the dictionary in the directive lua_shared_dict of nginx
}

-- The lock of a killed worker expires after LOCKED seconds. STEP is the number of seconds between two attempts to get
-- the lock. After ATTEMPTS attempts the dictionary counts as unreachable.
local LOCKED, STEP, ATTEMPTS = 0.1, 0.001, 200

local function find(name)
  local ngx = rawget(_G, "ngx")
  local dict = ngx.shared[name]
  if dict then return dict end
  local names = {}
  for other in pairs(ngx.shared) do names[#names + 1] = other end
  table.sort(names)
  error(('waba.pace.shared_dict: nginx has no dictionary "%s": declare "lua_shared_dict %s 1m;" in its http block%s')
    :format(name, name, names[1] and "; it has " .. table.concat(names, ", ") or ""), 3)
end

local function lock(dict, name)
  for _ = 1, ATTEMPTS do
    local locked, message = dict:add(name, true, LOCKED)
    if locked then return true end
    if message ~= "exists" then return nil, message end
    rawget(_G, "ngx").sleep(STEP)
  end
  return nil, "another worker has not released its lock"
end

--- Makes a store of rate limits in a shared dictionary of nginx. All workers share the rates of an API key. A
--- dictionary of 1 MB is enough for thousands of recipients per minute.
---@param options waba.SharedDictPaceOptions|string  a string is the name of the dictionary
---@return waba.PaceStore
function shared_dict.new(options)
  if type(options) == "string" then options = { name = options } end
  local settings = store.settings(options, OPTIONS, "waba.pace.shared_dict")
  if not settings.name then
    error("waba.pace.shared_dict: option name is required: the name in the directive lua_shared_dict", 2)
  end
  if not runtime.is_nginx() then
    error("waba.pace.shared_dict works inside nginx only: use waba.pace.redis for other processes", 2)
  end
  local dict = find(settings.name)
  local run = assert((loadstring or load)(rules, "=waba.pace.rules"))()

  local function execute(name, words)
    local key, db = "waba:pace:" .. name .. ":", {}
    function db.get(value) return (dict:get(key .. value)) end
    function db.set(value, text, milliseconds)
      local stored, message = dict:set(key .. value, text, milliseconds / 1000)
      if not stored then error(message, 0) end
    end
    local locked, message = lock(dict, key .. "lock")
    if not locked then return nil, message end
    local ok, reply = pcall(run, db, math.floor(core.clock() * 1e6), words)
    dict:delete(key .. "lock")
    if ok then return reply end
    return nil, tostring(reply)
  end

  return store.new(execute, ('the dictionary "%s" of waba.pace.shared_dict'):format(settings.name), settings)
end

return shared_dict
