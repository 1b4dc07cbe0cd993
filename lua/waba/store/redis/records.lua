-- The records of a Redis store, and the keys of its entries.

local script = require "waba.store.redis.script"

local records = {}

--- Lua code of scripts: `write_records(from, made)` writes the records in the arguments from ARGV[from] on. A
--- record has four arguments:
--- - the name, without the prefix of the store
--- - the value
--- - the lifetime in milliseconds; "" sets no limit, and "0" removes the record. If the lifetime begins with "+", the
---   record is written only if the value is greater than the present value. If the lifetime begins with "#", the value
---   is added to the number in the record
--- - the index of a change in `made`, or "". The record is written only if `made` has 1 at this index
records.WRITE = [[
local function write_records(from, made)
  for index = from, #ARGV, 4 do
    local name, value, milliseconds, change = key(ARGV[index]), unpack(ARGV, index + 1, index + 3)
    local is_due = change == "" or made[tonumber(change)] == 1
    if is_due and string.sub(milliseconds, 1, 1) == "+" then
      milliseconds = string.sub(milliseconds, 2)
      local present = call("GET", name)
      is_due = not present or value > present
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

--- Appends the arguments of records to the words of a command. `change` is the index of the change to which the records
--- belong, or nil. If `is_always` is true, all records without the field `add` are written even if the change is not
--- made.
function records.add(words, list, change, is_always)
  for index = 1, list and #list or 0 do
    local record, n = list[index], #words
    local value, ends, condition = record.value, "", change
    if record.seconds then ends = script.milliseconds(record.seconds) end
    if record.add then
      value, ends = tostring(record.add), "#" .. ends
    elseif value == nil then
      value, ends = "", "0"
    elseif record.rises then
      ends = "+" .. ends
    end
    if is_always and not record.add then condition = nil end
    words[n + 1] = (record.of_key and "seen:" or "record:") .. record.name
    words[n + 2], words[n + 3], words[n + 4] = value, ends, condition and tostring(condition) or ""
  end
end

function records:get(name) return script.read(self, "record:" .. name) end

function records:get_all(list)
  if #list == 0 then return {} end
  local words, start, found = { "MGET" }, self.prefix .. ":record:", {}
  for index, name in ipairs(list) do words[index + 1] = start .. name end
  local replies, err = script.call(self, { words })
  if not replies then return nil, err end
  for index, name in ipairs(list) do found[name] = replies[1][index] or nil end
  return found
end

function records:record_names(prefix, n, after)
  local start = self.prefix .. ":record:"
  local pattern = (start .. prefix):gsub("[%*%?%[%]\\^]", "\\%0") .. "*"
  -- In a cluster, the reply to GET names the node that has the keys. SCAN must be sent to this node.
  local replies, err = script.call(self, {
    { "SCAN", after or "0", "MATCH", pattern, "COUNT", ("%d"):format(10 * n) }, { "GET", self.prefix .. ":depth" },
  })
  if not replies then return nil, err end
  local list = {}
  for index, name in ipairs(replies[1][2]) do list[index] = name:sub(#start + 1) end
  return list, replies[1][1] ~= "0" and replies[1][1] or nil
end

return records
