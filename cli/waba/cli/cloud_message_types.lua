-- The message types of Cloud hosting on the command line. message_types.lua has the types of both hostings.

local numbers = require "waba.cli.numbers"
local parts = require "waba.cli.message_parts"
local waba = require "waba"

local function question(name, builder, summary)
  return {
    name = name, summary = summary .. " (Cloud hosting).",
    add = parts.add_body,
    build = function(_, args) return waba[builder] { body = args.body } end,
  }
end

return {
  {
    name = "cta-url", summary = "A button that opens a web page (Cloud hosting).",
    add = function(command)
      parts.add_body(command)
      command:option("--display-text", "The label of the button."):argname "<text>":count(1)
      command:option("--url", "The address of the page."):argname "<url>":count(1)
      parts.add_header_and_footer(command)
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
      parts.add_body(command)
      command:option("--flow-cta", "The label of the button."):argname "<text>":count(1)
      command:mutex(
        command:option("--flow-id", "The id of the flow."):argname "<id>",
        command:option("--flow-name", "The name of the flow."):argname "<name>")
      command:option("--flow-token", "A text that is returned with the customer's response."):argname "<text>"
      command:option("--mode", "draft or published (the default)."):choices { "draft", "published" }:argname "<mode>"
      command:option("--screen", "The first screen."):argname "<id>"
      parts.add_header_and_footer(command)
    end,
    build = function(ctx, args)
      if not args.flow_id and not args.flow_name then ctx:wrong "flow: --flow-id or --flow-name is required" end
      local header, err = parts.header(ctx, args)
      if err then return nil, err end
      return waba.flow { body = args.body, header = header, footer = args.footer, flow_id = args.flow_id,
        flow_name = args.flow_name, flow_cta = args.flow_cta, flow_token = args.flow_token, mode = args.mode,
        screen = args.screen }
    end,
  },
  {
    name = "catalog", summary = "A button that opens the catalogue (Cloud hosting).",
    add = function(command)
      parts.add_body(command)
      command:option("--thumbnail", "The id of the product whose picture is shown."):argname "<product>"
      parts.add_footer(command)
    end,
    build = function(_, args)
      return waba.catalog { body = args.body, footer = args.footer, thumbnail_product_retailer_id = args.thumbnail }
    end,
  },
  question("location-request", "location_request", "Asks for a location"),
  question("address", "address", "Asks for an address in India"),
  question("request-contact-info", "request_contact_info", "Asks for the phone number"),
  {
    name = "voice-call", summary = "A button that calls the business (Cloud hosting).",
    add = function(command)
      parts.add_body(command)
      command:option("--display-text", "The label of the button."):argname "<text>"
      command:option("--ttl-minutes", "Minutes for which the button works."):argname "<number>":convert(numbers.count)
      command:option("--payload", "A text that is returned with the call."):argname "<text>"
    end,
    build = function(_, args)
      return waba.voice_call { body = args.body, display_text = args.display_text, ttl_minutes = args.ttl_minutes,
        payload = args.payload }
    end,
  },
  {
    name = "call-permission", summary = "Asks for permission to call (Cloud hosting).",
    add = function(command) command:argument("body", "The text."):args "?" end,
    build = function(_, args) return waba.call_permission { body = args.body } end,
  },
  {
    name = "pin", summary = "Pins a message in a group (Cloud hosting).",
    add = function(command)
      command:argument("message_id", "The id of the message.")
      command:option("--days", "The number of days, 1 to 30."):argname "<number>":convert(numbers.count):default "7"
    end,
    build = function(_, args) return waba.pin { message_id = args.message_id, expiration_days = args.days } end,
  },
  {
    name = "unpin", summary = "Unpins a message (Cloud hosting).",
    add = function(command) command:argument("message_id", "The id of the message.") end,
    build = function(_, args) return waba.unpin(args.message_id) end,
  },
}
