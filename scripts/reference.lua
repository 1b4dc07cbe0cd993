-- Writes the reference: Markdown pages generated from the annotations in the sources.
--
--   lua5.4 scripts/reference.lua docs/reference

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path

local annotations = require "annotations"
local pages = require "reference_pages"

annotations.root = folder .. "/../"
local TARGET = arg[1] or folder .. "/../docs/reference"

-- Maps each class to the page that describes the class, for links.
local homes = {}

-- The set of classes and aliases that have a heading on a page. A class that has only functions has no heading.
local titled = {}

local function slug(title) return (title:lower():gsub("[^%w _-]", ""):gsub(" ", "-")) end

-- Returns a type as Markdown code without links. The links to the classes of all types are below the table.
local function code(kind) return "`" .. kind:gsub("|", "\\|") .. "`" end

local function cell(text) return (text:gsub("|", "\\|"):gsub("\n", " ")) end

local function links(kinds, page)
  local found, seen = {}, {}
  for _, kind in ipairs(kinds) do
    for _, name in ipairs(annotations.type_names(kind)) do
      local home = homes[name]
      if home and not seen[name] then
        seen[name] = true
        if titled[name] then
          found[#found + 1] = ("[%s](%s#%s)"):format(name, home == page and "" or home, slug(name))
        elseif home ~= page then
          found[#found + 1] = ("[%s](%s)"):format(name, home)
        end
      end
    end
  end
  return found
end

local function add(out, ...) out[#out + 1] = table.concat { ... } end

local function add_text(out, doc)
  if #doc.text == 0 then return end
  local indent -- the indentation of the block of code that is being read, or nil
  for _, line in ipairs(doc.text) do
    if line:find "^   " and not indent then
      indent = line:match "^ +"
      add(out, "")
      add(out, "```lua")
    elseif indent and not line:find "^   " and line ~= "" then
      indent = nil
      if out[#out] == "" then out[#out] = nil end
      add(out, "```")
      add(out, "")
    end
    add(out, indent and (line:gsub("^" .. indent, "")) or line)
  end
  if indent then
    if out[#out] == "" then out[#out] = nil end
    add(out, "```")
  end
  add(out, "")
end

local function add_rows(out, head, rows)
  if #rows == 0 then return end
  add(out, "| ", head, " | type | |")
  add(out, "| --- | --- | --- |")
  for _, row in ipairs(rows) do
    local name = row.name and "`" .. row.name .. (row.optional and "?" or "") .. "`" or ""
    if row.name ~= "self" then add(out, ("| %s | %s | %s |"):format(name, code(row.type), cell(row.text))) end
  end
  add(out, "")
end

local function kinds_of(...)
  local kinds = {}
  for _, list in ipairs { ... } do
    for _, entry in ipairs(list) do kinds[#kinds + 1] = entry.type end
  end
  return kinds
end

local function add_links(out, kinds, page)
  local found = links(kinds, page)
  if #found > 0 then
    add(out, "See ", table.concat(found, ", "), ".")
    add(out, "")
  end
end

local function add_function(out, fn, shown, page)
  local parameters = {}
  for _, name in ipairs(fn.parameters) do
    if name ~= "self" and name ~= "_" then parameters[#parameters + 1] = name end
  end
  add(out, "### ", shown, "(", table.concat(parameters, ", "), ")")
  add(out, "")
  add_text(out, fn.doc)
  add_rows(out, "parameter", fn.doc.params)
  add_rows(out, "returns", fn.doc.returns)
  add_links(out, kinds_of(fn.doc.params, fn.doc.returns), page)
end

local function add_class(out, class, page)
  add(out, "### ", class.name)
  add(out, "")
  add_text(out, class.doc)
  if #class.doc.parents > 0 then
    local parents = {}
    for i, parent in ipairs(class.doc.parents) do parents[i] = { type = parent } end
    local linked = links(kinds_of(parents), page)
    if #linked > 0 then
      add(out, "It has the fields of ", table.concat(linked, " and "), #class.doc.fields > 0 and ", and:" or ".")
      add(out, "")
    end
  end
  add_rows(out, "field", class.doc.fields)
  add_links(out, kinds_of(class.doc.fields), page)
end

local function add_alias(out, alias)
  add(out, "### ", alias.name)
  add(out, "")
  add_text(out, alias.doc)
  if alias.doc.alias_type then
    add(out, "`", alias.doc.alias_type, "`")
    add(out, "")
  end
  for _, choice in ipairs(alias.doc.choices) do
    add(out, "- `", choice.value, "`", choice.text ~= "" and ": " .. choice.text or "")
  end
  add(out, "")
end

-- Returns the name with which users call a function, such as "client:send". `source.calls` has the prefix for each
-- table with functions.
local function shown_as(fn, source)
  local calls = source.calls or {}
  if calls[fn.owner .. "." .. fn.own] ~= nil then return calls[fn.owner .. "." .. fn.own] end
  local prefix = calls[fn.owner]
  return prefix and prefix .. fn.own
end

local function has_heading(class) return #class.doc.fields > 0 or #class.doc.text > 0 end

local function write_page(page, files)
  local out = { "# " .. page.title, "", page.text, "" }
  for _, source in ipairs(page.sources) do
    local found = files[source.file]
    for _, fn in ipairs(found.functions) do
      local shown = fn.doc and not fn.own:find "^_" and shown_as(fn, source)
      if shown then add_function(out, fn, shown, page.file) end
    end
    for _, class in ipairs(found.classes) do
      if homes[class.name] == page.file and has_heading(class) then add_class(out, class, page.file) end
    end
    for _, alias in ipairs(found.aliases) do
      if homes[alias.name] == page.file then add_alias(out, alias) end
    end
  end
  local file = assert(io.open(TARGET .. "/" .. page.file, "w"))
  file:write((table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n+$", "")), "\n")
  file:close()
end

local function write_index()
  local out = { "# Reference", "", "Made of the annotations in the sources; editors show the same.", "" }
  for _, page in ipairs(pages) do add(out, ("- [%s](%s): %s"):format(page.title, page.file, page.text)) end
  local file = assert(io.open(TARGET .. "/README.md", "w"))
  file:write(table.concat(out, "\n"), "\n")
  file:close()
end

local function read_sources()
  local files = {}
  for _, page in ipairs(pages) do
    for _, source in ipairs(page.sources) do
      local found = files[source.file] or annotations.read(annotations.find(source.file))
      files[source.file] = found
      for _, list in ipairs { found.classes, found.aliases } do
        for _, entry in ipairs(list) do
          homes[entry.name] = homes[entry.name] or page.file
          titled[entry.name] = list == found.aliases or has_heading(entry)
        end
      end
    end
  end
  return files
end

os.execute("mkdir -p '" .. TARGET .. "'")
local files = read_sources()
for _, page in ipairs(pages) do write_page(page, files) end
write_index()
