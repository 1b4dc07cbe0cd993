-- waba bulk: sends one template to every row of a table.

local core = require "waba.core"
local files = require "waba.cli.files"
local journals = require "waba.bulk.journal"
local mail_merge = require "waba.cli.mail_merge"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local progress = require "waba.cli.progress"
local row_check = require "waba.cli.row_check"
local run_report = require "waba.cli.run_report"

local EPILOG = [[
The first line of the file names the columns. The column "to" holds the phone
numbers; the others are the parameters of the body, in their order:

  to,name,day
  +49 151 1234567,Eva,Monday

A journal beside the file (FILE.csv.journal) records what was sent: run the same
command again after Ctrl-C or a crash, and it continues; rows that failed are
sent again. A row whose result is uncertain is reported, and is never sent again
by itself. Another template, language or choice of columns is sent to every row.

Exit codes: 0 every row was sent, 1 a row failed or is uncertain, 2 wrong use.]]

local SAME_ERRORS = 100 -- a run stops after this number of rows if all of them have failed with the same error

local function add(parser)
  local command = parser:command("bulk", "Send a template to every row of a CSV file."):epilog(EPILOG)
  command:argument("file", "The CSV file.")
  command:option("--template", "The template's name."):argname "<name>":count(1)
  command:option("--language", "The template's language, or @ and the column with the language.")
    :argname "<code>":count(1)
  command:option("--templates", "Check each row with the definitions in this folder."):argname "<folder>"
  command:option("--namespace", "The template's namespace (On-Premise)."):argname "<namespace>"
  command:option("--to", "The column of phone numbers."):argname "<column>":default "to"
  command:option("--key", "A column that identifies the rows; by default their position."):argname "<column>"
  command:option("--body", "Columns for the body, in order, with commas between."):argname "<columns>"
  command:option("--named", "parameter=column, for a named parameter; can be repeated."):argname "<pair>":count "*"
  command:option("--header", "The column for a text header."):argname "<column>"
  command:option("--header-image", "The column with links for the header."):argname "<column>"
  command:option("--button", "payload=column or url=column, for the next button; can be repeated.")
    :argname "<pair>":count "*"
  command:option("--rate", "The largest number of messages per second."):argname "<number>":convert(numbers.positive)
  command:option("--concurrency", "The largest number of messages in flight; default: 64.")
    :argname "<number>":convert(numbers.count)
  command:option("--journal", "Another file for the journal."):argname "<file>"
  command:option("--report", "Write the results to FILE.html or FILE.csv; can be repeated."):argname "<file>"
    :count "*"
  command:flag("--skip-failed", "Do not send again what an earlier run could not send.")
  command:flag("--retry-failed", "Send again what an earlier run could not send: the default."):hidden(true)
  command:flag("--retry-maybe-sent", "Send again what an earlier run may have sent.")
  command:flag("--yes", "Send without questions, also when the first hundred rows fail with the same error.")
  command:flag("--dry-run", "Check every row, show the first, send nothing.")
end

local function dry_run(ctx, args, checked)
  row_check.show_errors(ctx, args, checked)
  row_check.show_duplicates(args, checked)
  local count, first = checked.count, checked.first
  local seconds = ctx:client():estimate(count - #checked.duplicates, {
    rate = args.rate, concurrency = args.concurrency,
  })
  if ctx.json then
    output.json { rows = count, invalid = checked.invalid, duplicates = #checked.duplicates, seconds = seconds,
      first = first }
  else
    if first then output.line(output.printable(("to %s: %s"):format(first.to, core.encode(first.message)))) end
    output.line(("%d rows, %d invalid%s; about %s"):format(count, checked.invalid,
      #checked.duplicates > 0 and (", %d with a recipient of an earlier row"):format(#checked.duplicates) or "",
      progress.duration(seconds)))
  end
  return checked.invalid > 0 and 1 or 0
end

-- Opens the table a second time, after `row_check.read`, as the source of rows for `client:send_all`.
local function source_of(ctx, args)
  local merge = mail_merge.open(ctx, args)
  local columns = merge.columns
  return function()
    local row, line = merge.next_row()
    if row == nil then return nil end
    if not row then error(("%s: %s"):format(args.file, line), 0) end
    return row[columns.to], merge:message(row), columns.key and row[columns.key] or nil
  end
end

-- Prints a question, and returns whether the user enters y. Returns nil if there is no terminal.
local function confirm(question)
  if not core.is_terminal(0) or not core.is_terminal(2) then return nil end
  io.stderr:write(output.printable(question), " [y/N] ")
  io.stderr:flush()
  local reply = io.read "*l"
  return reply ~= nil and reply:find "^%s*[yY]" ~= nil
end

-- Prints a warning if the last run with the journal sent another message. Returns false if the user declines to
-- continue.
local function accept_change(args, journal, description)
  local last, own = journals.last_section(journal, description)
  if not last or last.campaign == description then return true end
  local consequence = own and "Earlier runs sent this message to %d rows; these are skipped."
    or "This message is sent to every row, also to %d rows that were sent the earlier message."
  io.stderr:write(output.printable(("the message has changed since the last run with the journal %s\n  was: %s\n"
    .. "  is:  %s\n" .. consequence):format(journal, last.campaign, description, (own or last).sent)), "\n")
  return args.yes or last.sent == 0 or confirm "Continue?" ~= false
end

local Run = {}
Run.__index = Run

function Run:report_result(key, sent, err, to)
  local bar, ctx = self.bar, self.ctx
  self.results = self.results + 1
  if self.results <= SAME_ERRORS then
    local name = err and (err.kind .. tostring(err.code)) or "sent"
    self.same = self.same == nil and name or self.same == name and name
    self.last_err = err
  end
  for _, report in ipairs(self.reports) do report:add(key, sent, err, to) end
  if bar.is_drawn and (ctx.json or err) then bar:clear() end
  if ctx.json then
    output.json { key = key, to = to, id = sent and sent.id, error = err and {
      kind = err.kind, message = err.message, code = err.code, maybe_sent = err.maybe_sent } }
  elseif err then
    io.stderr:write(output.printable(("%s (%s): %s"):format(to, key, tostring(err))), "\n")
  end
end

function Run:must_stop()
  if not self.is_stopping and core.interrupted() then
    self.is_stopping = true -- the journal is complete, so a second signal may end the process at once
    io.stderr:write "\nstopping after the messages in flight\n"
  end
  local is_alike = self.results >= SAME_ERRORS and self.last_err ~= nil and self.same
  return self.is_stopping or is_alike and not self.args.yes and not self.is_confirmed
end

-- Sends the rows whose results are not in the journal. `again` is true in the second call of `Run:send` in a run.
function Run:send(again)
  local args = self.args
  core.hold_interrupt(true)
  local summary, err = self.client:send_all(source_of(self.ctx, args), {
    journal = self.journal, campaign = self.checked.description, unique = self.checked.unique, rate = args.rate,
    concurrency = args.concurrency, total = self.checked.count, retry_failed = not args.skip_failed and not again,
    retry_maybe_sent = args.retry_maybe_sent and not again,
    on_result = function(...) self:report_result(...) end,
    on_progress = function(figures) self.bar:show(figures) end,
    stop = function() return self:must_stop() end,
  })
  core.hold_interrupt(false)
  self.bar:close()
  return summary, err
end

-- Adds the summaries of two calls of `Run:send`. The second summary counts the results of the first call as `skipped`.
local function add_up(first, second)
  local settled = first.sent + first.failed + first.maybe_sent
  return {
    done = second.done, sent = first.sent + second.sent, failed = first.failed + second.failed,
    maybe_sent = first.maybe_sent + second.maybe_sent, skipped = second.skipped - settled,
    failed_before = second.failed_before - first.failed,
    maybe_sent_before = second.maybe_sent_before - first.maybe_sent,
    duplicates = second.duplicates, seconds = first.seconds + second.seconds, stopped = second.stopped,
  }
end

-- Sends all rows. If the first rows fail with the same error, sends the others only if the user enters y.
function Run:send_all()
  local summary, err = self:send(false)
  if not summary or self.is_stopping or not summary.stopped then return summary, err end
  local question = ("the first %d rows failed with the same error: %s\nSend the others?"):format(SAME_ERRORS,
    tostring(self.last_err))
  local reply = confirm(question)
  if not reply then
    if reply == nil then
      io.stderr:write(output.printable(("the first %d rows failed with the same error, so the others are not sent: %s\n"
        .. "--yes sends them anyway."):format(SAME_ERRORS, tostring(self.last_err))), "\n")
    end
    return summary
  end
  self.is_confirmed = true
  local rest, failure = self:send(true)
  if not rest then return nil, failure end
  return add_up(summary, rest)
end

local function show_summary(summary, journal)
  output.line(("%d sent, %d failed, %d uncertain, %d done before%s; %s"):format(summary.sent, summary.failed,
    summary.maybe_sent, summary.skipped,
    summary.duplicates > 0 and (", %d with a recipient of an earlier row"):format(summary.duplicates) or "",
    progress.duration(summary.seconds)))
  if summary.stopped then
    output.line(output.printable(("stopped; the same command continues the run (journal %s)"):format(journal)))
    return
  end
  if summary.failed_before > 0 then
    output.line(("%d of those done before failed: without --skip-failed they are sent again."):format(
      summary.failed_before))
  end
  local uncertain = summary.maybe_sent + summary.maybe_sent_before
  if uncertain > 0 then
    output.line(("%d uncertain: the gateway may have accepted them. --retry-maybe-sent sends them again.")
      :format(uncertain))
  end
end

local function run(ctx, args)
  if args.file == "-" or files.is_pipe(args.file) then
    ctx:wrong(("%s is a pipe, but bulk reads its file twice: expected the path of a regular file"):format(
      args.file == "-" and "standard input" or args.file))
  end
  local checked = row_check.read(ctx, args)
  if args.dry_run then return dry_run(ctx, args, checked) end
  if checked.invalid > 0 then
    row_check.show_errors(ctx, args, checked)
    ctx:wrong(("%d of %d rows are invalid, so nothing was sent: correct them"):format(checked.invalid, checked.count))
  end
  row_check.show_duplicates(args, checked)
  local journal = args.journal or args.file .. ".journal"
  if not accept_change(args, journal, checked.description) then return 1 end
  local reports = {}
  for i, path in ipairs(args.report) do reports[i] = run_report.open(ctx, path, checked.description) end
  local function observe(event)
    for _, report in ipairs(reports) do report:observe(event) end
  end
  local current = setmetatable({
    ctx = ctx, args = args, checked = checked, journal = journal, bar = progress.new(),
    client = ctx:client(reports[1] and { on_event = observe }), reports = reports, results = 0,
  }, Run)
  local summary, err = current:send_all()
  for _, report in ipairs(reports) do report:close(summary or err.summary) end
  if not summary then return ctx:fail(err) end
  if ctx.json then output.json(summary) else show_summary(summary, journal) end
  local open = summary.failed + summary.maybe_sent + summary.failed_before + summary.maybe_sent_before
  return (summary.stopped or open > 0) and 1 or 0
end

return { add = add, run = run }
