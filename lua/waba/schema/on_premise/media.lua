-- The rules of media on On-Premise hosting, as messages and in other messages (on-premise.md, section 2.4).

local media = require "waba.schema.media"
local shared = require "waba.schema.shared"

local some_text = shared.some_text

local function file(more, refused)
  local fields = { id = some_text, provider = shared.object { name = shared.required(some_text) } }
  return media.file(shared.with(fields, more or {}), refused, { only_with = { provider = "link" } })
end

local image, video = file { caption = media.caption }, file { caption = media.caption }
local document = file { caption = media.caption, filename = some_text }

return {
  image = image,
  video = video,
  document = document,
  audio = file(nil, { caption = media.no_caption, voice = "exists on Cloud hosting only" }),
  sticker = file(nil, { caption = media.no_caption }),

  --- Media in the header of an interactive message.
  headers = {
    image = shared.tagged("image", image),
    video = shared.tagged("video", video),
    document = shared.tagged("document", document),
  },

  --- Media in the header of a template.
  template_headers = {
    image = shared.tagged("image", file()),
    video = shared.tagged("video", file()),
    document = shared.tagged("document", file { filename = some_text }),
  },
}
