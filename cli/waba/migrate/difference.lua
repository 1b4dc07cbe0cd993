-- Compares a message's bodies on both hostings: each place that differs, and what a person has to know about it.

local difference = {}

-- Why a place differs, by its path: the first pattern that fits. Paths are those of the On-Premise body, or of the
-- Cloud body where a field is new.
local REMOVED = {
  { "^preview_url$", "moves into the text: text.preview_url" },
  { "%.namespace$", "is left out: the name of a template is enough" },
  { "%.policy$", "is left out: a language is chosen by its code alone" },
  { "%.currency_code$", "is called code" },
  { "", "is left out" },
}
local ADDED = {
  { "^messaging_product$", 'is new: every body says "whatsapp"' },
  { "^type$", "is said, also of a text" },
  { "^recipient_type$", nil }, -- individual by default, on both
  { "^recipient$", "is new: it takes the business-scoped user id" },
  { "%.currency%.code$", nil }, -- told where it was
  { "^text%.preview_url$", nil },
  { "", "is new" },
}
local CHANGED = {
  { "^to$", "is written with a + and digits: without it the country of the sender might be put before it" },
  { "", "is written otherwise" },
}

local function sentence(rows, path)
  for _, row in ipairs(rows) do
    if path:find(row[1]) then return row[2] end
  end
end

local function add(found, rows, path)
  local what = not found.skipped[path] and sentence(rows, path)
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

-- What has another shape as a whole.
local function reshaped(before, after)
  if is_list(after) and not is_list(before) and next(before) ~= nil then return "becomes a list" end
  if before.component ~= nil or before.unix_epoch ~= nil then return "has its fields beside fallback_value" end
end

local function compare(found, path, before, after)
  if found.skipped[path] then return end
  if type(before) == "table" and type(after) == "table" then
    local what = reshaped(before, after)
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

local HSM = "becomes a template: element_name is its name, and localizable_params are the parameters of its body, "
  .. "in their order"

--- Where two bodies differ.
---@param before table  on On-Premise hosting
---@param after table   on Cloud hosting
---@param lacking { path: string, why: string }[]  what is told already
---@return { path: string, what: string }[] changes
function difference.of(before, after, lacking)
  local found = { skipped = {} }
  for _, item in ipairs(lacking) do found.skipped[item.path] = true end
  if before.hsm ~= nil and after.template ~= nil then
    found[1] = { path = "hsm", what = HSM }
    found[2] = { path = "type", what = "is template" }
    found.skipped.hsm, found.skipped.template, found.skipped.type = true, true, true
  end
  compare(found, "", before, after)
  found.skipped = nil
  return found
end

return difference
