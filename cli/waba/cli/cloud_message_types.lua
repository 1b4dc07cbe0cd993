-- The message types of Cloud hosting on a command line; the rest is in message_types.lua.

local numbers = require "waba.cli.numbers"
local parts = require "waba.cli.message_parts"
local waba = require "waba"

-- A question that is nothing but its text.
local function question(name, builder, summary)
  return {
    name = name, summary = summary .. " (Cloud hosting).",
    add = function(command) command:argument("body", "The text.") end,
    build = function(_, args) return waba[builder] { body = args.body } end,
  }
end

---@type { name: string, summary: string, add: fun(command: table), build: fun(ctx: waba.cli.Context, args: table): waba.Message|nil, waba.Error? }[]
return {
  {
    name = "cta-url", summary = "A button that opens a web page (Cloud hosting).",
    add = function(command)
      command:argument("body", "The text.")
      command:option("--display-text", "The words on the button."):argname "<text>":count(1)
      command:option("--url", "The page."):argname "<url>":count(1)
      parts.add_header(command)
      command:option("--footer", "Text below."):argname "<text>"
    end,
    build = function(ctx, args)
      local header, err = parts.header(ctx, args)
      if err then return nil, err end
      return waba.cta_url { body = args.body, header = header, footer = args.footer,
        display_text = args.display_text, url = args.url }
    end,
  },
  {
    name = "flow", summary = "A button that opens a flow (Cloud hosting).",
    add = function(command)
      command:argument("body", "The text.")
      command:option("--flow-cta", "The words on the button."):argname "<text>":count(1)
      command:mutex(
        command:option("--flow-id", "The flow."):argname "<id>",
        command:option("--flow-name", "The same by its name."):argname "<name>")
      command:option("--flow-token", "Comes back with the answer."):argname "<text>"
      command:option("--mode", "draft or published (the default)."):choices { "draft", "published" }:argname "<mode>"
      command:option("--screen", "Where it starts."):argname "<id>"
      parts.add_header(command)
      command:option("--footer", "Text below."):argname "<text>"
    end,
    build = function(ctx, args)
      if not args.flow_id and not args.flow_name then ctx:wrong "--flow-id or --flow-name is needed" end
      local header, err = parts.header(ctx, args)
      if err then return nil, err end
      return waba.flow { body = args.body, header = header, footer = args.footer, flow_id = args.flow_id,
        flow_name = args.flow_name, flow_cta = args.flow_cta, flow_token = args.flow_token, mode = args.mode,
        screen = args.screen }
    end,
  },
  {
    name = "catalog", summary = "The way into the catalogue (Cloud hosting).",
    add = function(command)
      command:argument("body", "The text.")
      command:option("--thumbnail", "The product whose picture shows."):argname "<product>"
      command:option("--footer", "Text below."):argname "<text>"
    end,
    build = function(_, args)
      return waba.catalog { body = args.body, footer = args.footer, thumbnail_product_retailer_id = args.thumbnail }
    end,
  },
  question("location-request", "location_request", "Asks for a place"),
  question("address", "address", "Asks for an address in India"),
  question("request-contact-info", "request_contact_info", "Asks for the phone number"),
  {
    name = "voice-call", summary = "A button that calls the business (Cloud hosting).",
    add = function(command)
      command:argument("body", "The text.")
      command:option("--display-text", "The words on the button."):argname "<text>"
      command:option("--ttl-minutes", "How long it works."):argname "<number>":convert(numbers.count)
      command:option("--payload", "Comes back with the call."):argname "<text>"
    end,
    build = function(_, args)
      return waba.voice_call { body = args.body, display_text = args.display_text, ttl_minutes = args.ttl_minutes,
        payload = args.payload }
    end,
  },
  {
    name = "call-permission", summary = "Asks to be allowed to call (Cloud hosting).",
    add = function(command) command:argument("body", "The text."):args "?" end,
    build = function(_, args) return waba.call_permission { body = args.body } end,
  },
  {
    name = "pin", summary = "Pins a message of a group (Cloud hosting).",
    add = function(command)
      command:argument("message_id", "The message.")
      command:option("--days", "For so long, 1 to 30."):argname "<number>":convert(numbers.count):default "7"
    end,
    build = function(_, args) return waba.pin { message_id = args.message_id, expiration_days = args.days } end,
  },
  {
    name = "unpin", summary = "Takes a pinned message down (Cloud hosting).",
    add = function(command) command:argument("message_id", "The message.") end,
    build = function(_, args) return waba.unpin(args.message_id) end,
  },
}
