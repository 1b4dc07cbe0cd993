-- Prints the manual page of the `waba` command (man 7 man), generated from the definition of the command line:
--
--   eval "$(make -s env)" && lua5.4 scripts/manual.lua > docs/waba.1

local cli = require "waba.cli"
local version = require "waba.version"

local function escaped(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("\n([.'])", "\n\\&%1"))
end

local function write(...)
  io.stdout:write(...)
  io.stdout:write "\n"
end

-- Writes the names and the description of one option or argument.
local function write_element(element)
  local labels = element:_get_label_lines()
  write(".TP")
  write("\\fB", escaped(table.concat(labels, ", ")), "\\fR")
  write(escaped(element:_get_description()))
end

local function write_elements(parser, skip_help)
  for _, list in ipairs { parser._arguments, parser._options } do
    for _, element in ipairs(list) do
      if not element._hidden and not (skip_help and element._aliases and element._aliases[1] == "-h") then
        write_element(element)
      end
    end
  end
end

local function write_verbatim(text)
  write(".PP\n.nf")
  write(escaped(text))
  write(".fi")
end

local function write_command(command, path)
  path = path .. " " .. command._name
  write(".SS ", escaped(path))
  write(escaped(command._description or ""))
  write_verbatim((command:get_usage():gsub("^Usage: ", "")))
  write_elements(command, true)
  if command._epilog then write_verbatim(command._epilog) end
  for _, sub in ipairs(command._commands) do write_command(sub, path) end
end

local parser = cli.parser()
write(('.TH WABA 1 "" "waba %s" "User Commands"'):format(version))
write ".SH NAME"
write("waba \\- ", escaped "WhatsApp business messaging through 360dialog")
write ".SH SYNOPSIS"
write_verbatim((parser:get_usage():gsub("^Usage: ", "")))
write ".SH DESCRIPTION"
write(escaped [[
Sends WhatsApp messages, receives webhooks, and manages a phone number at 360dialog.]])
write_verbatim(parser._epilog)
write ".SH OPTIONS"
write("These may stand anywhere in the command line.")
write_elements(parser, false)
write ".SH COMMANDS"
for _, command in ipairs(parser._commands) do write_command(command, "waba") end
write ".SH ENVIRONMENT"
for _, row in ipairs {
  { "D360_API_KEY", "The API key." },
  { "WABA_HOSTING", "on_premise or cloud." },
  { "WABA_BASE_URL", "The URL of another gateway, such as the emulator, for the hosting in WABA_HOSTING." },
  { "WABA_CLOUD_BASE_URL", "The URL of another gateway for Cloud hosting, if it differs from WABA_BASE_URL." },
  { "WABA_CA_FILE", "Authorities to trust, PEM." },
  { "WABA_WEBHOOK_PASSWORD", "The password beside --user." },
  { "WABA_WEBHOOK_SECRET", "The secret that Cloud hosting signs webhooks with." },
  { "NO_COLOR", "Not empty: no colours." },
} do
  write(".TP\n\\fB", row[1], "\\fR")
  write(escaped(row[2]))
end
write ".SH FILES"
write ".TP\n\\fI~/.config/waba/key\\fR"
write "The API key, in a file of mode 600."
write ".SH EXIT STATUS"
write "0: done. 1: the gateway or the network refused. 2: wrong use."
-- spec/cli/help_spec.lua runs these.
write ".SH EXAMPLES"
for _, row in ipairs {
  { "Send a text through a gateway on this machine, which needs no account.",
    'waba emulator --log -- waba send text "+49 151 1234567" "Hello"' },
  { "Send a template on Cloud hosting.",
    'waba --hosting cloud send template "+49 151 1234567" appointment_reminder --language en '
      .. '--body Eva --body Monday --body 9:00' },
  { "Send one to every row of a table, and continue where a stopped run has ended.",
    "waba bulk customers.csv --template appointment_reminder --language en "
      .. "--body name,day,time --journal customers.journal" },
  { "Check a message without sending it.", "waba check message.json" },
  { "Print what customers write to a port of this machine, one line of JSON for each event.",
    "waba --json listen --port 8080" },
  { "Let the gateway post webhooks to an address. The password is read from WABA_WEBHOOK_PASSWORD.",
    "waba webhook set https://hooks.example/webhook --user shop" },
  { "Explain an error code, and look for what is wrong with the set-up.", "waba explain 470\nwaba doctor" },
} do
  write(".PP\n", escaped(row[1]))
  write ".RS 4"
  write_verbatim(row[2])
  write ".RE"
end
