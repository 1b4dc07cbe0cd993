-- The message types on the command line: the arguments and options of each type, and the function that builds the
-- message.

local cloud_types = require "waba.cli.cloud_message_types"
local definition = require "waba.message.definition"
local definitions = require "waba.resource.templates.definitions"
local files = require "waba.cli.files"
local parts = require "waba.cli.message_parts"
local waba = require "waba"

local message_types = {}

local function add_media(command, has_caption)
  command:argument("source", "A link, or a file to upload."):args "?"
  command:option("--id", "The id of an uploaded file instead."):argname "<id>"
  command:option("--mime-type", "The MIME type of the file, if its name has no known extension."):argname "<type>"
  if has_caption then command:option("--caption", "The caption."):argname "<text>" end
end

local function media(name, summary, has_caption, more)
  return {
    name = name, summary = summary,
    add = function(command)
      add_media(command, has_caption)
      if more and more.add then more.add(command) end
    end,
    build = function(ctx, args)
      local content, err = parts.upload_source(ctx, parts.media_source(ctx, args), more and more.as or name)
      if not content then return nil, err end
      content.caption = args.caption
      if more and more.complete then more.complete(content, args) end
      return waba[more and more.builder or name](content)
    end,
  }
end

-- The types of payment settings in a template's button, each with the name of the field that contains the value.
local PAYMENTS = { payment_link = "uri", boleto = "digitable_line", pix_dynamic_code = "code" }

local function template_buttons(ctx, texts)
  local buttons = {}
  for i, text in ipairs(texts) do
    local kind, value = text:match "^([%l_]+)=(.*)$"
    if kind == "payload" or kind == "url" then
      buttons[i] = { [kind] = value }
    elseif PAYMENTS[kind] then
      buttons[i] = { payment_request = { [kind] = { [PAYMENTS[kind]] = value } } }
    else
      ctx:wrong("--button must be payload=…, url=…, payment_link=…, boleto=… or pix_dynamic_code=…, not " .. text)
    end
  end
  return #buttons > 0 and buttons or nil
end

local function template_body(ctx, args)
  if #args.named == 0 then return #args.body > 0 and args.body or nil end
  if #args.body > 0 then ctx:wrong("--body and --named can't be combined") end
  local body = {}
  for _, text in ipairs(args.named) do
    local name, value = text:match "^([%w_]+)=(.*)$"
    if not name then ctx:wrong("--named must be name=text, not " .. text) end
    body[name] = value
  end
  return body
end

local function add_template_options(command)
  command:option("--language", "The template's language, such as de or en_US."):argname "<code>":count(1)
  command:option("--templates", "Check the message with the template's definition in this folder."):argname "<folder>"
  command:option("--namespace", "The template's namespace (On-Premise)."):argname "<namespace>"
  command:option("--body", "A parameter of the body; once for each, in order."):argname "<text>":count "*"
  command:option("--named", "A named parameter of the body: name=text; once for each."):argname "<text>":count "*"
  command:option("--header", "The parameter of a text header."):argname "<text>"
  command:option("--header-media", "A media header: image=, video= or document= and a link or file."):argname "<source>"
  command:option("--button", "payload=, url=, payment_link=, boleto= or pix_dynamic_code=; for each button, in order.")
    :argname "<text>":count "*"
end

local function template(ctx, args)
  local header, err = parts.header(ctx, args)
  if err then return nil, err end
  local message = waba.template {
    name = args.name, language = args.language, namespace = args.namespace, header = header,
    body = template_body(ctx, args), buttons = template_buttons(ctx, args.button),
  }
  if not args.templates then return message end
  local defined, valid
  defined, err = definitions.in_folder(args.templates, args.name, args.language)
  if not defined then return nil, err end
  valid, err = definition.check(defined, message)
  if not valid then return nil, err end
  return message
end

message_types.list = {
  {
    name = "text", summary = "A text message.",
    add = function(command)
      command:argument("body", 'The text; "-" reads it from standard input.')
      command:flag("--preview-url", "Show a preview of the first link.")
    end,
    build = function(ctx, args)
      local body = args.body
      if body == "-" then body = files.read(ctx, "-"):gsub("\r?\n$", "") end
      return waba.text { body = body, preview_url = args.preview_url }
    end,
  },
  media("image", "A picture.", true),
  media("video", "A video.", true),
  media("audio", "An audio file.", false),
  media("voice", "A voice note (Cloud hosting).", false, {
    builder = "audio", as = "audio",
    complete = function(content) content.voice = true end,
  }),
  media("sticker", "A sticker.", false),
  media("document", "Any file.", true, {
    add = function(command)
      command:option("--filename", "The name that the customer sees."):argname "<name>"
    end,
    complete = function(content, args)
      content.filename = args.filename or (args.source and not content.link and args.source:match "[^/]+$" or nil)
    end,
  }),
  {
    name = "location", summary = "A location.",
    add = function(command)
      command:argument("latitude", "Degrees.")
      command:argument("longitude", "Degrees.")
      command:option("--name", "The name of the location."):argname "<text>"
      command:option("--address", "The address of the location."):argname "<text>"
    end,
    build = function(ctx, args)
      return waba.location {
        latitude = parts.number(ctx, args.latitude, "the latitude"),
        longitude = parts.number(ctx, args.longitude, "the longitude"), name = args.name, address = args.address,
      }
    end,
  },
  {
    name = "contact", summary = "A contact card.",
    add = function(command)
      command:argument("name", "The full name.")
      command:argument("phone", "A phone number of the contact."):args "+"
      command:option("--email", "An e-mail address of the contact; once for each."):argname "<address>":count "*"
    end,
    build = function(_, args)
      local phones, emails = {}, {}
      for i, phone in ipairs(args.phone) do phones[i] = { phone = phone } end
      for i, email in ipairs(args.email) do emails[i] = { email = email } end
      return waba.contacts { { name = { formatted_name = args.name, first_name = args.name }, phones = phones,
        emails = #emails > 0 and emails or nil } }
    end,
  },
  {
    name = "template", summary = "A template.",
    add = function(command)
      command:argument("name", "The template's name.")
      add_template_options(command)
    end,
    build = template,
  },
  {
    name = "buttons", summary = "A question with up to three buttons.",
    add = function(command)
      command:argument("body", "The question.")
      command:option("--button", "id=title; once for each."):argname "<text>":count "1-3"
      parts.add_header_and_footer(command)
    end,
    build = function(ctx, args)
      local header, err = parts.header(ctx, args)
      if err then return nil, err end
      return waba.buttons { body = args.body, header = header, footer = args.footer,
        buttons = parts.choices(ctx, args.button, "--button") }
    end,
  },
  {
    name = "list", summary = "A list to choose from.",
    add = function(command)
      command:argument("body", "The question.")
      command:option("--button", "The label of the button that opens the list."):argname "<text>":count(1)
      command:option("--row", "id=title or id=title=description; once for each."):argname "<text>":count "1-10"
      command:option("--header", "The text of the header."):argname "<text>"
      parts.add_footer(command)
    end,
    build = function(ctx, args)
      return waba.list { body = args.body, header = args.header, footer = args.footer, button = args.button,
        sections = { { rows = parts.choices(ctx, args.row, "--row") } } }
    end,
  },
  {
    name = "product", summary = "A product of a catalogue.",
    add = function(command)
      command:argument("catalog_id", "The id of the catalogue.")
      command:argument("product", "The id of the product in the catalogue.")
      command:option("--body", "The caption."):argname "<text>"
      parts.add_footer(command)
    end,
    build = function(_, args)
      return waba.product { catalog_id = args.catalog_id, product_retailer_id = args.product, body = args.body,
        footer = args.footer }
    end,
  },
  {
    name = "product-list", summary = "Products of a catalogue.",
    add = function(command)
      parts.add_body(command)
      command:argument("catalog_id", "The id of the catalogue.")
      command:argument("product", "The id of a product in the catalogue."):args "1-30"
      command:option("--header", "The text of the header."):argname "<text>":count(1)
      parts.add_footer(command)
    end,
    build = function(_, args)
      return waba.product_list { catalog_id = args.catalog_id, header = args.header, body = args.body,
        footer = args.footer, sections = { { products = args.product } } }
    end,
  },
  {
    name = "reaction", summary = "An emoji on a message (Cloud hosting).",
    add = function(command)
      command:argument("message_id", "The id of the message.")
      command:argument("emoji", "The emoji; an empty one removes the reaction.")
    end,
    build = function(_, args) return waba.reaction { message_id = args.message_id, emoji = args.emoji } end,
  },
}

for _, kind in ipairs(cloud_types) do table.insert(message_types.list, kind) end

function message_types.by_name()
  local found = {}
  for _, kind in ipairs(message_types.list) do found[kind.name] = kind end
  return found
end

return message_types
