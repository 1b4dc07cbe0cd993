-- waba block: blocks customers, so that the business does not receive their messages.

local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("block", "Block, list and unblock customers.")
    :epilog [[
On Cloud hosting only customers who wrote in the last 24 hours can be blocked.
On-Premise hosting blocks one number at a time; it can't list or unblock.]]
  command:argument("customer", "Phone number with country code, or a user id."):args "*"
  command:flag("--remove", "Unblock them (Cloud).")
  command:flag("--list", "List the blocked customers (Cloud).")
  command:option("--reason", "The reason, on On-Premise hosting."):argname "<text>"
end

local function label(user)
  return user.input or user.wa_id or user.user_id or "?"
end

local function show_result(result, text)
  local rows = {}
  for _, user in ipairs(result.users) do rows[#rows + 1] = { { text = text, colour = "good" }, label(user) } end
  for _, user in ipairs(result.failed) do
    rows[#rows + 1] = { { text = "failed", colour = "bad" }, label(user), user.error and user.error.message or "" }
  end
  output.columns(rows)
end

local function plain(users)
  local list = {}
  for i, user in ipairs(users) do
    list[i] = { input = user.input, wa_id = user.wa_id, user_id = user.user_id,
      error = user.error and { kind = user.error.kind, message = user.error.message, code = user.error.code } or nil }
  end
  return output.list(list)
end

local function list_all(ctx)
  local users, err = output.collect(ctx:client().block_list:each())
  return ctx:show(users and plain(users), err, function()
    for _, user in ipairs(users) do output.line(output.printable(label(user))) end
  end)
end

local function change(ctx, args)
  local list, users = ctx:client().block_list, {}
  for i, text in ipairs(args.customer) do users[i] = text:find "^%u%u%." and { user_id = text } or text end
  local result, err
  if args.remove then result, err = list:unblock(users) else result, err = list:block(users) end
  if not result then return ctx:fail(err) end
  ctx:show({ users = plain(result.users), failed = plain(result.failed) }, nil, function()
    show_result(result, args.remove and "unblocked" or "blocked")
  end)
  return #result.failed > 0 and 1 or 0
end

local function run(ctx, args)
  if args.list then
    if #args.customer > 0 or args.remove then ctx:wrong "--list can't be combined with a customer or --remove" end
    return list_all(ctx)
  end
  if #args.customer == 0 then ctx:wrong "a customer is missing: expected a phone number, a user id or --list" end
  if ctx:hosting() == "cloud" then
    if args.reason then ctx:wrong "--reason exists on On-Premise hosting only: leave it out on Cloud hosting" end
    return change(ctx, args)
  end
  if args.remove or #args.customer > 1 then
    ctx:wrong "On-Premise hosting can only block one customer at a time: expected one phone number and --reason"
  end
  if not args.reason then ctx:wrong "--reason is required on On-Premise hosting" end
  local blocked, err = ctx:client().contacts:block(args.customer[1], args.reason)
  return ctx:show(blocked and { users = { { input = args.customer[1] } } }, err, function()
    output.columns { { { text = "blocked", colour = "good" }, args.customer[1] } }
  end)
end

return { add = add, run = run }
