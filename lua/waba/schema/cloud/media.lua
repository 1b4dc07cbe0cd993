-- The rules of media on Cloud hosting, as messages and in other messages (cloud.md, section 2.4).

local common = require "waba.schema.media"
local shared = require "waba.schema.shared"

local media = {}

local no_provider = "exists on On-Premise hosting only: on Cloud hosting a link must be public"

local media_id = shared.with(shared.some_text, { inferred = { format = "cloud_media_id" } })

local function file(more, refused)
  return common.file(shared.with({ id = media_id }, more or {}), shared.with({ provider = no_provider }, refused or {}))
end

local no_caption = { caption = common.no_caption }
local no_inner_caption = { caption = "is not allowed: the message of this file has a body of its own" }
local filename = shared.with(shared.some_text, { inferred = { characters = { 1, 240 } } })

media.image = file { caption = common.caption }
media.video = file { caption = common.caption }
media.document = file { caption = common.caption, filename = filename }
media.audio = file({ voice = { is = "boolean" } }, no_caption)
media.sticker = file(nil, no_caption)

media.headers = common.headers {
  image = file(nil, no_inner_caption), video = file(nil, no_inner_caption),
  document = file({ filename = filename }, no_inner_caption),
}

-- Only headers of templates can have a GIF.
media.gif_header = shared.tagged("gif", file(nil, no_inner_caption))

return media
