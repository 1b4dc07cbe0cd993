-- The endpoints of Cloud hosting (cloud.md, section 1.4).

local sent = require "waba.hosting.sent"

local HEALTH_FIELDS = "id,display_phone_number,verified_name,name_status,quality_rating,status,throughput,"
  .. "platform_type,code_verification_status,whatsapp_business_manager_messaging_limit"

-- Returns the endpoint that reads `fields` of the profile. The platform documents two paths at which the response can
-- have the profile. `place` is the path of the content inside the profile.
local function get_profile(fields, place, may_be_unset)
  return {
    method = "GET", path = "/whatsapp_business_profile", query = { fields = fields }, may_be_unset = may_be_unset,
    result = ("data.1.business_profile%s data.1%s"):format(place, place),
  }
end

---@type table<string, waba.Endpoint>
local endpoints = {
  send = { method = "POST", path = "/messages", class = "messages", summary = sent.summary },
  send_marketing = { method = "POST", path = "/marketing_messages", class = "messages", summary = sent.summary },
  mark_read = { method = "POST", path = "/messages", idempotent = true, class = "messages" },
  -- media
  upload_media = { method = "POST", path = "/media", class = "media", result = "id" },
  get_media = { method = "GET", path = "/{id}" },
  download_media = { method = "GET", path = "/{+path}", binary = true },
  delete_media = { method = "DELETE", path = "/{id}", idempotent = true },
  open_upload = { method = "POST", path = "/uploads", result = "id" },
  upload_state = { method = "GET", path = "/{+id}", result = "file_offset" },
  -- not idempotent, because the gateway refuses bytes that were sent before
  send_upload = { method = "POST", path = "/{+id}", result = "h" },
  -- the webhook URLs of the phone number, of the complete account, and of up to three further destinations
  get_webhook = { method = "GET", path = "/v1/configs/webhook", may_be_unset = true },
  set_webhook = { method = "POST", path = "/v1/configs/webhook", idempotent = true },
  get_account_webhook = { method = "GET", path = "/waba_webhook", may_be_unset = true },
  set_account_webhook = { method = "POST", path = "/waba_webhook", idempotent = true },
  get_destinations = { method = "GET", path = "/multi_webhook", may_be_unset = true },
  set_destinations = { method = "POST", path = "/multi_webhook", idempotent = true },
  add_destination = { method = "PUT", path = "/multi_webhook" },
  update_destination = { method = "PATCH", path = "/multi_webhook", idempotent = true },
  -- the phone number
  phone_number = { method = "GET", path = "/health_status", query = { fields = "display_phone_number" } },
  health = { method = "GET", path = "/health_status", query = { fields = HEALTH_FIELDS } },
  -- templates
  list_templates = { method = "GET", path = "/message_templates" },
  create_template = { method = "POST", path = "/message_templates" },
  get_template = { method = "GET", path = "/message_templates/{id}" },
  edit_template = { method = "POST", path = "/message_templates/{id}" },
  delete_template = { method = "DELETE", path = "/message_templates", idempotent = true },
  delete_templates = { method = "DELETE", path = "/message_templates", idempotent = true },
  archive_templates = { method = "POST", path = "/message_templates/archive", idempotent = true },
  unarchive_templates = { method = "POST", path = "/message_templates/unarchive", idempotent = true },
  compare_templates = { method = "GET", path = "/message_templates/{id}/compare", result = "data" },
  template_library = { method = "GET", path = "/message_template_library" },
  -- the business
  get_about = get_profile("about", ".about", true),
  get_business = get_profile("address,description,email,vertical,websites", "", true),
  get_photo_link = get_profile("profile_picture_url", ".profile_picture_url"),
  set_about = { method = "POST", path = "/whatsapp_business_profile", idempotent = true },
  set_business = { method = "POST", path = "/whatsapp_business_profile", idempotent = true },
  set_photo = { method = "POST", path = "/whatsapp_business_profile", idempotent = true },
  list_blocked = { method = "GET", path = "/block_users" },
  block_users = { method = "POST", path = "/block_users", idempotent = true },
  unblock_users = { method = "DELETE", path = "/block_users", idempotent = true },
  get_automation = {
    method = "GET", path = "/conversational_automation", may_be_unset = true,
    result = "data.1.conversational_automation data.1 conversational_automation .",
  },
  set_automation = { method = "POST", path = "/conversational_automation", idempotent = true },
  get_calling = { method = "GET", path = "/calling/settings", result = "calling" },
  set_calling = { method = "POST", path = "/calling/settings", idempotent = true },
  get_commerce = { method = "GET", path = "/whatsapp_commerce_settings", result = "data.1" },
  set_commerce = { method = "POST", path = "/whatsapp_commerce_settings", idempotent = true },
  list_qr_codes = { method = "GET", path = "/message_qrdls" },
  get_qr_code = { method = "GET", path = "/message_qrdls/{code}", result = "data.1 ." },
  create_qr_code = { method = "POST", path = "/message_qrdls" },
  update_qr_code = { method = "POST", path = "/message_qrdls", idempotent = true },
  delete_qr_code = { method = "DELETE", path = "/message_qrdls/{code}", idempotent = true },
  -- endpoints that only On-Premise hosting has
  check_contacts = {
    unsupported = "contacts can't be checked on Cloud hosting, only on On-Premise hosting: send the message; "
      .. "its result has the wa_id, and a number that can't be reached shows as a failed status with code 131026",
  },
  get_identity = {
    unsupported = "identities can't be read on Cloud hosting, only on On-Premise hosting: "
      .. "pass the hash from a webhook to client:send as identity_key_hash",
  },
  acknowledge_identity = {
    unsupported = "identities can't be acknowledged on Cloud hosting, only on On-Premise hosting: "
      .. "pass the trusted hash to client:send as identity_key_hash",
  },
  block_contact = { unsupported = "on Cloud hosting, contacts are blocked with client.block_list:block only" },
  get_photo = {
    unsupported = "on Cloud hosting, the photo can be read only at its link: client.profile:photo { link = true }",
  },
}

return endpoints
