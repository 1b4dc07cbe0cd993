-- Files on On-Premise hosting: rules (on-premise.md, sections 5.4 and 8) and responses.

local KB, MB = 1024, 1024 * 1024

local media = {}

---@type table<string, waba.MediaRule>
media.kinds = {
  audio = { most = 16 * MB, types = { "audio/aac", "audio/mp4", "audio/amr", "audio/mpeg", "audio/ogg; codecs=opus" } },
  document = { most = 64 * MB },
  image = { most = 5 * MB, types = { "image/jpeg", "image/png" } },
  sticker = { most = 100 * KB, types = { "image/webp" } },
  video = { most = 16 * MB, types = { "video/mp4", "video/3gpp" } },
}

media.photo = { most = 5 * MB, types = { "image/jpeg", "image/png" } }

--- The largest request to the gateway, and the largest file from a customer, in bytes.
media.largest_upload, media.largest_download = 64 * MB, 100 * MB

return media
