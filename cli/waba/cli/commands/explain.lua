-- waba explain: prints the meaning of an error code of the platform, and what to do about it.

local codes_of = require("waba.check").codes
local output = require "waba.cli.output"
local waba = require "waba"

local function add(parser)
  local command = parser:command("explain", "Explain an error code, and what to do.")
  command:argument("code", "The code, such as 470 or 131047; by default all codes are listed."):args "?"
end

local function show(row)
  output.columns { { { text = ("%s %s"):format(row.code, row.title), colour = "strong" } } }
  for _, text in ipairs { row.meaning or "", row.advice or "" } do
    for _, line in ipairs(output.wrapped(text, 79)) do output.line(line) end
  end
  output.fields { { "kind", row.kind }, { "retryable", row.retryable and "yes, later" or "no" } }
end

local function list_all(ctx)
  local list = {}
  for _, hosting in ipairs(ctx.args.hosting and { ctx.args.hosting } or { "on_premise", "cloud" }) do
    for _, row in ipairs(codes_of(hosting)) do
      row.hosting = hosting
      list[#list + 1] = row
    end
  end
  return ctx:show(output.list(list), nil, function()
    local rows = {}
    for i, row in ipairs(list) do
      rows[i] = { tostring(row.code), row.hosting == "cloud" and "Cloud" or "On-Premise", row.kind, row.title }
    end
    output.columns(rows)
  end)
end

local function run(ctx, args)
  if not args.code then return list_all(ctx) end
  if not args.code:find "^%d+$" then ctx:wrong("the code must be a number, not " .. args.code) end
  local row = waba.explain(args.code)
  return ctx:show(row, {
    kind = "not_found",
    message = ("unknown error code %s: waba explain without a code lists all codes"):format(args.code),
  }, show)
end

return { add = add, run = run }
