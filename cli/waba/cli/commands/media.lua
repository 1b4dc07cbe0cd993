-- waba media: files at the gateway.

local core = require "waba.core"
local output = require "waba.cli.output"

local media = {}

---@param parser table
function media.add(parser)
  local command = parser:command("media", "Upload, download and delete files."):command_target "action"
  local up = command:command("up", "Upload a file; prints its id.")
  up:argument("file", "The file.")
  up:option("--type", "Its MIME type, when its name does not tell."):argname "<type>"
  up:option("--as", "The type of message it is for."):argname "<type>"
    :choices { "audio", "document", "image", "sticker", "video" }
  local down = command:command("down", "Download a file.")
  down:argument("id", "Its id.")
  down:argument("file", 'Where to; "-": standard output.')
  down:option("--sha256", "What its digest must be."):argname "<hex>"
  local rm = command:command("rm", "Delete a file.")
  rm:argument("id", "Its id.")
end

local actions = {}

function actions.up(ctx, args)
  local uploaded, err = ctx:client().media:upload { file = args.file, type = args.type, as = args.as }
  return ctx:show(uploaded, err, function(result) output.line(output.printable(result.id)) end)
end

-- A device or a pipe is written to; a file in its place would be another thing.
local function open_device(ctx, path)
  local device, message = io.open(path, "wb")
  if not device then ctx:wrong("can't write " .. message) end
  return function(bytes)
    local fine, fault = device:write(bytes)
    fine = fine and device:flush()
    if not fine then error({ message = ("can't write to %s: %s"):format(path, tostring(fault)) }, 0) end
  end
end

function actions.down(ctx, args)
  local to_pipe = args.file == "-"
  if to_pipe and ctx.json then ctx:wrong('--json and "-" exclude each other') end
  if to_pipe and core.is_terminal(1) then ctx:wrong "standard output is a terminal: name a file, or use a pipe" end
  local way = { sha256 = args.sha256 }
  if to_pipe then
    way.sink = output.write
  elseif args.file:find "^/dev/" then
    way.sink = open_device(ctx, args.file)
  else
    way.file = args.file
  end
  local got, err = ctx:client().media:download(args.id, way)
  return ctx:show(got, err, function(result)
    if not to_pipe then output.columns { { args.file, result.type or "", ("%d bytes"):format(result.size) } } end
  end)
end

function actions.rm(ctx, args)
  local deleted, err = ctx:client().media:delete(args.id)
  return ctx:show(deleted and { deleted = args.id }, err, function() output.line "deleted" end)
end

---@param ctx waba.cli.Context
---@param args table
---@return integer exit_code
function media.run(ctx, args)
  return actions[args.action](ctx, args)
end

return media
