-- Compares the two bodies of a message, one for each hosting, and describes each field that differs.

local difference = {}

-- The descriptions of fields that differ, by patterns of their paths; the first pattern that matches applies. The paths
-- are those of the On-Premise body, or of the Cloud body for a field that only the Cloud body has.
local REMOVED = {
  { "^preview_url$", "becomes text.preview_url" },
  { "%.namespace$", "is left out: Cloud hosting identifies a template by its name" },
  { "%.policy$", "is left out: Cloud hosting selects a language by its code alone" },
  { "%.currency_code$", "is renamed to code" },
  { "", "is left out" },
}
local ADDED = {
  { "^messaging_product$", 'is new: "whatsapp" in every body' },
  { "^type$", "is new: Cloud hosting requires it for texts too" },
  { "^recipient_type$", nil }, -- "individual" is the default on both hostings
  { "^recipient$", "is new: it holds the business-scoped user id" },
  { "%.currency%.code$", nil }, -- the description at the field of the On-Premise body covers this difference
  { "^text%.preview_url$", nil },
  { "", "is new" },
}
local CHANGED = {
  { "^to$", "becomes + and digits: without the + the gateway may prepend the country code of the sender" },
  { "", "has another value" },
}

local function description_of(rows, path)
  for _, row in ipairs(rows) do
    if path:find(row[1]) then return row[2] end
  end
end

local function add(found, rows, path)
  local what = not found.skipped[path] and description_of(rows, path)
  if what then found[#found + 1] = { path = path, what = what } end
end

local function is_list(value)
  return value[1] ~= nil
end

local function steps_of(before, after)
  local steps = {}
  for step in pairs(before) do steps[#steps + 1] = step end
  for step in pairs(after) do
    if before[step] == nil then steps[#steps + 1] = step end
  end
  table.sort(steps, function(x, y)
    if type(x) == type(y) then return x < y end
    return type(x) == "number"
  end)
  return steps
end

local function below(path, step)
  if type(step) == "number" then return ("%s[%d]"):format(path, step) end
  return path == "" and tostring(step) or path .. "." .. tostring(step)
end

-- Describes a field that has a different structure on each hosting.
local function restructured(before, after)
  if is_list(after) and not is_list(before) and next(before) ~= nil then return "becomes a list" end
  if before.component ~= nil or before.unix_epoch ~= nil then return "has its fields at the level of fallback_value" end
end

local function compare(found, path, before, after)
  if found.skipped[path] then return end
  if type(before) == "table" and type(after) == "table" then
    local what = restructured(before, after)
    if what then
      found[#found + 1] = { path = path, what = what }
      return
    end
    for _, step in ipairs(steps_of(before, after)) do
      compare(found, below(path, step), before[step], after[step])
    end
  elseif after == nil then
    add(found, REMOVED, path)
  elseif before == nil then
    add(found, ADDED, path)
  elseif before ~= after then
    add(found, CHANGED, path)
  end
end

local HSM = "becomes a template: element_name becomes its name, localizable_params become the parameters of its body, "
  .. "in the same order"

--- Lists the fields in which two bodies differ.
---@param before table  the body on On-Premise hosting
---@param after table   the body on Cloud hosting
---@param lacking { path: string, why: string }[]  fields that were reported before
---@return { path: string, what: string }[] changes
function difference.of(before, after, lacking)
  local found = { skipped = {} }
  for _, item in ipairs(lacking) do found.skipped[item.path] = true end
  if before.hsm ~= nil and after.template ~= nil then
    found[1] = { path = "hsm", what = HSM }
    found[2] = { path = "type", what = "becomes template" }
    found.skipped.hsm, found.skipped.template, found.skipped.type = true, true, true
  end
  compare(found, "", before, after)
  found.skipped = nil
  return found
end

return difference
