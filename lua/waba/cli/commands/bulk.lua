-- waba bulk: one template to every row of a table.

local core = require "waba.core"
local csv = require "waba.cli.csv"
local files = require "waba.cli.files"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local progress = require "waba.cli.progress"
local recipient = require "waba.recipient"
local waba = require "waba"

local bulk = {}

local EPILOG = [[
The first line of the file names the columns. The column "to" holds the phone
numbers; the others are the parameters of the body, in their order:

  to,name,day
  +49 151 1234567,Eva,Monday

A journal beside the file (FILE.csv.journal) remembers what was sent: run the
same command again after Ctrl-C or a crash, and it goes on where it was. What
may or may not have been sent is told, and never sent again by itself.]]

---@param parser table
function bulk.add(parser)
  local command = parser:command("bulk", "Send a template to every row of a CSV file."):epilog(EPILOG)
  command:argument("file", "The CSV file.")
  command:option("--template", "The template's name."):argname "<name>":count(1)
  command:option("--language", "Its language, or the column that holds it as @column."):argname "<code>":count(1)
  command:option("--namespace", "Its namespace (On-Premise)."):argname "<namespace>"
  command:option("--to", "The column of phone numbers."):argname "<column>":default "to"
  command:option("--key", "A column that tells the rows apart; by default their place."):argname "<column>"
  command:option("--body", "Columns for the body, in order, with commas between."):argname "<columns>"
  command:option("--named", "parameter=column for named parameters; for each."):argname "<pair>":count "*"
  command:option("--header", "The column for a text header."):argname "<column>"
  command:option("--header-image", "The column with links for the header."):argname "<column>"
  command:option("--button", "payload=column or url=column; for each, in order."):argname "<pair>":count "*"
  command:option("--rate", "Messages per second at most."):argname "<number>":convert(numbers.positive)
  command:option("--concurrency", "Messages in flight at most; 64."):argname "<number>":convert(numbers.count)
  command:option("--journal", "Another file for the journal."):argname "<file>"
  command:flag("--retry-failed", "Send again what an earlier run could not send.")
  command:flag("--retry-maybe-sent", "Send again what an earlier run may have sent.")
  command:flag("--dry-run", "Check every row, show the first, send nothing.")
end

local function split(text)
  local list = {}
  for name in (text .. ","):gmatch "([^,]*)," do list[#list + 1] = name:match "^%s*(.-)%s*$" end
  return list
end

-- "left=right" pairs; every right side is a column.
local function pairs_of(ctx, given, what)
  local list = {}
  for i, text in ipairs(given) do
    local left, right = text:match "^([^=]+)=(.+)$"
    if not left then ctx:wrong(("%s is written name=column, not %s"):format(what, text)) end
    list[i] = { left, right }
  end
  return list
end

-- What each column is for; every column that is named must exist.
local function plan(ctx, args, names)
  local known = {}
  for _, name in ipairs(names) do known[name] = name end
  local function column(name, what)
    if not known[name] then
      local near = require("waba.options").nearest(name, known)
      ctx:wrong(("%s: %s has no column %s%s"):format(what, args.file, name,
        near and (" (did you mean %s?)"):format(near) or ""))
    end
    return name
  end
  local columns = { to = column(args.to, "--to"), body = {}, named = {}, buttons = {} }
  columns.key = args.key and column(args.key, "--key")
  columns.header = args.header and column(args.header, "--header")
  columns.header_image = args.header_image and column(args.header_image, "--header-image")
  columns.language = args.language:match "^@(.+)$"
  if columns.language then column(columns.language, "--language") end
  for i, pair in ipairs(pairs_of(ctx, args.button, "--button")) do
    if pair[1] ~= "payload" and pair[1] ~= "url" then ctx:wrong "--button is payload=column or url=column" end
    columns.buttons[i] = { pair[1], column(pair[2], "--button") }
  end
  for i, pair in ipairs(pairs_of(ctx, args.named, "--named")) do
    columns.named[i] = { pair[1], column(pair[2], "--named") }
  end
  if args.body then
    for i, name in ipairs(split(args.body)) do columns.body[i] = column(name, "--body") end
  elseif #columns.named == 0 then
    local taken = { [columns.to] = true }
    for _, name in pairs { columns.key or false, columns.header or false, columns.header_image or false,
      columns.language or false } do taken[name] = true end
    for _, pair in ipairs(columns.buttons) do taken[pair[2]] = true end
    for _, name in ipairs(names) do
      if name ~= "" and not taken[name] then columns.body[#columns.body + 1] = name end
    end
  end
  if #columns.body > 0 and #columns.named > 0 then ctx:wrong "--body and --named exclude each other" end
  return columns
end

local function body_of(columns, row)
  local body = {}
  for i, name in ipairs(columns.body) do body[i] = row[name] end
  for _, pair in ipairs(columns.named) do body[pair[1]] = row[pair[2]] end
  return next(body) ~= nil and body or nil
end

local function message_of(args, columns, row)
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

-- Every row of the file; a row that can't be read ends the command before anything is sent.
local function open(ctx, args)
  local names, next_row = csv.rows(files.lines(ctx, args.file))
  if not names then ctx:wrong(("%s: %s"):format(args.file, next_row)) end
  return plan(ctx, args, names), next_row
end

-- What is wrong with a row, if anything is; `seen` knows the keys of the rows before.
local function fault_of(columns, row, message, hosting, seen)
  local read = hosting == "cloud" and recipient.read or recipient.normalize
  local to, err = read(row[columns.to])
  if not to then return err end
  local valid
  valid, err = waba.check(message, hosting)
  if not valid then return err end
  local key = columns.key and row[columns.key]
  if not key then return nil end
  if key == "" then return { path = "key", message = ("%s is empty"):format(columns.key) } end
  if not seen[key] then return nil end
  return { path = "key", message = ("%s %s stands in line %d too"):format(columns.key, key, seen[key]) }
end

-- Reads the whole file once: counts the rows, checks each message, and names every fault.
local function rehearse(ctx, args)
  local columns, next_row = open(ctx, args)
  local seen = {}
  local hosting, count, faults, first = ctx:hosting(), 0, {}, nil
  for row, place in next_row do
    if not row then ctx:wrong(("%s: %s"):format(args.file, place)) end
    count = count + 1
    local message = message_of(args, columns, row)
    local fault = fault_of(columns, row, message, hosting, seen)
    if fault then
      faults[#faults + 1] = { line = place, message = fault.message, path = fault.path }
    elseif columns.key then
      seen[row[columns.key]] = place
    end
    if not fault then first = first or { to = row[columns.to], message = message } end
  end
  if count == 0 then ctx:wrong(args.file .. " has no rows") end
  return count, faults, first
end

local function show_faults(ctx, args, faults)
  for _, fault in ipairs(faults) do
    if ctx.json then
      output.json(fault)
    else
      output.line(output.printable(("%s:%d: %s"):format(args.file, fault.line, fault.message)))
    end
  end
end

local function dry_run(ctx, args, count, faults, first)
  show_faults(ctx, args, faults)
  local seconds = ctx:client():estimate(count, { rate = args.rate, concurrency = args.concurrency })
  if ctx.json then
    output.json { rows = count, invalid = #faults, seconds = seconds, first = first }
  else
    if first then output.line(output.printable(("to %s: %s"):format(first.to, core.encode(first.message)))) end
    output.line(("%d rows, %d invalid; about %s"):format(count, #faults, progress.duration(seconds)))
  end
  return #faults > 0 and 1 or 0
end

-- The file once more, as the source of the run.
local function source_of(ctx, args)
  local columns, next_row = open(ctx, args)
  return function()
    local row, place = next_row()
    if row == nil then return nil end
    if not row then error(("%s: %s"):format(args.file, place), 0) end
    return row[columns.to], message_of(args, columns, row), columns.key and row[columns.key] or nil
  end
end

-- Refusals are told one by one: on a terminal between two drawings of the bar.
local function teller(ctx, bar)
  return function(key, sent, err, to)
    if bar.is_drawn and (ctx.json or err) then bar:clear() end
    if ctx.json then
      output.json { key = key, to = to, id = sent and sent.id, error = err and {
        kind = err.kind, message = err.message, code = err.code, maybe_sent = err.maybe_sent } }
    elseif err then
      io.stderr:write(output.printable(("%s (%s): %s"):format(to, key, tostring(err))), "\n")
    end
  end
end

local function conclude(ctx, summary, journal)
  if ctx.json then
    output.json(summary)
  else
    output.line(("%d sent, %d failed, %d in doubt, %d done before; %s"):format(summary.sent, summary.failed,
      summary.maybe_sent, summary.skipped, progress.duration(summary.seconds)))
    if summary.stopped then
      output.line(output.printable(("stopped; the same command goes on (journal %s)"):format(journal)))
    elseif summary.maybe_sent > 0 then
      output.line "In doubt: the gateway may have taken these. Look, then --retry-maybe-sent sends them again."
    end
  end
  if summary.stopped then return 1 end
  return summary.failed + summary.maybe_sent > 0 and 1 or 0
end

---@param ctx waba.cli.Context
---@param args table
---@return integer exit_code
function bulk.run(ctx, args)
  if args.file == "-" or files.is_pipe(args.file) then ctx:wrong "bulk reads its file twice: it can't be a pipe" end
  local count, faults, first = rehearse(ctx, args)
  if args.dry_run then return dry_run(ctx, args, count, faults, first) end
  if #faults > 0 then
    show_faults(ctx, args, faults)
    ctx:wrong(("%d of %d rows are invalid; nothing was sent"):format(#faults, count))
  end
  local journal, bar = args.journal or args.file .. ".journal", progress.new()
  local stopping = false
  core.hold_interrupt(true)
  local summary, err = ctx:client():send_all(source_of(ctx, args), {
    journal = journal, rate = args.rate, concurrency = args.concurrency, total = count,
    retry_failed = args.retry_failed, retry_maybe_sent = args.retry_maybe_sent, on_result = teller(ctx, bar),
    on_progress = function(figures) bar:show(figures) end,
    stop = function()
      if not stopping and core.interrupted() then
        stopping = true
        core.hold_interrupt(false) -- the second Ctrl-C ends at once; the journal stands
        io.stderr:write "\nstopping: what is in flight ends first\n"
      end
      return stopping
    end,
  })
  core.hold_interrupt(false)
  bar:close()
  if not summary then return ctx:fail(err) end
  return conclude(ctx, summary, journal)
end

return bulk
