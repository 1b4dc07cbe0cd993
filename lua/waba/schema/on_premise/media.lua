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

  -- in interactive messages
  headers = media.headers { image = image, video = video, document = document },

  -- in templates
  template_headers = media.headers { image = file(), video = file(), document = file { filename = some_text } },
}
