-- The rules of media that are equal on both hostings (cloud.md, section 2.4; on-premise.md, section 2.4).

local shared = require "waba.schema.shared"

local media = {}

media.caption = shared.text(0, 1024)

local upload = "client.media:upload { file = … }"

-- Error texts for names that uploads and other libraries have.
local no_file = {}
for _, field in ipairs { "file", "data", "path" } do
  no_file[field] = ("is not part of a message: upload the file with %s and set id to that of the result, or "
    .. "set link to the URL of a public file"):format(upload)
end
local instead = ('expected { link = "https://…" }, or { id = … } with the id of %s'):format(upload)

media.no_caption = "is not allowed: this type of media has no caption"

-- Returns the rule of a file with an id or a link. `fields` has rules of further fields, `refused` has error texts for
-- fields that are not allowed, and `more` has further parts of the rule.
function media.file(fields, refused, more)
  return shared.object(shared.with({ link = { is = "string", format = "url" } }, fields), shared.with({
    exactly_one = { "id", "link" }, refused = shared.with(no_file, refused or {}), instead = instead,
  }, more or {}))
end

-- The rules of headers such as { type = "image", image = { link = … } }, from the rules of the files.
function media.headers(files)
  local headers = {}
  for kind, rule in pairs(files) do headers[kind] = shared.tagged(kind, rule) end
  return headers
end

return media
