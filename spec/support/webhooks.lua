-- Webhooks of both hostings: functions that make a body from messages, statuses and errors; and a table of webhooks
-- with the events that the library must return for them.

local webhooks = {}

--- The `phone_number_id` and the business number of the webhooks on Cloud hosting.
webhooks.place = { number = "493099001", phone_number_id = "40110022003", waba_id = "30220099001" }

local function list(name, elements)
  if not elements then return nil end
  if type(elements) == "string" then elements = { elements } end
  return ('"%s":[%s]'):format(name, table.concat(elements, ","))
end

local function members(parts)
  local found = {}
  for _, name in ipairs { "contacts", "messages", "statuses", "errors" } do
    found[#found + 1] = list(name, parts[name])
  end
  return table.concat(found, ",")
end

--- Returns a body of On-Premise hosting.
---@param parts { contacts: string|string[]?, messages: string|string[]?, statuses: string|string[]?, errors: string|string[]? }
function webhooks.on_premise(parts) return "{" .. members(parts) .. "}" end

--- Returns the body of On-Premise text messages with these ids, each from another customer.
---@param ... string
function webhooks.texts(...)
  local texts = {}
  for index, id in ipairs { ... } do
    texts[index] = ('{"id":"%s","from":"c%s","type":"text","text":{"body":"hello"}}'):format(id, id)
  end
  return '{"messages":[' .. table.concat(texts, ",") .. "]}"
end

--- Returns one change of a Cloud webhook, with the field "messages".
---@param parts table  the same fields as the parameter of `on_premise`
---@param number? string
---@param id? string
function webhooks.change(parts, number, id)
  local content = members(parts)
  return ('{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"%s",'
    .. '"phone_number_id":"%s"}%s}}'):format(number or webhooks.place.number, id or webhooks.place.phone_number_id,
    content == "" and "" or "," .. content)
end

--- Returns a body that contains changes.
---@param changes string|string[]
---@param time? integer
function webhooks.entry(changes, time)
  if type(changes) == "string" then changes = { changes } end
  return ('{"object":"whatsapp_business_account","entry":[{"id":"%s",%s"changes":[%s]}]}'):format(
    webhooks.place.waba_id, time and ('"time":%d,'):format(time) or "", table.concat(changes, ","))
end

--- Returns a body of Cloud hosting.
---@param parts table  the same fields as the parameter of `on_premise`
function webhooks.cloud(parts) return webhooks.entry(webhooks.change(parts)) end

local EVA = '{"profile":{"name":"Eva"},"wa_id":"491511"}'

-- Returns a message: the members that all messages have, and then the members `own`.
local function message(id, own)
  return ('{"from":"491511","id":"%s","timestamp":"1767225599",%s}'):format(id, own)
end

local function status(id, own)
  return ('{"id":"%s","timestamp":"1767225601",%s}'):format(id, own)
end

local MEDIA = '"id":"90110","mime_type":"x/y","sha256":"7f12"'

-- Messages, with the fields that their event must have. `own` are the members of the message on both hostings, or
-- `on_premise` and `cloud` on each hosting. `absent` names fields that the event must not have.
local MESSAGES = {
  { name = "a text", own = '"type":"text","text":{"body":"Hallo 🙂"}', event = { type = "text", text = "Hallo 🙂" } },
  { name = "an image", own = '"type":"image","image":{' .. MEDIA .. ',"caption":"kaputt"}',
    event = { type = "image", text = "kaputt",
      media = { id = "90110", mime_type = "x/y", sha256 = "7f12", caption = "kaputt" } } },
  { name = "a video", own = '"type":"video","video":{' .. MEDIA .. "}",
    event = { type = "video", media = { id = "90110", mime_type = "x/y", sha256 = "7f12" } }, absent = { "text" } },
  { name = "audio", own = '"type":"audio","audio":{' .. MEDIA .. "}",
    event = { type = "audio", media = { id = "90110", mime_type = "x/y", sha256 = "7f12" } } },
  { name = "a voice note", on_premise = '"type":"voice","voice":{' .. MEDIA .. "}",
    cloud = '"type":"audio","audio":{' .. MEDIA .. ',"voice":true}',
    event = { media = { id = "90110", mime_type = "x/y", sha256 = "7f12", voice = true } } },
  { name = "a document", own = '"type":"document","document":{' .. MEDIA .. ',"filename":"a.pdf"}',
    event = { type = "document", media = { id = "90110", mime_type = "x/y", sha256 = "7f12", filename = "a.pdf" } } },
  { name = "a sticker", own = '"type":"sticker","sticker":{' .. MEDIA .. ',"animated":true}',
    event = { type = "sticker", media = { id = "90110", mime_type = "x/y", sha256 = "7f12", animated = true } } },
  { name = "a place", own = '"type":"location","location":{"latitude":0,"longitude":13.5,"name":null}',
    event = { type = "location", location = { latitude = 0, longitude = 13.5 } } },
  { name = "address-book entries", own = '"type":"contacts","contacts":[{"phones":[{"phone":"+49","wa_id":null}]}]',
    event = { type = "contacts", contacts = { { phones = { { phone = "+49" } } } } } },
  { name = "a template's button", own = '"type":"button","button":{"payload":"stop","text":"Stop"},'
      .. '"context":{"from":"+493099001","id":"TPL"}',
    event = { type = "button", text = "Stop", button = { payload = "stop", text = "Stop" },
      context = { from = "493099001", id = "TPL" } } },
  { name = "a reply button", own = '"type":"interactive","interactive":{"type":"button_reply",'
      .. '"button_reply":{"id":"ok","title":"Ja"}}',
    event = { type = "interactive", text = "Ja", reply = { kind = "button", id = "ok", title = "Ja" } } },
  { name = "a choice from a list", own = '"type":"interactive","interactive":{"type":"list_reply",'
      .. '"list_reply":{"id":"fri-9","title":"09:00","description":"2 left"}}',
    event = { type = "interactive", text = "09:00",
      reply = { kind = "list", id = "fri-9", title = "09:00", description = "2 left" } } },
  { name = "a flow", own = [["type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow",]]
      .. [["body":"Sent","response_json":"{\"flow_token\":\"sess-5f1\",\"day\":\"fri\"}"}}]],
    event = { type = "interactive", text = "Sent",
      reply = { kind = "flow", title = "Sent", name = "flow", data = { flow_token = "sess-5f1", day = "fri" } } } },
  { name = "a reaction", own = '"type":"reaction","reaction":{"message_id":"OUT","emoji":"\\ud83d\\udc4d"}',
    event = { type = "reaction", reaction = { message_id = "OUT", emoji = "👍" } } },
  { name = "a reaction taken back", own = '"type":"reaction","reaction":{"message_id":"OUT","emoji":""}',
    event = { type = "reaction", reaction = { message_id = "OUT" } } },
  { name = "an order", own = '"type":"order","order":{"catalog_id":"55001","text":"asap","product_items":'
      .. '[{"product_retailer_id":"B-1","quantity":2,"item_price":49.9,"currency":"EUR"}]}',
    event = { type = "order", text = "asap", order = { catalog_id = "55001", text = "asap", product_items = {
      { product_retailer_id = "B-1", quantity = 2, item_price = 49.9, currency = "EUR" } } } } },
  { name = "an advertisement's visitor", own = '"type":"text","text":{"body":"x"},"referral":{"source_type":"ad",'
      .. '"source_id":"2","ctwa_clid":"c","welcome_message":{"text":"Hi"},"body":null}',
    event = { referral = { source_type = "ad", source_id = "2", ctwa_clid = "c", welcome_message = { text = "Hi" } } } },
  { name = "a forwarded question about a product", own = '"type":"text","text":{"body":"x"},"context":{"forwarded":true,'
      .. '"frequently_forwarded":true,"referred_product":{"catalog_id":"1","product_retailer_id":"S"}}',
    event = { context = { forwarded = true, frequently_forwarded = true,
      product = { catalog_id = "1", product_retailer_id = "S" } } } },
  { name = "a changed number", on_premise = '"type":"system","system":{"type":"user_changed_number","body":"b",'
      .. '"new_wa_id":"491522"}',
    cloud = '"type":"system","system":{"type":"customer_changed_number","body":"b","wa_id":"491522"}',
    system = { type = "user_changed_number", body = "b", new_wa_id = "491522" }, event = { type = "system", text = "b" } },
  { name = "a changed identity", on_premise = '"type":"system","system":{"type":"user_identity_changed","identity":"h="}',
    cloud = '"type":"system","system":{"type":"customer_identity_changed"},'
      .. '"identity":{"hash":"h=","created_timestamp":1767225599000,"acknowledged":"false"}',
    system = { type = "user_identity_changed", identity = "h=" }, event = { type = "system" } },
  { name = "what can't be shown", own = '"type":"unsupported","errors":[{"code":131051,"title":"t"}]',
    event = { type = "unsupported" }, code = 131051 },
  { name = "a type from the future", own = '"type":"hologram","hologram":{"depth":3}', event = { type = "hologram" },
    absent = { "text", "media" } },
}

local PRICING = '"pricing":{"billable":true,"pricing_model":"PMP","category":"utility"}'

local STATUSES = {
  { name = "the price", on_premise = '"status":"sent","message":{"recipient_id":"491511"},' .. PRICING,
    cloud = '"status":"sent","recipient_id":"491511",' .. PRICING,
    event = { status = "sent", pricing = { billable = true, pricing_model = "PMP", category = "utility" } },
    absent = { "conversation", "errors" } },
  { name = "the conversation", own = '"status":"delivered","recipient_id":"+491511","conversation":{"id":"73cf",'
      .. '"expiration_timestamp":"1767312000","origin":{"type":"utility"}}',
    event = { status = "delivered",
      conversation = { id = "73cf", expiration_timestamp = 1767312000, origin = { type = "utility" } } } },
  { name = "that it was read", own = '"status":"read","recipient_id":491511', event = { status = "read" } },
  { name = "that it was played", own = '"status":"played","recipient_id":"491511"', event = { status = "played" } },
  { name = "why it failed", on_premise = '"status":"failed","recipient_id":"491511","errors":[{"code":470,"title":"t"}]',
    cloud = '"status":"failed","recipient_id":"491511","errors":[{"code":131047,"title":"t","message":"t",'
      .. '"error_data":{"details":"d"}}]',
    event = { status = "failed" }, kind = "window" },
  { name = "a word from the future", own = '"status":"teleported","recipient_id":"491511"',
    event = { status = "teleported" } },
}

--- Returns the webhooks that both hostings can send: `name`, `on_premise` and `cloud` (bodies), `event` (fields that
--- the event must have), `system` (members that its `system` must have), `absent` (fields), `code` and `kind` of its
--- first error.
function webhooks.rows()
  local rows = {}
  local function add(row, part, wrap, fields)
    local made = { name = row.name, event = { id = "w" .. #rows }, absent = row.absent or {}, system = row.system,
      code = row.code, kind = row.kind }
    for name, value in pairs(fields) do made.event[name] = value end
    for name, value in pairs(row.event) do made.event[name] = value end
    for _, hosting in ipairs { "on_premise", "cloud" } do
      made[hosting] = webhooks[hosting] {
        contacts = part == "messages" and EVA or nil, [part] = wrap(made.event.id, row.own or row[hosting]),
      }
    end
    rows[#rows + 1] = made
  end
  for _, row in ipairs(MESSAGES) do
    add(row, "messages", message, { kind = "message", from = "491511", timestamp = 1767225599,
      contact = { name = "Eva", wa_id = "491511" } })
  end
  for _, row in ipairs(STATUSES) do
    add(row, "statuses", status, { kind = "status", recipient = "491511", timestamp = 1767225601 })
  end
  return rows
end

return webhooks
