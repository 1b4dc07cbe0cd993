-- waba chat: writes to a bot as a customer of a running emulator, and prints the messages of the bot.

local core = require "waba.core"
local files = require "waba.cli.files"
local output = require "waba.cli.output"
local printable = require "waba.printable"

local LOOK = 0.1 -- seconds between two requests for new messages of the bot
-- After the end of the input, the command ends as soon as the bot has sent nothing for this number of seconds.
local QUIET = 1

local function add(parser)
  local command = parser:command("chat", "Write to a bot as a customer of a running emulator.")
    :epilog [[
Each line of the input is a text of the customer. Lines that begin with a slash:
  /tap TITLE      tap a button, or a row of a list, of the bot's last message
  /react EMOJI    react to the bot's last message
  /image FILE     also /video, /voice, /audio, /document and /sticker
Ctrl-D ends it. The emulator prints WABA_EMULATOR when it starts.]]
  command:option("--emulator", "The address of the emulator. Environment: WABA_EMULATOR."):argname "<url>"
  command:option("--from", "The customer's phone number."):argname "<number>":default "+49 151 12345601"
  command:option("--name", "The customer's name."):argname "<text>":default "Eva"
end

local function quick_replies(state, content)
  local titles = {}
  for _, template in ipairs(state.emulator:templates() or {}) do
    local is_this = template.name == content.name and template.language == content.language.code
    for _, component in ipairs(is_this and template.components or {}) do
      for _, button in ipairs(component.buttons or {}) do
        if button.type == "QUICK_REPLY" then titles[#titles + 1] = button.text end
      end
    end
  end
  return titles
end

local function choices_of(state, message)
  if message.type == "template" then return quick_replies(state, message.content) end
  local titles, action = {}, message.type == "interactive" and message.content.action or {}
  for _, button in ipairs(action.buttons or {}) do titles[#titles + 1] = button.reply and button.reply.title end
  for _, section in ipairs(action.sections or {}) do
    for _, row in ipairs(section.rows or {}) do titles[#titles + 1] = row.title end
  end
  return titles
end

local function text_of(message)
  local content = type(message.content) == "table" and message.content or {}
  local body = type(content.body) == "table" and content.body.text or content.body
  return body or content.caption or content.name or content.emoji or ""
end

-- Prints the new messages of the bot, and returns whether there are new messages.
local function show_new(ctx, state)
  local list = state.emulator:messages { direction = "outbound", wa_id = state.wa_id, since = state.since }
  if not list then ctx:wrong "the emulator has ended: start waba emulator again" end
  for _, message in ipairs(list) do
    state.since, state.last = message.sequence, message
    if ctx.json then
      output.json(message)
    else
      local kind = message.type == "text" and "" or ("[%s] "):format(message.type)
      output.line("bot: " .. kind .. printable.text(text_of(message)))
      for _, title in ipairs(choices_of(state, message)) do output.line("       /tap " .. printable.line(title)) end
    end
  end
  output.flush()
  return #list > 0
end

local MEDIA = { image = true, video = true, voice = true, audio = true, document = true, sticker = true }

-- The commands /tap and /react, and the methods of the emulator's customer that they call.
local METHODS = { tap = "tap", react = "reaction" }

local function send(state, line)
  local name, rest = line:match "^/(%l+)%s*(.-)%s*$"
  local customer = state.customer
  if not name then return customer:text(line) end
  if MEDIA[name] then
    if not files.exists(rest) then return nil, "can't read the file " .. rest end
    return customer[name](customer, { file = rest, filename = name == "document" and rest:match "[^/]+$" or nil })
  end
  if not METHODS[name] then
    return nil, ("unknown command /%s: expected /tap, /react, /image, /video, /voice, /audio, /document or /sticker")
      :format(name)
  end
  if not state.last then return nil, "/tap and /react need a message of the bot: the bot has sent none yet" end
  return customer[METHODS[name]](customer, state.last.id, rest)
end

local function wait_for_input() return require("cqueues").poll({ pollfd = 0, events = "r" }, LOOK) ~= LOOK end

-- Calls `on_line` with each line of standard input, and `look` every LOOK seconds, until the input ends.
local function read_lines(on_line, look)
  io.stdin:setvbuf "no" -- because `poll` does not report a line that the stream has buffered
  local is_file = not pcall(wait_for_input) -- epoll refuses regular files, whose bytes are always available
  while true do
    if is_file or wait_for_input() then
      local line = io.stdin:read "*l"
      if not line then return end
      on_line(line)
    end
    look()
  end
end

local function run(ctx, args)
  local url = args.emulator or os.getenv "WABA_EMULATOR"
  if not url or url == "" then
    ctx:wrong("the URL of the emulator is missing: start waba emulator, and set WABA_EMULATOR to the URL that it "
      .. "prints, or add --emulator URL")
  end
  local joined, err = require("waba").emulator.connect(url)
  if not joined then return ctx:fail(err) end
  local gateway = ctx:hosting() == "cloud" and joined.cloud or joined
  if not args.from:find "%d" then
    ctx:wrong("--from: " .. args.from .. " is not a phone number: expected digits with the country code")
  end
  local state = { emulator = gateway, customer = gateway:customer(args.from, { name = args.name }),
    wa_id = assert(gateway:contact(args.from, { name = args.name })).wa_id, since = assert(gateway:counts()).messages }
  local code = 0
  read_lines(function(line)
    if not line:find "%S" then return end
    local sent, reason = send(state, line)
    if not sent then
      code = 1
      io.stderr:write("waba chat: ", printable.line(tostring(reason)), "\n")
    end
  end, function() show_new(ctx, state) end)
  local deadline = core.clock() + QUIET
  repeat
    if show_new(ctx, state) then deadline = core.clock() + QUIET end
    joined.sleep(LOOK)
  until core.clock() > deadline
  joined:stop()
  return code
end

return { add = add, run = run }
