-- Checks all rows of a table before `waba bulk` sends the first message.

local definition = require "waba.message.definition"
local definitions = require "waba.resource.templates.definitions"
local mail_merge = require "waba.cli.mail_merge"
local output = require "waba.cli.output"
local recipient = require "waba.recipient"
local waba = require "waba"

local row_check = {}

-- Checks the recipient, the message and the key of a row. Returns an error message and the invalid column, or nil, nil
-- and the key. `seen` has the line number of each key in earlier rows.
local function error_of(merge, row, message, hosting, seen, definition_of)
  local read = hosting == "cloud" and recipient.read or recipient.normalize
  local address, err = read(row[merge.columns.to])
  if not address then return merge:explain(err, message) end
  local valid, failure = waba.check(message, hosting)
  if not valid then return merge:explain(failure, message) end
  local different = definition_of and definition_of(message)
  if different then return different.message end
  local column = merge.columns.key
  local key = column and row[column]
  if key == "" then return ("%s is empty; each row needs a key"):format(column), column end
  if key and seen[key] then
    return ("%s %s is also in line %d; each row needs its own key"):format(column, key, seen[key]), column
  end
  return nil, nil, key or address
end

local function check_row(checked, merge, row, line, hosting, definition_of)
  checked.count = checked.count + 1
  local column = merge:column_not_utf8(row)
  if column then
    checked.not_utf8 = checked.not_utf8 + 1
    if checked.not_utf8 > 1 then return end -- usually all rows have this error, so only the first is listed
    checked.errors[#checked.errors + 1] = {
      line = line, column = column,
      message = ("column %s is not valid UTF-8: save the table as CSV, UTF-8"):format(column),
    }
    return
  end
  local message = merge:message(row)
  local text, wrong_column, identity = error_of(merge, row, message, hosting, checked.seen, definition_of)
  local first = identity and checked.seen[identity]
  if text then
    checked.errors[#checked.errors + 1] = { line = line, message = text, column = wrong_column }
  elseif first then
    checked.duplicates[#checked.duplicates + 1] = { line = line, to = row[merge.columns.to], first = first }
  else
    checked.seen[identity] = line
    checked.first = checked.first or { to = row[merge.columns.to], message = message }
  end
end

-- Returns a function that compares a message with the definition of its template, and returns an error or nil. The
-- definition comes from the folder of --templates, or, in a dry run, from the gateway.
local function comparison(ctx, args)
  if not args.templates and not args.dry_run then return nil end
  local known = {}
  return function(message)
    local template = message.template
    local language = type(template.language) == "table" and template.language.code or template.language
    local found = known[language]
    if not found then
      found = {}
      if args.templates then
        found.definition, found.err = definitions.in_folder(args.templates, template.name, language)
      else
        found.definition, found.err = ctx:client().templates:definition(template.name, language)
        if found.err then
          io.stderr:write(output.printable(("the rows are not compared with the template's definition: %s"):format(
            found.err.message)), "\n")
          found.err = nil
        end
      end
      known[language] = found
    end
    if not found.definition then return found.err end
    return select(2, definition.check(found.definition, message))
  end
end

---@class waba.cli.CheckedRows
---@field count integer        all rows
---@field invalid integer
---@field errors { line: integer, column: string|nil, message: string }[]  without the second and further rows that are not UTF-8
---@field not_utf8 integer     rows that are not UTF-8
---@field duplicates { line: integer, to: string, first: integer }[]  rows with the recipient of an earlier row
---@field first { to: string, message: waba.Message }|nil  the first valid row
---@field description string   the result of `MailMerge:description`
---@field unique boolean       true: each recipient gets the message only once

---@return waba.cli.CheckedRows
function row_check.read(ctx, args)
  local merge, hosting = mail_merge.open(ctx, args), ctx:hosting()
  local checked = {
    count = 0, errors = {}, not_utf8 = 0, duplicates = {}, seen = {}, description = merge:description(),
    unique = not args.key,
  }
  local definition_of = comparison(ctx, args)
  for row, line in merge.next_row do
    if not row then ctx:wrong(("%s: %s"):format(args.file, line)) end
    check_row(checked, merge, row, line, hosting, definition_of)
  end
  if checked.count == 0 then ctx:wrong(args.file .. " has no rows: expected one row for each recipient") end
  checked.seen = nil
  checked.invalid = #checked.errors + math.max(0, checked.not_utf8 - 1)
  return checked
end

function row_check.show_errors(ctx, args, checked)
  for _, err in ipairs(checked.errors) do
    if ctx.json then
      output.json(err)
    else
      output.line(output.printable(("%s:%d: %s"):format(args.file, err.line, err.message)))
    end
  end
  if checked.not_utf8 > 1 and not ctx.json then
    output.line(("%s: %d more rows are not valid UTF-8"):format(args.file, checked.not_utf8 - 1))
  end
end

local MOST_DUPLICATES = 20 -- rows that are printed; further rows are only counted

function row_check.show_duplicates(args, checked)
  local list = checked.duplicates
  for i = 1, math.min(#list, MOST_DUPLICATES) do
    io.stderr:write(output.printable(("%s:%d: %s is also the recipient of line %d: the message is sent once"):format(
      args.file, list[i].line, list[i].to, list[i].first)), "\n")
  end
  if #list > MOST_DUPLICATES then
    io.stderr:write(("and %d more rows with a recipient of an earlier row\n"):format(#list - MOST_DUPLICATES))
  end
end

return row_check
