-- The records of a Redis store: values by name, and the keys of entries.

local script = require "waba.store.redis.script"

local records = {}

--- Writes the records that begin at an argument. Each has four arguments: name, value, milliseconds, and the position
--- of its change or "". The milliseconds are "" if the record is kept without limit, and "0" if it is removed. If "+" is
--- before the milliseconds, the record is written only if the new value is greater. If "#" is before them, the value is
--- added to the number in the record. If a record belongs to a change, it is written only if `made` has 1 for this
--- change.
records.WRITE = [[
local function write_records(from, made)
  for index = from, #ARGV, 4 do
    local name, value, milliseconds, change = key(ARGV[index]), unpack(ARGV, index + 1, index + 3)
    local is_due = change == "" or made[tonumber(change)] == 1
    if is_due and string.sub(milliseconds, 1, 1) == "+" then
      milliseconds = string.sub(milliseconds, 2)
      is_due = value > (call("GET", name) or "")
    end
    if not is_due then
      name = nil
    elseif string.sub(milliseconds, 1, 1) == "#" then
      call("INCRBY", name, value)
      if milliseconds ~= "#" then call("PEXPIRE", name, string.sub(milliseconds, 2)) end
    elseif milliseconds == "0" then
      call("DEL", name)
    elseif milliseconds == "" then
      call("SET", name, value)
    else
      call("SET", name, value, "PX", milliseconds)
    end
  end
end
]]

--- Appends records to the words of a command. `change` is the position of the change to which the records belong, or
--- "". If `is_always` is set, only the records with `add` depend on the change.
function records.add(words, list, change, is_always)
  for _, record in ipairs(list or {}) do
    local ends = record.seconds and script.milliseconds(record.seconds) or ""
    local value, condition = record.value, change
    if record.add then
      value, ends = tostring(record.add), "#" .. ends
    else
      if value == nil then value, ends = "", "0" end
      if record.rises then ends = "+" .. ends end
      if is_always then condition = "" end
    end
    local n = #words
    words[n + 1] = (record.of_key and "seen:" or "record:") .. record.name
    words[n + 2], words[n + 3], words[n + 4] = value, ends, condition
  end
end

function records:get(name)
  return script.read(self, "record:" .. name)
end

function records:get_all(list)
  if #list == 0 then return {} end
  local words, start, found = { "MGET" }, self.prefix .. ":record:", {}
  for index, name in ipairs(list) do words[index + 1] = start .. name end
  local replies, messages = script.call(self, { words })
  if not replies or messages[1] then return nil, script.unavailable(self, replies and messages[1] or messages) end
  for index, name in ipairs(list) do found[name] = replies[1][index] or nil end
  return found
end

function records:record_names(prefix, n, after)
  local start = self.prefix .. ":record:"
  local pattern = (start .. prefix):gsub("[%*%?%[%]\\^]", "\\%0") .. "*"
  local replies, messages = script.call(self, {
    { "SCAN", after or "0", "MATCH", pattern, "COUNT", ("%d"):format(10 * n) },
    { "GET", self.prefix .. ":depth" }, -- in a cluster this command finds the node that has the keys; SCAN must run
                                        -- there
  })
  if not replies or messages[1] then return nil, script.unavailable(self, replies and messages[1] or messages) end
  local list = {}
  for index, name in ipairs(replies[1][2]) do list[index] = name:sub(#start + 1) end
  return list, replies[1][1] ~= "0" and replies[1][1] or nil
end

return records
