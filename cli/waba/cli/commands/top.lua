-- waba top: shows the waiting entries, the rates and the errors of an inbox and an outbox, once or until the user
-- quits.

local core = require "waba.core"
local inbox_place = require "waba.cli.inbox_place"
local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"
local open_screen = require "waba.cli.screen"
local new_figures = require "waba.cli.store_figures"

local function add(parser)
  local command = parser:command("top", "Show what waits in an inbox and an outbox, and what fails, on a live screen.")
    :epilog [[q or Ctrl-C ends the command. Without a terminal, the command prints the
figures once. Texts of customers are never shown.]]
  inbox_place.add(command)
  command:option("--outbox", "The SQLite file of the outbox."):argname "<file>"
  command:option("--outbox-prefix", "The prefix of the outbox's keys in Redis; default: {waba:outbox}.")
    :argname "<text>"
  command:option("--campaign", "Also count the results of this campaign of the outbox; several are possible.")
    :argname "<name>":count "*"
  command:option("--interval", "Seconds between two readings."):argname "<seconds>":default "2"
    :convert(numbers.positive)
  command:flag("--once", "Print the figures once.")
end

-- Reads the results of the campaigns, and computes the results per second since the first call.
local function look_at_campaigns(state)
  local list, now = {}, core.clock()
  for index, name in ipairs(state.campaigns) do
    local counts, err = state.outbox.box:campaign(name)
    if not counts then return nil, err end
    local row = { name = name, total = 0 }
    for _, result in ipairs { "sent", "failed", "uncertain", "cancelled" } do
      row[result] = counts[result]
      row.total = row.total + counts[result]
    end
    local first = state.first_counts[index]
    if first and now > first.at then row.rate = (row.total - first.total) / (now - first.at) end
    state.first_counts[index] = first or { at = now, total = row.total }
    list[index] = row
  end
  return list
end

local function look(state)
  local seen = { time = os.time() }
  for _, name in ipairs { "inbox", "outbox" } do
    if state[name] then
      local found, err = state[name]:look()
      if not found then return nil, err end
      seen[name] = found
    end
  end
  if not state.outbox then return seen end
  local campaigns, err = look_at_campaigns(state)
  seen.campaigns = campaigns
  return campaigns and seen, err
end

local function dim(text) return { text = text, colour = "dim" } end
local function bad_if(is_bad, text) return is_bad and { text = text, colour = "bad" } or text end
local function rate(number) return number and ("%.1f/s"):format(number) or "-" end
local function age(time, now) return time and output.age(now - time) or "-" end
local function least(number, is_cut) return ("%d%s"):format(number, is_cut and "+" or "") end

local STORE_TITLES = {
  "", "waiting", "taken", "to retry", "scheduled", "dead", "oldest", "came", "left", "conversations",
}

local function store_row(name, found, now)
  local cut = found.is_cut
  return {
    name, tostring(found.depth - found.taken - found.scheduled), least(found.taken, cut),
    bad_if(found.failed > 0, least(found.failed, cut)), name == "outbox" and least(found.scheduled, cut) or "-",
    bad_if(found.dead > 0, least(found.dead, found.dead_is_cut)), age(found.oldest, now), rate(found.came),
    rate(found.left), least(#found.conversations, cut),
  }
end

local function dim_row(titles)
  local row = {}
  for i, title in ipairs(titles) do row[i] = dim(title) end
  return row
end

local function add_table(lines, heading, titles, rows, most, columns)
  if #rows == 0 then return end
  lines[#lines + 1] = ""
  local more = #rows > most and dim(("and %d more"):format(#rows - most)) or ""
  lines[#lines + 1] = output.aligned({ { { text = heading, colour = "strong" }, more } }, columns)[1]
  local shown = { dim_row(titles) }
  for i = 1, math.min(#rows, most) do shown[i + 1] = rows[i] end
  for _, line in ipairs(output.aligned(shown, columns)) do lines[#lines + 1] = line end
end

local function campaign_row(one)
  return { one.name, tostring(one.sent), bad_if(one.failed > 0, tostring(one.failed)),
    bad_if(one.uncertain > 0, tostring(one.uncertain)), tostring(one.cancelled), rate(one.rate) }
end

local function conversation_row(one, now)
  return { one.name, tostring(one.entries), one.taken and "yes" or "no", age(one.oldest, now), tostring(one.attempts),
    bad_if(one.reason, one.reason or "") }
end

local function error_row(one, now)
  return { tostring(one.to_retry), bad_if(one.dead > 0, tostring(one.dead)), age(one.latest, now), one.reason }
end

-- Returns the lines that show a snapshot. Each list of the snapshot has at most `most` rows.
local function view(seen, most, columns)
  local stores, is_cut = { dim_row(STORE_TITLES) }, false
  for _, name in ipairs { "inbox", "outbox" } do
    if seen[name] then
      stores[#stores + 1] = store_row(name, seen[name], seen.time)
      is_cut = is_cut or seen[name].is_cut
    end
  end
  local lines = output.aligned(stores, columns)
  if is_cut then lines[#lines + 1] = "+: of the first 1000 entries that the store lists" end
  local function add_list(heading, titles, list, row_of)
    local rows = {}
    for i, one in ipairs(list) do rows[i] = row_of(one, seen.time) end
    add_table(lines, heading, titles, rows, most, columns)
  end
  add_list("Campaigns", { "name", "sent", "failed", "uncertain", "cancelled", "results" }, seen.campaigns or {},
    campaign_row)
  for _, name in ipairs { "inbox", "outbox" } do
    local found = seen[name]
    if found then
      add_list("Errors of the " .. name, { "to retry", "dead", "latest", "reason" }, found.errors, error_row)
      add_list("Conversations of the " .. name, { "customer", "entries", "taken", "oldest", "attempts", "reason" },
        found.conversations, conversation_row)
    end
  end
  return lines
end

local MOST_ROWS = 20 -- the largest number of rows in each list of a snapshot

-- Changes a snapshot for JSON: shortens the lists, and removes empty lists, which lua-cjson would write as objects.
local function plain(seen)
  for _, name in ipairs { "inbox", "outbox" } do
    local found = seen[name]
    if found then
      found.conversation_count = #found.conversations
      for _, list in ipairs { "conversations", "errors" } do
        local rows = {}
        for i = 1, math.min(#found[list], MOST_ROWS) do rows[i] = found[list][i] end
        found[list] = #rows > 0 and rows or nil
      end
    end
  end
  seen.campaigns = seen.campaigns and #seen.campaigns > 0 and seen.campaigns or nil
  return seen
end

local function show_once(ctx, state)
  local seen, err = look(state)
  if seen and ctx.json then seen = plain(seen) end
  return ctx:show(seen, err, function()
    for _, line in ipairs(view(seen, MOST_ROWS)) do output.line(line) end
  end)
end

-- Draws the last snapshot. `err` is the error of a store that could not be read after this snapshot.
local function draw(display, seen, err)
  local columns, rows = display:size()
  local head = { { text = "waba top", colour = "strong" }, os.date "%Y-%m-%d %H:%M:%S", dim "q: quit" }
  local lines = output.aligned({ head }, columns)
  if err then lines[2] = output.aligned({ { { text = tostring(err), colour = "bad" } } }, columns)[1] end
  lines[#lines + 1] = ""
  -- each list gets fewer rows, until all lists fit on the screen
  local most = MOST_ROWS
  local found = seen and view(seen, most, columns) or {}
  while #found + #lines > rows and most > 1 do
    most = most - 1
    found = view(seen, most, columns)
  end
  for _, line in ipairs(found) do lines[#lines + 1] = line end
  display:draw(lines)
end

local function show_live(display, state, interval)
  local seen, err, due, size = nil, nil, 0, nil
  repeat
    local columns, rows = display:size()
    local is_due = core.clock() >= due
    if is_due then
      local found
      found, err = look(state)
      seen, due = found or seen, core.clock() + interval
    end
    if is_due or size ~= columns .. "x" .. rows then
      draw(display, seen, err)
      size = columns .. "x" .. rows
    end
    local key = display:read()
  until key == "q" or key == "Q" or key == "end"
  return 0
end

local function run(ctx, args)
  local state = { campaigns = args.campaign, first_counts = {} }
  if not args.sqlite and not args.redis and not args.outbox then
    ctx:wrong "expected --sqlite FILE, --outbox FILE or --redis URL"
  end
  if args.sqlite or args.redis then
    state.inbox = new_figures(inbox_place.open(ctx, args), false)
  end
  local outbox = inbox_place.open_outbox(ctx, args)
  if outbox then state.outbox = new_figures(outbox, true) end
  if #args.campaign > 0 and not outbox then ctx:wrong "--campaign needs an outbox: expected --outbox or --redis" end
  local display = not args.once and not ctx.json and open_screen()
  local ran, code
  if display then
    ran, code = xpcall(show_live, require("waba.cli.context").message_handler, display, state, args.interval)
    display:close()
    if not ran then error(code, 0) end
  else
    code = show_once(ctx, state)
  end
  for _, name in ipairs { "inbox", "outbox" } do
    if state[name] then state[name].box:close() end
  end
  return code
end

return { add = add, run = run }
