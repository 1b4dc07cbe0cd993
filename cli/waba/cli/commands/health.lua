-- waba health: prints the health of the WhatsApp client that serves the phone number.

local output = require "waba.cli.output"

local function add(parser)
  parser:command("health", "Show the state of the number's WhatsApp client.")
end

local function show(state)
  local rows = { { { text = state.status or "unknown", colour = state.healthy and "good" or "bad" }, "", "" } }
  for _, node in ipairs(state.nodes or {}) do
    local messages = {}
    for _, err in ipairs(node.errors or {}) do
      messages[#messages + 1] = tostring(type(err) == "table" and (err.message or err.title or err.code) or err)
    end
    if node.name or #messages > 0 then
      rows[#rows + 1] = { ("  %s"):format(node.name or ""), node.status or "", table.concat(messages, "; ") }
    end
  end
  output.columns(rows)
end

local function run(ctx)
  local state, err = ctx:client():health()
  local code = ctx:show(state, err, show)
  return code == 0 and not state.healthy and 1 or code
end

return { add = add, run = run }
