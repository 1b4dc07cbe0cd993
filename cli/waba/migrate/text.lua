-- Writes the results of a scan as lines of text.

local text = {}

local function plural(number, noun, nouns)
  return ("%d %s"):format(number, number == 1 and noun or nouns or noun .. "s")
end

local function name_of(read)
  if read.kind == "request" then
    return ("%s %s%s"):format(read.method, read.path, read.type and " (" .. tostring(read.type) .. ")" or "")
  end
  return tostring(read.type or "message without a type")
end

-- Writes the path of a field before the description. The path "path" is left out: it stands for the complete request.
local function line_of(path, description)
  if path == "path" or description:sub(1, #path) == path then return description end
  return path .. ": " .. description
end

function text.of_line(read)
  if read.kind == "broken" then return { ("line %d: %s"):format(read.line, read.error) } end
  local result = #read.lacking > 0 and plural(#read.lacking, "field") .. " without a counterpart"
    or #read.changes > 0 and plural(#read.changes, "change") or "nothing changes"
  local found = { ("line %d: %s: %s"):format(read.line, name_of(read), result) }
  for _, change in ipairs(read.changes) do found[#found + 1] = "  " .. line_of(change.path, change.what) end
  for _, lack in ipairs(read.lacking) do found[#found + 1] = "  no counterpart: " .. line_of(lack.path, lack.why) end
  return found
end

local function add_places(found, title, places)
  if #places == 0 then return end
  found[#found + 1] = title
  for _, place in ipairs(places) do
    found[#found + 1] = ("  %d x %s (line %d)"):format(place.count, line_of(place.path, place.says), place.line)
  end
end

function text.of_summary(summary)
  local found = { ("%s, %s: %d changed, %d without a counterpart, %s not read"):format(
    plural(summary.messages, "message"), plural(summary.requests, "other request"), summary.changed, summary.lacking,
    plural(summary.broken, "line")) }
  add_places(found, "changes:", summary.changes)
  add_places(found, "without a counterpart:", summary.lacks)
  if summary.broken > 0 and summary.broken == summary.lines then
    found[#found + 1] = "each line must be one JSON object: jq -c . FILE writes such lines"
  end
  return found
end

return text
