-- waba profile: shows and sets the public profile of the phone number.

local output = require "waba.cli.output"

local FIELDS = { "address", "description", "email", "vertical" }

local function add(parser)
  local command = parser:command("profile", "Show and set the public profile of the number."):command_target "action"
  command:command("show", "Show the about text and the business profile.")
  command:command("about", "Show or set the about text."):argument("text", "The new text."):args "?"
  local business = command:command("business", "Show or set the business profile.")
  for _, name in ipairs(FIELDS) do
    business:option("--" .. name, ("The %s; an empty text clears this field."):format(name)):argname "<text>"
  end
  business:option("--website", "A URL, at most twice; an empty text clears both URLs."):argname "<url>":count "0-2"
  local photo = command:command("photo", "Save or set the photo.")
  photo:argument("file", "The picture.")
  photo:flag("--save", "Save the current photo to the file instead.")
end

local function show_business(business)
  local rows = {}
  for i, name in ipairs(FIELDS) do rows[i] = { name, business[name] } end
  rows[#rows + 1] = { "websites", business.websites and table.concat(business.websites, ", ") }
  output.fields(rows)
end

local actions = {}

function actions.show(ctx)
  local resource = ctx:client().profile
  local about, err = resource:about()
  if not about then return ctx:fail(err) end
  local business, failure = resource:business()
  return ctx:show(business and { about = about, business = business }, failure, function()
    output.fields { { "about", about } }
    show_business(business)
  end)
end

function actions.about(ctx, args)
  local resource = ctx:client().profile
  if args.text == nil then
    local about, err = resource:about()
    return ctx:show(about and { about = about }, err, function() output.line(output.printable(about)) end)
  end
  local set, err = resource:set_about(args.text)
  return ctx:show(set and { about = args.text }, err, function() output.line "set" end)
end

function actions.business(ctx, args)
  local fields = {}
  for _, name in ipairs(FIELDS) do fields[name] = args[name] end
  if #args.website > 0 then fields.websites = args.website[1] == "" and {} or args.website end
  local resource = ctx:client().profile
  local business, err
  if next(fields) == nil then business, err = resource:business() else business, err = resource:set_business(fields) end
  return ctx:show(business, err, show_business)
end

function actions.photo(ctx, args)
  local resource = ctx:client().profile
  if args.save then
    local got, err = resource:photo { file = args.file }
    return ctx:show(got, err, function() output.line(output.printable("saved " .. args.file)) end)
  end
  local set, err = resource:set_photo { file = args.file }
  return ctx:show(set and { file = args.file }, err, function() output.line "set" end)
end

return { add = add, actions = actions }
