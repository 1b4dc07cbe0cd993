-- The Cloud gateway (waba-v2.360dialog.io): addresses, endpoints and rates. Other parts
-- are in files of this folder and loaded at first use: health, media, profile, templates, webhook.

local cloud_errors = require "waba.hosting.cloud.errors"
local messages = require "waba.hosting.cloud.messages"
local sent = require "waba.hosting.sent"
local values = require "waba.hosting.values"

local type = type

-- The fields of the number that are requested with its health.
local HEALTH_FIELDS = "id,display_phone_number,verified_name,name_status,quality_rating,status,throughput,"
  .. "platform_type,code_verification_status,whatsapp_business_manager_messaging_limit"

local cloud = {
  name = "cloud",
  base_url = "https://waba-v2.360dialog.io",
  -- only its paths begin with /v1 (cloud.md, section 1.5)
  sandbox_url = "https://waba-sandbox.360dialog.io/v1",
  -- requests per second, and bursts (cloud.md, section 7); to one recipient one message in six seconds
  pace = {
    messages = { rate = 80, burst = 80 }, other = { rate = 20, burst = 60 }, media = { rate = 20, burst = 5 },
    pair = { rate = 1 / 6, burst = 45 },
  },
  errors = cloud_errors,
  hints = { refused = 'if the number is on On-Premise hosting, give hosting = "on_premise"' },
  encode_message = messages.encode,
  -- URLs of webhooks have neither a port nor "_" in the host (cloud.md, section 4.1)
  webhook_url = { most_characters = 2048 },
  read_sent = sent.read,
}

-- Paths (cloud.md, section 1.4). `{name}` is percent-encoded, `{+name}` is inserted unchanged.
---@type table<string, waba.Endpoint>
cloud.endpoints = {
  send = { method = "POST", path = "/messages", class = "messages", summary = sent.summary },
  send_marketing = { method = "POST", path = "/marketing_messages", class = "messages", summary = sent.summary },
  mark_read = { method = "POST", path = "/messages", idempotent = true, class = "messages" },
  -- media
  upload_media = { method = "POST", path = "/media", class = "media" },
  get_media = { method = "GET", path = "/{id}", idempotent = true },
  download_media = { method = "GET", path = "/{+path}", idempotent = true, binary = true },
  delete_media = { method = "DELETE", path = "/{id}", idempotent = true },
  open_upload = { method = "POST", path = "/uploads" },
  upload_state = { method = "GET", path = "/{+id}", idempotent = true },
  -- bytes at an offset: the gateway refuses a repeated request
  send_upload = { method = "POST", path = "/{+id}" },
  -- webhook addresses: of the number, of the whole account, and up to three more
  get_webhook = { method = "GET", path = "/v1/configs/webhook", idempotent = true },
  set_webhook = { method = "POST", path = "/v1/configs/webhook", idempotent = true },
  get_account_webhook = { method = "GET", path = "/waba_webhook", idempotent = true },
  set_account_webhook = { method = "POST", path = "/waba_webhook", idempotent = true },
  get_destinations = { method = "GET", path = "/multi_webhook", idempotent = true },
  set_destinations = { method = "POST", path = "/multi_webhook", idempotent = true },
  add_destination = { method = "PUT", path = "/multi_webhook" },
  update_destination = { method = "PATCH", path = "/multi_webhook", idempotent = true },
  -- the number
  phone_number = {
    method = "GET", path = "/health_status", query = { fields = "display_phone_number" }, idempotent = true,
  },
  health = { method = "GET", path = "/health_status", query = { fields = HEALTH_FIELDS }, idempotent = true },
  -- templates
  list_templates = { method = "GET", path = "/message_templates", idempotent = true },
  create_template = { method = "POST", path = "/message_templates" },
  get_template = { method = "GET", path = "/message_templates/{id}", idempotent = true },
  edit_template = { method = "POST", path = "/message_templates/{id}" },
  delete_template = { method = "DELETE", path = "/message_templates", idempotent = true },
  delete_templates = { method = "DELETE", path = "/message_templates", idempotent = true },
  archive_templates = { method = "POST", path = "/message_templates/archive", idempotent = true },
  unarchive_templates = { method = "POST", path = "/message_templates/unarchive", idempotent = true },
  compare_templates = { method = "GET", path = "/message_templates/{id}/compare", idempotent = true },
  template_library = { method = "GET", path = "/message_template_library", idempotent = true },
  -- the business
  get_about = {
    method = "GET", path = "/whatsapp_business_profile", query = { fields = "about" }, idempotent = true,
  },
  get_business = {
    method = "GET", path = "/whatsapp_business_profile",
    query = { fields = "address,description,email,vertical,websites" }, idempotent = true,
  },
  get_photo_link = {
    method = "GET", path = "/whatsapp_business_profile", query = { fields = "profile_picture_url" }, idempotent = true,
  },
  set_about = { method = "POST", path = "/whatsapp_business_profile", idempotent = true },
  set_business = { method = "POST", path = "/whatsapp_business_profile", idempotent = true },
  set_photo = { method = "POST", path = "/whatsapp_business_profile", idempotent = true },
  list_blocked = { method = "GET", path = "/block_users", idempotent = true },
  block_users = { method = "POST", path = "/block_users", idempotent = true },
  unblock_users = { method = "DELETE", path = "/block_users", idempotent = true },
  get_automation = { method = "GET", path = "/conversational_automation", idempotent = true },
  set_automation = { method = "POST", path = "/conversational_automation", idempotent = true },
  get_calling = { method = "GET", path = "/calling/settings", idempotent = true },
  set_calling = { method = "POST", path = "/calling/settings", idempotent = true },
  get_commerce = { method = "GET", path = "/whatsapp_commerce_settings", idempotent = true },
  set_commerce = { method = "POST", path = "/whatsapp_commerce_settings", idempotent = true },
  list_qr_codes = { method = "GET", path = "/message_qrdls", idempotent = true },
  get_qr_code = { method = "GET", path = "/message_qrdls/{code}", idempotent = true },
  create_qr_code = { method = "POST", path = "/message_qrdls" },
  update_qr_code = { method = "POST", path = "/message_qrdls", idempotent = true },
  delete_qr_code = { method = "DELETE", path = "/message_qrdls/{code}", idempotent = true },
  -- on On-Premise hosting only
  check_contacts = {
    unsupported = "contacts can't be checked on Cloud hosting, only on On-Premise hosting: send the message; "
      .. "its result has the wa_id, and a number that can't be reached shows as a failed status with code 131026",
  },
  get_identity = {
    unsupported = "identities can't be asked for on Cloud hosting, only on On-Premise hosting: "
      .. "give the hash from a webhook to client:send as identity_key_hash",
  },
  acknowledge_identity = {
    unsupported = "identities can't be acknowledged on Cloud hosting, only on On-Premise hosting: "
      .. "give the hash that is trusted to client:send as identity_key_hash",
  },
  block_contact = { unsupported = "client.block_list:block blocks users on Cloud hosting" },
  get_photo = { unsupported = "on Cloud hosting the photo is at its link only" },
}

--- This gateway has no closed paths.
---@return boolean
function cloud.is_closed()
  return false
end

--- Writes the request of `mark_read`, with the typing indicator on request (cloud.md, section 2.20).
---@param id string
---@param options? { typing: boolean? }
---@return table body
function cloud.encode_read(id, options)
  local body = { messaging_product = "whatsapp", status = "read", message_id = id }
  if options and options.typing then body.typing_indicator = { type = "text" } end
  return body
end

--- Reads the number from a response to GET /health_status (cloud.md, section 8.2).
---@param json any
---@return string|nil digits
function cloud.read_phone_number(json)
  return type(json) == "table" and values.phone_digits(json.display_phone_number) or nil
end

return cloud
