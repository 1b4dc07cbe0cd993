-- waba templates: lists, shows, creates and deletes templates, and compares files of definitions with the gateway.

local canonical = require "waba.canonical"
local definitions = require "waba.resource.templates.definitions"
local files = require "waba.cli.files"
local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("templates", "List, show, create and delete templates."):command_target "action"
  command:command("list", "List all templates.")
    :option("--status", "List only templates with this status."):argname "<status>"
  command:command("show", "Show one template in all languages."):argument("name", "The template's name.")
  command:command("pull", "Write the definition of each template to a file.")
    :argument("folder", "The folder; the files are NAME.LANGUAGE.json.")
  command:command("check", "Compare files of pull with the gateway.")
    :epilog "Exit code 1 when a template differs, is missing, or has no file.":argument("folder", "The folder.")
  command:command("create", "Submit a template for review.")
    :argument("file", 'A file with the template in the JSON of the platform; "-": standard input.')
  command:command("rm", "Delete a template in all languages."):argument("name", "The template's name.")
end

local function collect(ctx, options)
  return output.collect(ctx:client().templates:each(options))
end

local COLOURS = { approved = "good", rejected = "bad", disabled = "bad", paused = "bad" }

local function show_rows(list)
  local rows = {}
  for i, template in ipairs(list) do
    local status = tostring(template.status or "")
    rows[i] = {
      template.name, template.language or "", { text = status, colour = COLOURS[status:lower()] or "dim" },
      template.category or "",
    }
  end
  output.columns(rows)
end

local actions = {}

function actions.list(ctx, args)
  local list, err = collect(ctx, { status = args.status })
  return ctx:show(list and output.list(list), err, function()
    if #list == 0 then output.line "no templates" end
    show_rows(list)
  end)
end

local function show_component(component)
  output.line(output.printable(("  %s %s"):format(component.type or "?", component.format or "")))
  if type(component.text) == "string" then
    for line in (component.text .. "\n"):gmatch "(.-)\n" do output.line("    " .. output.printable(line)) end
  end
  for _, button in ipairs(type(component.buttons) == "table" and component.buttons or {}) do
    output.line(output.printable(("    [%s] %s %s"):format(button.type or "?", button.text or "", button.url or "")))
  end
end

function actions.show(ctx, args)
  local list, err = {}, nil
  for template, failure in ctx:client().templates:each {} do
    if not template then list, err = nil, failure
    elseif template.name == args.name then list[#list + 1] = template end
  end
  if list and #list == 0 then
    return ctx:fail {
      kind = "not_found", message = ("there is no template %s: waba templates list shows the names"):format(args.name),
    }
  end
  return ctx:show(list, err, function()
    for _, template in ipairs(list) do
      show_rows { template }
      for _, component in ipairs(template.components or {}) do show_component(component) end
    end
  end)
end

function actions.pull(ctx, args)
  local list, err = collect(ctx, {})
  if not list then return ctx:fail(err) end
  local paths = {}
  for i, template in ipairs(list) do
    paths[i], err = definitions.write(args.folder, template)
    if not paths[i] then return ctx:fail(err) end
  end
  return ctx:show(output.list(paths), nil, function()
    for _, path in ipairs(paths) do output.line(output.printable(path)) end
  end)
end

local function differences(stored, template)
  local fields = {}
  for _, name in ipairs { "category", "components", "parameter_format", "status" } do
    if canonical.text(stored[name]) ~= canonical.text(template[name]) then fields[#fields + 1] = name end
  end
  return fields
end

local function key_of(template)
  return ("%s (%s)"):format(tostring(template.name), tostring(template.language))
end

local function read_folder(ctx, folder)
  local found = {}
  for _, path in ipairs(files.list(ctx, folder, "json")) do
    local template, err = definitions.read(path)
    if not template then ctx:wrong(err and err.message or ("%s was removed while the folder was read"):format(path)) end
    found[key_of(template)] = template
  end
  return found
end

local function compare(stored, list)
  local rows, seen = {}, {}
  for _, template in ipairs(list) do
    local key = key_of(template)
    seen[key] = true
    local fields = stored[key] and differences(stored[key], template)
    if not fields then
      rows[#rows + 1] = { template = key, result = "has no file" }
    elseif #fields > 0 then
      rows[#rows + 1] = { template = key, result = "differs: " .. table.concat(fields, ", ") }
    end
  end
  for key in pairs(stored) do
    if not seen[key] then rows[#rows + 1] = { template = key, result = "is not at the gateway" } end
  end
  table.sort(rows, function(a, b) return a.template < b.template end)
  return rows
end

function actions.check(ctx, args)
  local stored = read_folder(ctx, args.folder)
  local list, err = collect(ctx, {})
  if not list then return ctx:fail(err) end
  local rows = compare(stored, list)
  ctx:show(output.list(rows), nil, function()
    if #rows == 0 then output.line(("%d templates; all are the same"):format(#list)) end
    local shown = {}
    for i, row in ipairs(rows) do shown[i] = { row.template, { text = row.result, colour = "bad" } } end
    output.columns(shown)
  end)
  return #rows == 0 and 0 or 1
end

function actions.create(ctx, args)
  local created, err = ctx:client().templates:create(files.read_object(ctx, args.file))
  return ctx:show(created, err, function() show_rows { created } end)
end

function actions.rm(ctx, args)
  local deleted, err = ctx:client().templates:delete(args.name)
  return ctx:show(deleted and { deleted = args.name }, err, function() output.line "deleted" end)
end

return { add = add, actions = actions }
