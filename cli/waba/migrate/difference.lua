-- Compares the bodies of a message for both hostings, and describes each field that differs.

-- Each row has a pattern for the path of a field, and the description of the difference. The first row whose pattern
-- matches is used. If this row has no description, the report leaves the field out.
-- REMOVED: fields of the On-Premise body only. ADDED: fields of the Cloud body only. CHANGED: fields with two values.
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
  { "%.currency%.code$", nil }, -- REMOVED describes the On-Premise field currency_code
  { "^text%.preview_url$", nil }, -- REMOVED describes the On-Premise field preview_url
  { "", "is new" },
}
local CHANGED = {
  { "^to$", "becomes + and digits: without the + the gateway may prepend the country code of the sender" },
  { "", "has another value" },
}

local function add(found, rows, path)
  for _, row in ipairs(rows) do
    if path:find(row[1]) then
      found[#found + 1] = row[2] and { path = path, what = row[2] }
      return
    end
  end
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

local function restructured(before, after)
  if after[1] ~= nil and before[1] == nil and next(before) ~= nil then return "becomes a list" end
  if before.component ~= nil or before.unix_epoch ~= nil then return "has its fields at the level of fallback_value" end
end

local function compare(found, path, before, after)
  if found.skipped[path] then return end
  if type(before) == "table" and type(after) == "table" then
    local what = restructured(before, after)
    if what then found[#found + 1] = { path = path, what = what } end
    for _, step in ipairs(what and {} or steps_of(before, after)) do
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

---@param before table  the body on On-Premise hosting
---@param after table   the body on Cloud hosting
---@param lacking waba.migrate.Lack[]  fields that the report already has, and that the result leaves out
---@return waba.migrate.Change[]
return function(before, after, lacking)
  local found = { skipped = {} }
  for _, item in ipairs(lacking) do found.skipped[item.path] = true end
  if before.hsm ~= nil and after.template ~= nil then
    found[1] = { path = "hsm", what = "becomes a template: element_name becomes its name, localizable_params become "
      .. "the parameters of its body, in the same order" }
    found[2] = { path = "type", what = "becomes template" }
    found.skipped.hsm, found.skipped.template, found.skipped.type = true, true, true
  end
  compare(found, "", before, after)
  found.skipped = nil
  return found
end
