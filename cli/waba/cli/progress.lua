-- Shows the progress of a bulk run on standard error: a bar on a terminal, otherwise a line every ten seconds.

local core = require "waba.core"
local output = require "waba.cli.output"

local Progress = {}
Progress.__index = Progress

local progress = {}

local LINE_INTERVAL = 10 -- seconds between lines

function progress.new()
  return setmetatable({ is_terminal = core.is_terminal(2) and os.getenv "TERM" ~= "dumb", next_line = 0 }, Progress)
end

function progress.duration(seconds)
  seconds = math.floor(seconds + 0.5)
  local hours, minutes = math.floor(seconds / 3600), math.floor(seconds % 3600 / 60)
  if hours > 0 then return ("%d:%02d:%02d"):format(hours, minutes, seconds % 60) end
  return ("%d:%02d"):format(minutes, seconds % 60)
end

local function text_of(figures)
  local parts = { ("%d sent"):format(figures.sent) }
  if figures.failed > 0 then parts[#parts + 1] = ("%d failed"):format(figures.failed) end
  if figures.maybe_sent > 0 then parts[#parts + 1] = ("%d uncertain"):format(figures.maybe_sent) end
  if figures.err then
    parts[#parts + 1] = output.one_line(("waiting for the gateway: %s"):format(figures.err.message))
    return table.concat(parts, ", ")
  end
  if figures.rate > 0 then parts[#parts + 1] = ("%.0f/s"):format(figures.rate) end
  if figures.seconds_left then parts[#parts + 1] = progress.duration(figures.seconds_left) .. " left" end
  return table.concat(parts, ", ")
end

local function bar(share, width)
  local full = math.floor(share * width + 0.5)
  return "[" .. ("#"):rep(full) .. ("-"):rep(width - full) .. "]"
end

---@param figures waba.BulkFigures
function Progress:show(figures)
  if not self.is_terminal then
    local now = core.clock()
    local is_new_error = figures.err ~= nil and not self.is_waiting
    self.is_waiting = figures.err ~= nil
    if now < self.next_line and not is_new_error then return end
    self.next_line = now + LINE_INTERVAL
    local of = figures.total and " of " .. figures.total or ""
    io.stderr:write(("%d%s: %s\n"):format(figures.done, of, text_of(figures)))
    return
  end
  local text, columns = text_of(figures), core.terminal_size(2) or 80
  if figures.total and figures.total > 0 then
    local share = math.min(1, figures.done / figures.total)
    local front = ("%3d%% "):format(math.floor(share * 100))
    local free = columns - #front - #text - 4
    text = front .. (free >= 10 and bar(share, math.min(free, 40)) .. " " or "") .. text
  end
  io.stderr:write("\r\27[K", text:sub(1, columns - 1))
  io.stderr:flush()
  self.is_drawn = true
end

function Progress:clear()
  io.stderr:write "\r\27[K"
  io.stderr:flush()
end

function Progress:close()
  if self.is_drawn then io.stderr:write "\n" end
  self.is_drawn = false
end

return progress
