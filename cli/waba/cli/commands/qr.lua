-- waba qr: lists, creates, changes and deletes QR codes and short links that open a chat (Cloud hosting).

local output = require "waba.cli.output"

local function add(parser)
  local command = parser:command("qr", "QR codes and links that open a chat (Cloud)."):command_target "action"
  command:command("list", "List all codes of the number.")
  local create = command:command("create", "Create a code.")
  local edit = command:command("edit", "Change the text of a code.")
  edit:argument("code", "The code.")
  for _, action in ipairs { create, edit } do
    action:argument("text", "The prefilled text of the customer's message.")
    action:option("--image", "Also create an image of the code: png or svg."):argname "<form>":choices { "png", "svg" }
  end
  command:command("delete", "Delete a code; printed copies and links stop working."):argument("code", "The code.")
end

local function show_code(code)
  output.fields { { "code", code.code }, { "link", code.deep_link_url }, { "text", code.prefilled_message },
    { "image", code.qr_image_url } }
end

local actions = {}

function actions.list(ctx)
  local codes, err = output.collect(ctx:client().qr_codes:each())
  return ctx:show(codes and output.list(codes), err, function()
    local rows = {}
    for i, code in ipairs(codes) do rows[i] = { code.code, code.deep_link_url or "", code.prefilled_message or "" } end
    output.columns(rows)
  end)
end

local function content(args)
  return { prefilled_message = args.text, generate_qr_image = args.image and args.image:upper() or nil }
end

function actions.create(ctx, args)
  local code, err = ctx:client().qr_codes:create(content(args))
  return ctx:show(code, err, show_code)
end

function actions.edit(ctx, args)
  local code, err = ctx:client().qr_codes:edit(args.code, content(args))
  return ctx:show(code, err, show_code)
end

function actions.delete(ctx, args)
  local deleted, err = ctx:client().qr_codes:delete(args.code)
  return ctx:show(deleted and { code = args.code, deleted = true }, err, function()
    output.line(output.printable("deleted " .. args.code))
  end)
end

return { add = add, actions = actions }
