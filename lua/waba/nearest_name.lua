-- Finds the known option or field that a caller with an unknown name probably meant, for the texts of errors.

-- Returns the Levenshtein distance of two short words.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

-- Names that callers may know from other libraries or from the platform's documentation, and the corresponding names in
-- this library.
local SYNONYMS = {
  path = { "file" }, filename = { "file" }, file_name = { "filename", "file" },
  url = { "link" }, uri = { "link", "url" }, href = { "link", "url" }, link = { "url" },
  text = { "body" }, message = { "body", "text" }, content = { "body" }, message_text = { "body" },
  lang = { "language" }, locale = { "language" }, language_code = { "language" },
  params = { "body" }, parameters = { "body" }, variables = { "body" }, values = { "body" },
  cta = { "flow_cta" }, lat = { "latitude" }, lng = { "longitude" }, lon = { "longitude" }, long = { "longitude" },
  key = { "api_key" }, token = { "api_key" }, apikey = { "api_key" },
  mime = { "type" }, mime_type = { "type" }, content_type = { "type" },
}

--- Returns a known name with the same meaning, or the most similar name; nil if no known name is similar.
---@param name string
---@param known table<string, any>  a table whose keys are the known names
return function(name, known)
  for _, other in ipairs(SYNONYMS[name:lower()] or {}) do
    if known[other] ~= nil then return other end
  end
  local names = {}
  for candidate in pairs(known) do names[#names + 1] = candidate end
  table.sort(names)
  local best, best_distance
  for _, candidate in ipairs(names) do
    local d = distance(name:lower(), candidate:lower())
    if not best or d < best_distance then best, best_distance = candidate, d end
  end
  if best and best_distance <= math.max(2, math.floor(#best / 3)) then return best end
end
