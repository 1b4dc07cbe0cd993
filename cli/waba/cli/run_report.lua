-- Writes the report of a bulk run: an HTML page without external resources (FILE.html), or a table with the results of
-- all rows (FILE.csv). The file has mode 600, because it contains phone numbers of customers.

local core = require "waba.core"
local printable = require "waba.printable"

local Report = {}
Report.__index = Report

local run_report = {}

local MOST_ROWS = 10000 -- the largest number of failed rows on the page
local MOST_POINTS = 240 -- the largest number of points in a chart; after that, `point_of` joins each pair of points

local function quoted(value)
  local text = tostring(value == nil and "" or value)
  -- without "'" a spreadsheet reads a text such as =1+1 as a formula
  if text:find "^[=@\t\r]" or text:find "^[+-].*[^%d%s().,/-]" then text = "'" .. text end
  if text:find '[",\r\n]' then text = '"' .. text:gsub('"', '""') .. '"' end
  return text
end

local function csv_line(...)
  local fields = {}
  for i = 1, select("#", ...) do fields[i] = quoted((select(i, ...))) end
  return table.concat(fields, ",") .. "\r\n"
end

function run_report.open(ctx, path, description)
  local form = path:lower():match "%.(%w+)$"
  if form ~= "html" and form ~= "csv" then
    ctx:wrong("--report: the file name must end with .html or .csv, not " .. path)
  end
  local file, message = core.append(path)
  if not file then ctx:wrong(("--report: can't write %s: %s"):format(path, tostring(message))) end
  file:truncate(0)
  local self = setmetatable({
    path = path, file = file, form = form, description = description, started = core.clock(),
    start_time = os.date "%Y-%m-%d %H:%M:%S", rows = {}, left_out = 0, kinds = {}, width = 1, points = {},
  }, Report)
  if form == "csv" then self:write(csv_line("key", "to", "result", "id", "kind", "code", "message")) end
  return self
end

-- Writes bytes. `close` reports the first error.
function Report:write(bytes)
  local written, message = self.file:write(bytes)
  if not written and not self.message then self.message = message end
end

local function merge(a, b)
  if not b then return a end
  a.results, a.attempts, a.seconds = a.results + b.results, a.attempts + b.attempts, a.seconds + b.seconds
  a.slowest = math.max(a.slowest, b.slowest)
  return a
end

-- Returns the data point of the charts for the current time. One point stands for `self.width` seconds.
local function point_of(self)
  local index = math.floor((core.clock() - self.started) / self.width) + 1
  while index > MOST_POINTS do
    local points = {}
    for i, point in pairs(self.points) do
      local half = math.floor((i + 1) / 2)
      points[half] = points[half] and merge(points[half], point) or point
    end
    self.points, self.width = points, self.width * 2
    index = math.floor((core.clock() - self.started) / self.width) + 1
  end
  local point = self.points[index]
  if not point then
    point = { results = 0, attempts = 0, seconds = 0, slowest = 0 }
    self.points[index] = point
  end
  return point
end

function Report:add(key, sent, err, to)
  local result = sent and "sent" or err.maybe_sent and "uncertain" or "failed"
  local point = point_of(self)
  point.results = point.results + 1
  if self.form == "csv" then
    self:write(csv_line(key, to, result, sent and sent.id, err and err.kind, err and err.code, err and err.message))
    return
  end
  if sent then return end
  local name = err.code and ("%s, code %s"):format(err.kind, err.code) or err.kind
  self.kinds[name] = (self.kinds[name] or 0) + 1
  if #self.rows == MOST_ROWS then
    self.left_out = self.left_out + 1
  else
    self.rows[#self.rows + 1] = { key, to, result, name, err.message }
  end
end

-- Adds the duration of an attempt. `event` is an event of the client's option `on_event`.
function Report:observe(event)
  if event.type ~= "attempt" or event.class ~= "messages" then return end
  local point = point_of(self)
  point.attempts, point.seconds = point.attempts + 1, point.seconds + event.duration
  point.slowest = math.max(point.slowest, event.duration)
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escaped(value)
  return (printable.text(value == nil and "" or value):gsub("[&<>\"']", ENTITIES))
end

local function html_table(heads, rows)
  local parts = { "<table><tr>" }
  for _, head in ipairs(heads) do parts[#parts + 1] = "<th>" .. escaped(head) .. "</th>" end
  parts[#parts + 1] = "</tr>\n"
  for _, row in ipairs(rows) do
    parts[#parts + 1] = "<tr>"
    for i = 1, #heads do parts[#parts + 1] = "<td>" .. escaped(row[i]) .. "</td>" end
    parts[#parts + 1] = "</tr>\n"
  end
  parts[#parts + 1] = "</table>\n"
  return table.concat(parts)
end

local GRID_LINE = '<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>'
  .. '<text x="%d" y="%.1f" text-anchor="end">%s</text>\n'
local TIME_AXIS = '<text x="%d" y="%d">0 s</text><text x="%d" y="%d" text-anchor="end">%s s</text></svg></figure>\n'
local WIDTH, HEIGHT, LEFT, BOTTOM = 720, 200, 60, 24

local function amount(value)
  return (("%.3g"):format(value):gsub("e%+0*", "e"))
end

-- Draws a chart over time. Each line of the chart is { class, value, default }: `value` is a function that returns the
-- value at a point, and `default` is the value at a point without a value.
local function chart(self, title, unit, lines)
  local count, most = 1, 0
  for index, point in pairs(self.points) do
    count = math.max(count, index)
    for _, line in ipairs(lines) do most = math.max(most, line[2](point) or 0) end
  end
  if most == 0 then most = 1 end
  local parts = { ('<figure><figcaption>%s</figcaption><svg viewBox="0 0 %d %d" role="img" aria-label="%s">\n'):format(
    escaped(title), WIDTH, HEIGHT, escaped(title)) }
  for step = 0, 4 do
    local y = (HEIGHT - BOTTOM) * (1 - step / 4) + 6
    parts[#parts + 1] = GRID_LINE:format(LEFT, WIDTH, y, y, LEFT - 6, y + 4,
      amount(most * step / 4) .. (step == 4 and " " .. unit or ""))
  end
  for _, line in ipairs(lines) do
    local places = {}
    for index = 1, count do
      local point = self.points[index]
      local value = point and line[2](point) or line[3]
      if value then
        places[#places + 1] = ("%.1f,%.1f"):format(LEFT + (WIDTH - LEFT) * (index - 0.5) / count,
          (HEIGHT - BOTTOM) * (1 - value / most) + 6)
      end
    end
    if #places == 1 then places[2] = places[1]:gsub("^[^,]+", tostring(WIDTH)) end
    parts[#parts + 1] = ('<polyline class="%s" points="%s"/>\n'):format(line[1], table.concat(places, " "))
  end
  parts[#parts + 1] = TIME_AXIS:format(LEFT, HEIGHT - 2, WIDTH, HEIGHT - 2, amount(count * self.width))
  return table.concat(parts)
end

local HEAD = [[
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Bulk run</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid; } figure { margin: 1.5rem 0; } svg { width: 100%; height: auto; font-size: 11px; }
svg text { fill: currentColor; } .grid { stroke: currentColor; opacity: .15; }
polyline { fill: none; stroke-width: 2; stroke: #0a7; } .slowest { stroke: #c60; stroke-dasharray: 4 3; }
</style></head><body>
]]

local function errors_by_kind(self)
  local list = {}
  for name, count in pairs(self.kinds) do list[#list + 1] = { name, count } end
  table.sort(list, function(a, b) return a[2] > b[2] or a[2] == b[2] and a[1] < b[1] end)
  return #list > 0 and "<h2>Errors</h2>\n" .. html_table({ "kind", "rows" }, list) or ""
end

local function page(self, summary)
  local parts = { HEAD, "<h1>Bulk run</h1>\n", ("<p>%s<br>started %s, took %.1f seconds%s</p>\n"):format(
    escaped(self.description), self.start_time, summary.seconds, summary.stopped and "; stopped before its end" or ""),
    html_table({ "result", "rows" }, {
      { "sent", summary.sent }, { "failed", summary.failed }, { "uncertain", summary.maybe_sent },
      { "done in earlier runs", summary.skipped }, { "with a recipient of an earlier row", summary.duplicates },
    }), errors_by_kind(self),
    chart(self, "Throughput", "rows/s", { { "rate", function(point) return point.results / self.width end, 0 } }),
    chart(self, "Latency of the gateway: mean (solid) and slowest (dashed)", "s", {
      { "mean", function(point) return point.attempts > 0 and point.seconds / point.attempts or nil end },
      { "slowest", function(point) return point.attempts > 0 and point.slowest or nil end },
    }),
  }
  if #self.rows > 0 then
    parts[#parts + 1] = "<h2>Rows that were not sent, or are uncertain</h2>\n"
    parts[#parts + 1] = html_table({ "row", "to", "result", "error", "message" }, self.rows)
    if self.left_out > 0 then
      parts[#parts + 1] = ("<p>and %d more: --report FILE.csv lists all</p>\n"):format(self.left_out)
    end
  end
  parts[#parts + 1] = "</body></html>\n"
  return table.concat(parts)
end

function Report:close(summary)
  if self.form == "html" then self:write(page(self, summary)) end
  local synced, message = self.file:sync()
  self.file:close()
  message = self.message or not synced and message
  if message then io.stderr:write(("waba: can't write the report %s: %s\n"):format(self.path, message)) end
end

return run_report
