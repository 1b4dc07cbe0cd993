-- Reads parts of messages from the command line: media, headers, choices, numbers.

local files = require "waba.cli.files"

local parts = {}

---@param ctx waba.cli.Context
---@param args { source: string?, id: string?, mime_type: string? }  source: a link, or the path of a file
---@return { id: string?, link: string?, file: string?, type: string? }
function parts.media_source(ctx, args)
  local source = args.source
  if args.id then
    if source then ctx:wrong("--id can't be combined with a file or a link") end
    return { id = args.id }
  end
  if not source then ctx:wrong("a file, a link or --id is required") end
  if source:find "^[Hh][Tt][Tt][Pp][Ss]?://" then return { link = source } end
  if not files.exists(source) then
    ctx:wrong(("can't read %s: expected a file, or a link that begins with https://"):format(source))
  end
  return { file = source, type = args.mime_type }
end

-- Uploads the file of a result of `media_source` for a message of the type `as`. Returns a table with `id`; a source
-- without a file is returned unchanged.
function parts.upload_source(ctx, source, as)
  if not source.file then return source end
  local uploaded, err = ctx:client().media:upload { file = source.file, type = source.type, as = as }
  if not uploaded then return nil, err end
  return { id = uploaded.id }
end

function parts.add_body(command)
  command:argument("body", "The text.")
end

function parts.add_footer(command)
  command:option("--footer", "The footer."):argname "<text>"
end

function parts.add_header_and_footer(command)
  command:option("--header", "The text of the header."):argname "<text>"
  command:option("--header-media", "A media header: image=, video= or document= and a link or file."):argname "<source>"
  parts.add_footer(command)
end

local HEADERS = { image = true, video = true, document = true }

function parts.header(ctx, args)
  if args.header and args.header_media then ctx:wrong("--header and --header-media can't be combined") end
  if not args.header_media then return args.header end
  local kind, source = args.header_media:match "^(%l+)=(.+)$"
  if not HEADERS[kind] then
    ctx:wrong("--header-media must be image=, video= or document= and a link or file, not " .. args.header_media)
  end
  local content, err = parts.upload_source(ctx, parts.media_source(ctx, { source = source }), kind)
  if not content then return nil, err end
  return { [kind] = content }
end

-- Splits texts "id=title" or "id=title=description". `what` is the name of the option in error messages.
function parts.choices(ctx, texts, what)
  local list = {}
  for i, text in ipairs(texts) do
    local id, title, description = text:match "^([^=]+)=([^=]+)=?(.*)$"
    if not id then ctx:wrong(("%s must be id=title, not %s"):format(what, text)) end
    list[i] = { id = id, title = title, description = description ~= "" and description or nil }
  end
  return list
end

function parts.number(ctx, text, what)
  local number = tonumber(text)
  if not number then ctx:wrong(("%s must be a number, not %s"):format(what, text)) end
  return number
end

return parts
