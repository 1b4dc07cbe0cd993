-- Creates a template message for each row of a table, and finds the column that caused an error.

local core = require "waba.core"
local csv = require "waba.cli.csv"
local files = require "waba.cli.files"
local option = require "waba.option"
local waba = require "waba"

---@class waba.cli.MailMerge
---@field args table      the parsed command line of `waba bulk`
---@field columns table   the names of the columns by their use: `to`, `key`, `header`, `header_image`, `language`; `body`
---                       (a list); `named` (a list of { parameter, column }); `buttons` (a list of { field, column })
---@field next_row fun(): table|nil|false, integer|string  the second result of `csv.rows`
local MailMerge = {}
MailMerge.__index = MailMerge

local mail_merge = {}

-- Splits texts "left=column".
local function pairs_of(ctx, texts, what)
  local list = {}
  for i, text in ipairs(texts) do
    local left, right = text:match "^([^=]+)=(.+)$"
    if not left then ctx:wrong(("%s must be name=column, not %s"):format(what, text)) end
    list[i] = { left, right }
  end
  return list
end

local function assign(ctx, args, names)
  local known, used = {}, {}
  for _, name in ipairs(names) do known[name] = name end
  local function column(name, what)
    if not known[name] then
      ctx:wrong(("%s: %s has no column %s%s"):format(what, args.file, name, option.suggestion(name, known)))
    end
    used[name] = true
    return name
  end
  local columns = { to = column(args.to, "--to"), body = {}, named = {}, buttons = {} }
  for _, use in ipairs { "key", "header", "header_image" } do
    columns[use] = args[use] and column(args[use], "--" .. use:gsub("_", "-"))
  end
  columns.language = args.language:match "^@(.+)$"
  if columns.language then column(columns.language, "--language") end
  for i, pair in ipairs(pairs_of(ctx, args.button, "--button")) do
    if pair[1] ~= "payload" and pair[1] ~= "url" then
      ctx:wrong(("--button must be payload=column or url=column, not %s=%s"):format(pair[1], pair[2]))
    end
    columns.buttons[i] = { pair[1], column(pair[2], "--button") }
  end
  for i, pair in ipairs(pairs_of(ctx, args.named, "--named")) do
    columns.named[i] = { pair[1], column(pair[2], "--named") }
  end
  if args.body then
    for name in (args.body .. ","):gmatch "%s*([^,]-)%s*," do
      columns.body[#columns.body + 1] = column(name, "--body")
    end
  elseif #columns.named == 0 then -- each column without another use is a parameter
    for _, name in ipairs(names) do
      if name ~= "" and not used[name] then columns.body[#columns.body + 1] = name end
    end
  end
  if #columns.body > 0 and #columns.named > 0 then ctx:wrong "--body and --named can't be combined" end
  return columns
end

function mail_merge.open(ctx, args)
  local names, next_row = csv.rows(files.lines(ctx, args.file))
  if not names then ctx:wrong(("%s: %s"):format(args.file, next_row)) end
  return setmetatable({ args = args, columns = assign(ctx, args, names), next_row = next_row }, MailMerge)
end

local function body_of(columns, row)
  local body = {}
  for i, name in ipairs(columns.body) do body[i] = row[name] end
  for _, pair in ipairs(columns.named) do body[pair[1]] = row[pair[2]] end
  return next(body) ~= nil and body or nil
end

function MailMerge:message(row)
  local args, columns = self.args, self.columns
  local buttons = {}
  for i, pair in ipairs(columns.buttons) do buttons[i] = { [pair[1]] = row[pair[2]] } end
  return waba.template {
    name = args.template, language = columns.language and row[columns.language] or args.language,
    namespace = args.namespace,
    header = columns.header and row[columns.header]
      or columns.header_image and { image = { link = row[columns.header_image] } } or nil,
    body = body_of(columns, row), buttons = #buttons > 0 and buttons or nil,
  }
end

-- Returns the name of a column whose text is not valid UTF-8, for example in a table in Latin-1.
function MailMerge:column_not_utf8(row)
  local columns = {}
  for name, text in pairs(row) do
    if not core.utf8_length(text) then columns[#columns + 1] = name end
  end
  table.sort(columns)
  return columns[1]
end

local function joined(list)
  local texts = {}
  for i, pair in ipairs(list) do texts[i] = pair[1] .. "=" .. pair[2] end
  return table.concat(texts, " ")
end

-- Describes the message of every row: the template, the language, and the columns of the parameters. Two runs with
-- equal descriptions send the same message.
function MailMerge:description()
  local args, columns = self.args, self.columns
  local parts = { "template " .. args.template, "language " .. args.language }
  local function add(what, text)
    if text and text ~= "" then parts[#parts + 1] = what .. " " .. text end
  end
  add("namespace", args.namespace)
  add("header", columns.header)
  add("header image", columns.header_image)
  add("body", table.concat(columns.body, " "))
  add("body", joined(columns.named))
  add("buttons", joined(columns.buttons))
  return table.concat(parts, ", ")
end

local function column_of_parameter(columns, component, position)
  local parameter = component.parameters and component.parameters[position] or {}
  if component.type == "header" then return columns.header or columns.header_image end
  if component.type == "button" then
    local pair = columns.buttons[(tonumber(component.index) or 0) + 1]
    return pair and pair[2]
  end
  if columns.body[position] then return columns.body[position] end
  for _, pair in ipairs(columns.named) do
    if pair[1] == parameter.parameter_name then return pair[2] end
  end
end

-- Returns the name of the column that has the value of an invalid field, and the beginning of the error text that this
-- name replaces.
local function column_of(self, err, message)
  local path = err.path or ""
  if path == "to" then return self.columns.to, "to" end
  if path == "template.language.code" then return self.columns.language, path end
  local component, parameter = path:match "^template%.components%[(%d+)%]%.parameters%[(%d+)%]"
  component = component and message.template.components[tonumber(component)]
  if component then return column_of_parameter(self.columns, component, tonumber(parameter)), path end
end

-- Returns the text of an error about a row. If the value of the invalid field comes from a column, the text names the
-- column instead of the field, and the second result is the column.
function MailMerge:explain(err, message)
  local column, path = column_of(self, err, message)
  if not column then return err.message end
  local rest = err.message
  if rest:sub(1, #path) == path then rest = rest:sub(#path + 1) else rest = ": " .. rest end
  return (path == column and "" or "column ") .. column .. rest, column
end

return mail_merge
