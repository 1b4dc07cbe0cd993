-- The records of a Redis store, and the keys of its entries.

local script = require "waba.store.redis.script"

local records = {}

--- Appends the arguments of records to the words of a command. `change` is the index of the change to which the records
--- belong, or nil. If `is_always` is true, all records without the field `add` are written even if the change is not
--- made.
function records.add(words, list, change, is_always)
  if not list then return end
  local place, n = change and tostring(change) or "", #words
  for index = 1, #list do
    local record = list[index]
    local value, seconds, added, condition = record.value, record.seconds, record.add, place
    local ends = seconds and script.milliseconds(seconds) or ""
    if added then
      value, ends = tostring(added), "#" .. ends
    else
      if is_always then condition = "" end
      if value == nil then
        value, ends = "", "0"
      elseif record.rises then
        ends = "+" .. ends
      end
    end
    words[n + 1] = (record.of_key and "seen:" or "record:") .. record.name
    words[n + 2], words[n + 3], words[n + 4] = value, ends, condition
    n = n + 4
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
