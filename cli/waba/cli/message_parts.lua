-- Parts of messages as they are written on a command line: media, headers, choices, numbers.

local files = require "waba.cli.files"

local parts = {}

--- The source of media: a link, a file that is uploaded first, or --id.
---@param ctx waba.cli.Context
---@param args { source: string?, id: string?, mime_type: string? }
---@return { id: string?, link: string?, file: string?, type: string? }
function parts.media_source(ctx, args)
  local source = args.source
  if args.id then
    if source then ctx:wrong("give either a file or link, or --id") end
    return { id = args.id }
  end
  if not source then ctx:wrong("a file, a link or --id is needed") end
  if source:find "^[Hh][Tt][Tt][Pp][Ss]?://" then return { link = source } end
  if not files.exists(source) then ctx:wrong("there is no file " .. source) end
  return { file = source, type = args.mime_type }
end

--- Uploads the file of a media source.
---@param ctx waba.cli.Context
---@param source { id: string?, link: string?, file: string?, type: string? }
---@param as string  the type of message it is for
---@return { id: string?, link: string? }|nil
---@return waba.Error? err
function parts.settle_source(ctx, source, as)
  if not source.file then return source end
  local uploaded, err = ctx:client().media:upload { file = source.file, type = source.type, as = as }
  if not uploaded then return nil, err end
  return { id = uploaded.id }
end

--- The options that `parts.header` reads.
---@param command table
function parts.add_header(command)
  command:option("--header", "Text above."):argname "<text>"
  command:option("--header-media", "image=, video= or document= and a link or file."):argname "<source>"
end

local HEADERS = { image = true, video = true, document = true }

--- A header of text (--header) or of media (--header-media).
---@param ctx waba.cli.Context
---@param args table
---@return string|table|nil
---@return waba.Error? err
function parts.header(ctx, args)
  if args.header and args.header_media then ctx:wrong("--header and --header-media exclude each other") end
  if not args.header_media then return args.header end
  local kind, source = args.header_media:match "^(%l+)=(.+)$"
  if not HEADERS[kind] then ctx:wrong("--header-media is image=…, video=… or document=… with a link or a file") end
  local content, err = parts.settle_source(ctx, parts.media_source(ctx, { source = source }), kind)
  if not content then return nil, err end
  return { [kind] = content }
end

local function choice(ctx, text, what)
  local id, title, description = text:match "^([^=]+)=([^=]+)=?(.*)$"
  if not id then ctx:wrong(("%s is id=title, not %s"):format(what, text)) end
  return { id = id, title = title, description = description ~= "" and description or nil }
end

--- "id=title" or "id=title=description", each.
---@param ctx waba.cli.Context
---@param given string[]
---@param what string  the option, for the message
---@return { id: string, title: string, description: string? }[]
function parts.choices(ctx, given, what)
  local list = {}
  for i, text in ipairs(given) do list[i] = choice(ctx, text, what) end
  return list
end

---@param ctx waba.cli.Context
---@param text string
---@param what string  for the message
---@return number
function parts.number(ctx, text, what)
  local number = tonumber(text)
  if not number then ctx:wrong(("%s must be a number, not %s"):format(what, text)) end
  return number
end

return parts
