-- Metrics of sending and receiving in Prometheus' format. `record` is the function for the option `on_event` of a
-- client, and `watch` counts the events of a receiver. The values are in a dictionary that all workers share
-- (`lua_shared_dict metrics 1m;`).

local metrics = {}

local dictionary = ngx.shared.metrics

-- The upper bounds of the histogram's buckets, in seconds.
local BOUNDS = { 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 }

-- The families of metrics: name, type, description.
local FAMILIES = {
  { "waba_calls_total", "counter", "Calls that have ended. The label kind is ok or the kind of the error." },
  { "waba_attempts_total", "counter", "Requests that were sent, including retries." },
  { "waba_retries_total", "counter", "Retries of requests, by the kind of the previous error." },
  { "waba_maybe_sent_total", "counter", "Calls with an uncertain result: the gateway may have accepted them." },
  { "waba_calls_in_flight", "gauge", "Calls that have begun and not ended." },
  { "waba_waited_seconds_total", "counter", "Seconds that calls waited for rate limits and earlier messages." },
  { "waba_events_total", "counter", "Events of webhooks, by result." },
  { "waba_inbox_depth", "gauge", "Events that wait or are being handled." },
  { "waba_inbox_oldest_seconds", "gauge", "Seconds since the oldest of these events was stored." },
  { "waba_call_duration_seconds", "histogram", "Seconds from the start to the end of a call, including waits." },
}

local function add(name, labels, value)
  dictionary:incr(("%s{%s}"):format(name, labels), value or 1, 0)
end

-- Each bucket in the dictionary counts its own values only. The function `text` adds the values of lower buckets.
local function add_duration(labels, seconds)
  local bound = "+Inf"
  for _, each in ipairs(BOUNDS) do
    if seconds <= each then
      bound = tostring(each)
      break
    end
  end
  add("waba_call_duration_seconds_bucket", ('%s,le="%s"'):format(labels, bound))
  add("waba_call_duration_seconds_sum", labels, seconds)
  add("waba_call_duration_seconds_count", labels)
end

local function escaped(text)
  return (text:gsub('[\\"]', "\\%0"))
end

function metrics.record(event)
  local call = ('method="%s",path="%s"'):format(event.method, escaped(event.path))
  if event.type == "start" then
    add("waba_calls_in_flight", "", 1)
  elseif event.type == "attempt" then
    add("waba_attempts_total", ('%s,reused="%s"'):format(call, tostring(event.reused or false)))
  elseif event.type == "retry" then
    add("waba_retries_total", ('%s,kind="%s"'):format(call, event.kind))
  else
    add("waba_calls_in_flight", "", -1)
    add("waba_calls_total", ('%s,kind="%s",status="%s"'):format(call, event.kind or "ok", event.status or ""))
    if event.maybe_sent then add("waba_maybe_sent_total", call) end
    add("waba_waited_seconds_total", call, event.waited)
    add_duration(call, event.duration)
  end
end

-- Adds what a receiver has counted since the last call.
local function add_stats(receiver, before)
  local stats = receiver:stats()
  for _, name in ipairs { "stored", "duplicate", "handled", "failed", "dead" } do
    local more = (stats[name] or 0) - (before[name] or 0)
    if more > 0 then add("waba_events_total", ('result="%s"'):format(name), more) end
    before[name] = stats[name]
  end
  dictionary:set("waba_inbox_depth{}", stats.depth or 0)
  dictionary:set("waba_inbox_oldest_seconds{}", stats.oldest or 0)
end

--- Counts the events of a receiver in this worker process. Each worker process calls this function once.
function metrics.watch(receiver)
  local before = {}
  assert(ngx.timer.every(1, function(is_ending)
    add_stats(receiver, before)
    return is_ending
  end))
end

-- Returns the two parts of a key of the dictionary, "name{labels}": the metric's name and its labels.
local function read_key(key)
  local name, labels = key:match "^([%w_]+){(.*)}$"
  return name, labels
end

-- Returns the lines of a histogram, with cumulative buckets.
local function histogram_lines(lines, name, values)
  for labels, count in pairs(values[name .. "_count"] or {}) do
    local sum = 0
    for i = 1, #BOUNDS + 1 do
      local with_bound = ('%s,le="%s"'):format(labels, tostring(BOUNDS[i] or "+Inf"))
      sum = sum + ((values[name .. "_bucket"] or {})[with_bound] or 0)
      lines[#lines + 1] = ("%s_bucket{%s} %d"):format(name, with_bound, sum)
    end
    lines[#lines + 1] = ("%s_sum{%s} %.6f"):format(name, labels, values[name .. "_sum"][labels] or 0)
    lines[#lines + 1] = ("%s_count{%s} %d"):format(name, labels, count)
  end
end

--- Returns all values in Prometheus' text format.
function metrics.text()
  local values, lines = {}, {}
  for _, key in ipairs(dictionary:get_keys(0)) do
    local name, labels = read_key(key)
    values[name] = values[name] or {}
    values[name][labels] = dictionary:get(key)
  end
  for _, family in ipairs(FAMILIES) do
    local name, kind, meaning = unpack(family)
    lines[#lines + 1] = ("# HELP %s %s"):format(name, meaning)
    lines[#lines + 1] = ("# TYPE %s %s"):format(name, kind)
    if kind == "histogram" then histogram_lines(lines, name, values) end
    for labels, value in pairs(values[name] or {}) do
      lines[#lines + 1] = ("%s%s %.14g"):format(name, labels ~= "" and "{" .. labels .. "}" or "", value)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Responds to the current request with the metrics.
function metrics.serve()
  ngx.header["content-type"] = "text/plain; version=0.0.4"
  ngx.print(metrics.text())
end

return metrics
