-- waba media: uploads, downloads and deletes files at the gateway.

local core = require "waba.core"
local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("media", "Upload, download and delete files."):command_target "action"
  local up = command:command("up", "Upload a file, and print the id of the file.")
  up:argument("file", "The file.")
  up:option("--type", "The MIME type, if the file's name has no known extension."):argname "<type>"
  up:option("--as", "The type of the message that will have the file."):argname "<type>"
    :choices { "audio", "document", "image", "sticker", "video" }
  local down = command:command("down", "Download a file.")
  down:argument("id", "The id of the file.")
  down:argument("file", 'The file to write; "-": standard output.')
  down:option("--sha256", "The expected SHA-256 digest."):argname "<hex>"
  command:command("rm", "Delete a file."):argument("id", "The id of the file.")
end

local actions = {}

function actions.up(ctx, args)
  local uploaded, err = ctx:client().media:upload { file = args.file, type = args.type, as = args.as }
  return ctx:show(uploaded, err, function(result) output.line(output.printable(result.id)) end)
end

-- Returns a sink for a download to a device such as /dev/stdout. The option `file` would replace the device by a file.
local function open_device(ctx, path)
  local device, message = io.open(path, "wb")
  if not device then ctx:wrong("can't write to " .. message) end
  return function(bytes)
    local ok, write_message = device:write(bytes)
    if ok then ok, write_message = device:flush() end
    if not ok then error({ message = ("can't write to %s: %s"):format(path, tostring(write_message)) }, 0) end
  end
end

function actions.down(ctx, args)
  local to_pipe = args.file == "-"
  if to_pipe and ctx.json then ctx:wrong('--json can\'t be combined with "-" (standard output): expected a path') end
  if to_pipe and core.is_terminal(1) then
    ctx:wrong '"-" is standard output, which is a terminal: expected a file name, or a pipe behind the command'
  end
  local target = { sha256 = args.sha256 }
  if to_pipe then
    target.sink = output.write
  elseif args.file:find "^/dev/" then
    target.sink = open_device(ctx, args.file)
  else
    target.file = args.file
  end
  local got, err = ctx:client().media:download(args.id, target)
  return ctx:show(got, err, function(result)
    if not to_pipe then output.columns { { args.file, result.type or "", ("%d bytes"):format(result.size) } } end
  end)
end

function actions.rm(ctx, args)
  local deleted, err = ctx:client().media:delete(args.id)
  return ctx:show(deleted and { deleted = args.id }, err, function() output.line "deleted" end)
end

return { add = add, actions = actions }
