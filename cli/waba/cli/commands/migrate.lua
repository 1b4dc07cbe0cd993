-- waba migrate: converts stored On-Premise requests to requests for Cloud hosting.

local files = require "waba.cli.files"
local output = require "waba.cli.output"
local waba = require "waba"
local text = require "waba.migrate.text"

local EPILOG = [[
One JSON object on each line: the body of a message as it was sent to On-Premise
hosting, or an object with method, path and body.
Exit codes: 0 all have a counterpart, 1 some have none or could not be read.]]

local function add(parser)
  local command = parser:command("migrate", "Convert stored On-Premise requests for Cloud hosting."):epilog(EPILOG)
  command:argument("file", 'Stored requests; "-": standard input.')
  command:flag("--summary", "Print the summary only.")
end

local function show(lines)
  for _, line in ipairs(lines) do output.line(output.printable(line)) end
end

local function plain(read)
  local err = read.on_premise_error
  if not err then return read end
  local copy = {}
  for name, value in pairs(read) do copy[name] = value end
  copy.on_premise_error = { path = err.path, message = err.message }
  return copy
end

local function run(ctx, args)
  files.must_exist(ctx, args.file)
  local summary, err = waba.migrate.scan(args.file == "-" and io.stdin or args.file, function(read)
    if args.summary then return end
    if ctx.json then output.json(plain(read)) else show(text.of_line(read)) end
  end)
  if not summary then return ctx:fail(err) end
  if summary.lines == 0 then ctx:wrong(args.file .. " contains no requests: expected one JSON object on each line") end
  if ctx.json then output.json { summary = summary } else show(text.of_summary(summary)) end
  return summary.lacking + summary.broken == 0 and 0 or 1
end

return { add = add, run = run }
