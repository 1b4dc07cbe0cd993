-- MIME types of files, by their names and by their first bytes, and the parts of a MIME type.

local mime = {}

-- The MIME types by file name extension. For an Ogg file the codec Opus is assumed, the only one that WhatsApp plays.
local TYPES = {
  jpg = "image/jpeg", jpeg = "image/jpeg", jpe = "image/jpeg", png = "image/png", webp = "image/webp",
  gif = "image/gif", bmp = "image/bmp", tif = "image/tiff", tiff = "image/tiff", svg = "image/svg+xml",
  heic = "image/heic", heif = "image/heif",
  aac = "audio/aac", m4a = "audio/mp4", amr = "audio/amr", mp3 = "audio/mpeg", mpga = "audio/mpeg",
  ogg = "audio/ogg; codecs=opus", oga = "audio/ogg; codecs=opus", opus = "audio/ogg; codecs=opus",
  wav = "audio/wav", flac = "audio/flac",
  mp4 = "video/mp4", m4v = "video/mp4", ["3gp"] = "video/3gpp", ["3gpp"] = "video/3gpp",
  mov = "video/quicktime", avi = "video/x-msvideo", mkv = "video/x-matroska", webm = "video/webm",
  mpeg = "video/mpeg", mpg = "video/mpeg",
  pdf = "application/pdf", rtf = "application/rtf", epub = "application/epub+zip",
  doc = "application/msword", xls = "application/vnd.ms-excel", ppt = "application/vnd.ms-powerpoint",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  odt = "application/vnd.oasis.opendocument.text", ods = "application/vnd.oasis.opendocument.spreadsheet",
  odp = "application/vnd.oasis.opendocument.presentation",
  txt = "text/plain", log = "text/plain", text = "text/plain", csv = "text/csv", tsv = "text/tab-separated-values",
  md = "text/markdown", html = "text/html", htm = "text/html", css = "text/css",
  ics = "text/calendar", vcf = "text/vcard", vcard = "text/vcard", eml = "message/rfc822",
  json = "application/json", xml = "application/xml", yaml = "application/yaml", yml = "application/yaml",
  zip = "application/zip", gz = "application/gzip", tar = "application/x-tar", ["7z"] = "application/x-7z-compressed",
  rar = "application/vnd.rar", bin = "application/octet-stream", apk = "application/vnd.android.package-archive",
  gpx = "application/gpx+xml", pkpass = "application/vnd.apple.pkpass", dwg = "image/vnd.dwg",
}

function mime.of_name(name)
  local last = name:match("[^/\\]*$"):match(".%.([^.]+)$")
  return last and TYPES[last:lower()]
end

local SIGNATURES = {
  { "^\255\216\255", "image/jpeg" },
  { "^\137PNG\r\n\26\n", "image/png" },
  { "^RIFF....WEBP", "image/webp" },
  { "^GIF8[79]a", "image/gif" },
}

function mime.of_image(bytes)
  for _, signature in ipairs(SIGNATURES) do
    if bytes:find(signature[1]) then return signature[2] end
  end
end

--- Splits a MIME type: `Audio/OGG; codecs="opus"` becomes `audio/ogg` and the parameters `{ codecs = "opus" }`.
---@return string|nil essence  in lower case, without parameters; nil if the text is not a MIME type
---@return table<string, string>? parameters  the names are in lower case
function mime.parse(text)
  local essence, rest = text:match("^%s*([%w!#$&^_.+-]+/[%w!#$&^_.+-]+)%s*(.*)$")
  if not essence or rest ~= "" and rest:sub(1, 1) ~= ";" or rest:find("%c") then return nil end
  local parameters = {}
  for name, value in rest:gmatch(";%s*([%w!#$&^_.+-]+)%s*=%s*([^;]*)") do
    parameters[name:lower()] = (value:match "^.*%S" or ""):gsub('^"(.*)"$', "%1")
  end
  return essence:lower(), parameters
end

return mime
