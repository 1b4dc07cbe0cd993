-- The pages of the reference, and the files that each page describes. The keys of `calls` are tables with functions,
-- such as `Client`; a value is the text that users write before the function's name, such as "client:".

local function resource(name, file, class)
  return { file = "waba/resource/" .. file .. ".lua", calls = { [class] = "client." .. name .. ":" } }
end

local function classes(...)
  local sources = {}
  for i = 1, select("#", ...) do sources[i] = { file = "waba/" .. select(i, ...) .. ".lua" } end
  return sources
end

local function all(...)
  local sources = {}
  for i = 1, select("#", ...) do
    local item = select(i, ...)
    if item.file then
      sources[#sources + 1] = item
    else
      for _, source in ipairs(item) do sources[#sources + 1] = source end
    end
  end
  return sources
end

return {
  {
    file = "waba.md", title = "waba", text = 'What `require "waba"` offers: clients, builders of messages, loops.',
    sources = all(
      { file = "waba.lua", calls = {
        waba = "waba.", emulator = "waba.emulator.", nginx = "waba.webhook.nginx.",
        ["emulator.start"] = false, ["nginx.start"] = false, ["nginx.serve"] = false,
      } },
      classes("message/init", "message/contacts", "message/interactive", "message/requests", "message/orders",
        "message/template", "message/split", "check", "hosting/on_premise/error_codes")),
  },
  {
    file = "client.md", title = "Client", text = "One phone number: sending, reading, asking.",
    sources = all({ file = "waba/client/init.lua", calls = { Client = "client:", ["Client.call"] = false } },
      { file = "waba/client/pool.lua", calls = { Clients = "clients:", ["pool.new"] = "waba.clients" } },
      classes("client/sending", "client/request", "client/options", "delivery/init", "delivery/pacing",
        "delivery/observation",
        "delivery/ordering", "hosting/sent", "resource/health", "hosting/on_premise/health", "recipient")),
  },
  {
    file = "bulk.md", title = "Bulk", text = "`client:send_all`: many messages, resumable.",
    sources = classes("bulk/init", "bulk/figures"),
  },
  {
    file = "media.md", title = "Media", text = "Files: upload, download, delete.",
    sources = all(resource("media", "media/init", "Media"),
      classes("resource/media/resumable", "resource/media/download", "hosting/cloud/media")),
  },
  {
    file = "contacts.md", title = "Contacts",
    text = "The numbers that use WhatsApp, and customers whose identity changed.",
    sources = { resource("contacts", "contacts", "Contacts") },
  },
  {
    file = "templates.md", title = "Templates", text = "What may be sent outside the 24-hour window.",
    sources = {
      resource("templates", "templates/init", "Templates"),
      { file = "waba/resource/templates/definitions.lua", calls = {
        definitions = "client.templates:", ["definitions.write"] = false, ["definitions.read"] = false,
        ["definitions.in_folder"] = false,
      } },
      resource("templates", "templates/archive", "archive"),
      { file = "waba/resource/templates/library.lua", calls = {
        ["library.list"] = "client.templates:library",
        ["library.each"] = "client.templates:each_in_library",
        ["library.compare"] = "client.templates:compare",
      } },
      { file = "waba/hosting/on_premise/templates.lua" },
    },
  },
  {
    file = "profile.md", title = "Profile", text = "What customers see of the number.",
    sources = {
      resource("profile", "profile/init", "Profile"),
      { file = "waba/resource/profile/photo.lua", calls = {
        ["photo.get"] = "client.profile:photo", ["photo.set"] = "client.profile:set_photo",
      } },
    },
  },
  {
    file = "account.md", title = "More of the account",
    text = "Webhook addresses, block list, QR codes, commerce and calling settings, conversational components.",
    sources = {
      resource("webhook", "webhook", "Webhook"),
      resource("block_list", "block_list", "BlockList"),
      resource("qr_codes", "qr_codes", "QrCodes"),
      resource("commerce_settings", "commerce_settings", "CommerceSettings"),
      resource("calling_settings", "calling_settings", "CallingSettings"),
      resource("conversational_automation", "conversational_automation", "Automation"),
      { file = "waba/resource/pages.lua" },
    },
  },
  {
    file = "webhooks.md", title = "Webhooks", text = "Receivers, events, and the places they live in.",
    sources = all(
      { file = "waba/webhook/receiver.lua", calls = { Receiver = "receiver:" } },
      { file = "waba/webhook/storing.lua", calls = { Receiver = "receiver:" } },
      { file = "waba/webhook/server.lua", calls = { Server = "server:", ["server.new"] = "waba.webhook.server" } },
      { file = "waba/webhook/nginx.lua", calls = { nginx = "waba.webhook.nginx." } },
      { file = "waba/webhook/status_tracker.lua", calls = { Tracker = "tracker:" } },
      { file = "waba/webhook/verbs.lua" },
      classes("http/limits", "hosting/event", "hosting/events", "webhook/router", "webhook/addresses")),
  },
  {
    file = "inbox.md", title = "Inboxes", text = "Where events wait for their handlers.",
    sources = all({ file = "waba/inbox/contract.lua", calls = { inbox = "inbox:" } },
      { file = "waba/inbox/init.lua", calls = { backends = "waba.inbox." } },
      classes("inbox/inbox", "inbox/work/init", "store/redis/connection", "store/sqlite/file")),
  },
  {
    file = "outbox.md", title = "Outboxes and senders", text = "Where messages wait until a sender sends them.",
    sources = all({ file = "waba/outbox/outbox.lua", calls = {
      Outbox = "outbox:", ["outbox.settings"] = false, ["outbox.new"] = false } },
      { file = "waba/outbox/states.lua", calls = {
        Outbox = "outbox:", ["Outbox.read"] = false, ["Outbox.record"] = false, ["Outbox.final_records"] = false,
          ["Outbox.are_finished"] = false } },
      { file = "waba/outbox/init.lua", calls = { backends = "waba.outbox." } },
      { file = "waba/outbox/nginx.lua", calls = { nginx = 'require("waba.outbox.nginx").' } },
      { file = "waba/sender/init.lua", calls = { Sender = "sender:", ["sender.new"] = "waba.sender" } },
      classes("outbox/entry")),
  },
  {
    file = "pace.md", title = "Shared rates", text = "Where several processes keep the rate limits of a key.",
    sources = all({ file = "waba/pace/shared_dict.lua", calls = { ["shared_dict.new"] = "waba.pace.shared_dict" } },
      { file = "waba/pace/redis.lua", calls = { ["redis.new"] = "waba.pace.redis" } },
      { file = "waba/pace/store.lua", calls = { Store = false, ["Store.run"] = false, ["Store.limiters"] = false,
        ["store.settings"] = false, ["store.new"] = false } },
      classes("pace/init")),
  },
  {
    file = "errors.md", title = "Errors", text = "What stands beside nil.",
    sources = classes("errors"),
  },
  {
    file = "emulator.md", title = "Emulator", text = "The gateway on your own machine, for your tests.",
    sources = {
      { file = "waba/emulator/init.lua",
        calls = { emulator = "waba.emulator.", Emulator = "emulator:", Number = "emulator:" } },
      { file = "waba/emulator/options.lua" },
      { file = "waba/emulator/handle.lua", calls = { Handle = "emulator:", ["Handle.ask"] = false } },
      { file = "waba/emulator/commands.lua", calls = { Handle = "emulator:" } },
      { file = "waba/emulator/customer.lua", calls = { Customer = "customer:" } },
      { file = "waba/emulator/certificate.lua", calls = { certificate = 'require("waba.emulator.certificate").' } },
    },
  },
  {
    file = "moving.md", title = "Moving", text = "From On-Premise hosting to Cloud hosting.",
    sources = all({ file = "waba/migrate/init.lua", calls = { migrate = "waba.migrate." } },
      classes("migrate/report", "migrate/summary")),
  },
  {
    file = "transport.md", title = "Transports",
    text = "The contract of a transport of your own.",
    sources = all({ file = "waba/transport/contract.lua", calls = { transport = "transport:" } },
      classes("transport/waiter")),
  },
}
