-- waba contacts: checks which phone numbers use WhatsApp (On-Premise hosting).

local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("contacts", "Check phone numbers."):command_target "action"
  local check = command:command("check", "Check which numbers use WhatsApp.")
  check:argument("number", "Phone number with country code."):args "+"
  check:flag("--force", "Ignore cached results.")
end

local function show(list)
  local rows = {}
  for i, contact in ipairs(list) do
    local colour = contact.status == "valid" and "good" or "bad"
    rows[i] = { contact.input, { text = contact.status, colour = colour }, contact.wa_id or "" }
  end
  output.columns(rows)
end

local function run(ctx, args)
  local list, err = ctx:client().contacts:check(args.number, { wait = true, force = args.force or false })
  return ctx:show(list and output.list(list), err, show)
end

return { add = add, run = run }
