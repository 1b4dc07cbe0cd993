-- waba templates: what the account may send outside the 24-hour window.

local core = require "waba.core"
local files = require "waba.cli.files"
local output = require "waba.cli.output"

local templates = {}

---@param parser table
function templates.add(parser)
  local command = parser:command("templates", "List, show, create and delete templates."):command_target "action"
  local list = command:command("list", "All templates.")
  list:option("--status", "Only those in this state."):argname "<status>"
  local show = command:command("show", "One template in all its languages.")
  show:argument("name", "Its name.")
  local create = command:command("create", "Hand in a template for review.")
  create:argument("file", 'The template as JSON, as the platform writes it; "-": standard input.')
  local rm = command:command("rm", "Delete a template in all its languages.")
  rm:argument("name", "Its name.")
end

local function collect(ctx, given, keep)
  local list = {}
  for template, err in ctx:client().templates:each(given) do
    if not template then return nil, err end
    if not keep or keep(template) then list[#list + 1] = template end
  end
  return list
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
  local list, err = collect(ctx, {}, function(template) return template.name == args.name end)
  if list and #list == 0 then
    return ctx:fail { kind = "not_found", message = ("there is no template %s"):format(args.name) }
  end
  return ctx:show(list, err, function()
    for _, template in ipairs(list) do
      show_rows { template }
      for _, component in ipairs(template.components or {}) do show_component(component) end
    end
  end)
end

function actions.create(ctx, args)
  local template, message = core.decode(files.read(ctx, args.file))
  if type(template) ~= "table" then ctx:wrong("no JSON object: " .. tostring(message or "another value")) end
  local created, err = ctx:client().templates:create(template)
  return ctx:show(created, err, function() show_rows { created } end)
end

function actions.rm(ctx, args)
  local deleted, err = ctx:client().templates:delete(args.name)
  return ctx:show(deleted and { deleted = args.name }, err, function() output.line "deleted" end)
end

---@param ctx waba.cli.Context
---@param args table
---@return integer exit_code
function templates.run(ctx, args)
  return actions[args.action](ctx, args)
end

return templates
