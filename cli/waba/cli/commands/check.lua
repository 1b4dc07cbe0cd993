-- waba check: validates messages without sending them.

local core = require "waba.core"
local files = require "waba.cli.files"
local output = require "waba.cli.output"
local send = require "waba.cli.commands.send"
local waba = require "waba"

local function add(parser)
  local command = parser:command("check", "Validate messages without sending them.")
  command:argument("file", 'A file with one JSON message, or one on each line; "-": standard input.')
  command:flag("--documented", "Apply only rules that the platform documents.")
end

-- Returns the messages of a text, which has either one message or one message on each line.
local function split(text)
  if core.decode(text) ~= nil then return { { number = 1, text = text } } end
  local lines, number = {}, 0
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    if line:find "%S" then lines[#lines + 1] = { number = number, text = line } end
  end
  return lines
end

local function examine(ctx, text, mode)
  local body, decode_message = core.decode(text)
  if type(body) ~= "table" then
    return nil, { message = "the message must be a JSON object: " .. (decode_message or "it is JSON of another type") }
  end
  return waba.check(send.neutral(body), ctx:hosting(), mode)
end

local function run(ctx, args)
  local lines = split(files.read(ctx, args.file))
  if #lines == 0 then ctx:wrong(args.file .. " contains no messages: expected a JSON message, or one on each line") end
  local invalid = 0
  for _, line in ipairs(lines) do
    local valid, err = examine(ctx, line.text, args.documented and "documented" or true)
    if not valid then invalid = invalid + 1 end
    if ctx.json then
      output.json { line = line.number, valid = valid == true, path = err and err.path, message = err and err.message }
    elseif not valid then
      output.line(output.printable(("%s:%d: %s"):format(args.file, line.number, err.message)))
    end
  end
  if not ctx.json then
    output.line(invalid == 0 and ("%d valid"):format(#lines) or ("%d of %d invalid"):format(invalid, #lines))
  end
  return invalid == 0 and 0 or 1
end

return { add = add, run = run }
