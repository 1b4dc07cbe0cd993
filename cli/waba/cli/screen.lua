-- Draws lines on the complete screen of a terminal, reads keys, and restores the terminal at the end.

local core = require "waba.core"
local output = require "waba.cli.output"

local Screen = {}
Screen.__index = Screen

-- Control sequences of xterm. ENTER selects the alternate screen, and hides the cursor; LEAVE selects the normal
-- screen.
local ENTER, LEAVE = "\27[?1049h\27[?25l\27[?7l", "\27[?7h\27[?25h\27[?1049l"
local HOME, CLEAR_LINE, CLEAR_BELOW = "\27[H", "\27[2K", "\r\n\27[J"

-- The settings of stty: a read returns one key, also Ctrl-C, and ends after 0.2 seconds without a key.
local KEYS = "-icanon -echo -isig min 0 time 2"

local function settings()
  local pipe = io.popen "stty -g 2>/dev/null"
  local text = pipe:read "*l"
  pipe:close()
  return text and text:match "^[%w:=]+$"
end

function Screen:size()
  local columns, rows = core.terminal_size(1)
  return columns or 80, rows and rows > 0 and rows or 24
end

-- Replaces the lines on the screen. Lines below the last row of the screen are left out.
function Screen:draw(lines)
  local _, rows = self:size()
  local parts = {}
  for i = 1, math.min(#lines, rows) do parts[i] = CLEAR_LINE .. lines[i] end
  output.write(HOME, table.concat(parts, "\r\n"), #lines < rows and CLEAR_BELOW or "")
  output.flush()
end

--- Waits at most 0.2 seconds for a key.
---@return string|nil key  "end" after Ctrl-C, after a signal that ends programs, and if the terminal was closed
function Screen:read()
  local key = io.stdin:read(1)
  if key == "\3" or core.interrupted() or not core.is_terminal(0) then return "end" end
  return key
end

function Screen:close()
  os.execute("stty " .. self.saved)
  pcall(output.write, LEAVE)
  pcall(output.flush)
  core.hold_interrupt(false)
end

--- Opens the screen. After SIGTERM, `read` returns "end", so that the program can restore the terminal.
---@return table|nil  nil: standard input and output are not a terminal with control sequences
return function()
  if not (core.is_terminal(0) and core.is_terminal(1)) or os.getenv "TERM" == "dumb" then return nil end
  local saved = settings()
  if not saved then return nil end
  core.hold_interrupt(true)
  os.execute("stty " .. KEYS)
  output.write(ENTER)
  return setmetatable({ saved = saved }, Screen)
end
