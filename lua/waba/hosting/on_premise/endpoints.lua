-- The endpoints of On-Premise hosting (on-premise.md, sections 2 to 9).

local sent = require "waba.hosting.sent"

---@type table<string, waba.Endpoint>
local endpoints = {
  send = { method = "POST", path = "/v1/messages", class = "messages", summary = sent.summary },
  mark_read = { method = "PUT", path = "/v1/messages/{id}", idempotent = true },
  check_contacts = { method = "POST", path = "/v1/contacts", idempotent = true, result = "contacts" },
  block_contact = { method = "POST", path = "/v1/contacts/{number}/block", idempotent = true },
  get_identity = { method = "GET", path = "/v1/contacts/{wa_id}/identity", result = "contacts" },
  acknowledge_identity = { method = "PUT", path = "/v1/contacts/{wa_id}/identity", idempotent = true },
  upload_media = { method = "POST", path = "/v1/media", result = "media.1.id" },
  download_media = { method = "GET", path = "/v1/media/{id}", binary = true },
  delete_media = { method = "DELETE", path = "/v1/media/{id}", idempotent = true },
  -- the status 404 means that no URL is set (on-premise.md, section 6.2)
  get_webhook = { method = "GET", path = "/v1/configs/webhook", may_be_unset = true },
  set_webhook = { method = "POST", path = "/v1/configs/webhook", idempotent = true },
  phone_number = { method = "GET", path = "/v1/configs/phone_number" },
  health = { method = "GET", path = "/v1/health" },
  list_templates = { method = "GET", path = "/v1/configs/templates" },
  create_template = { method = "POST", path = "/v1/configs/templates" },
  delete_template = { method = "DELETE", path = "/v1/configs/templates/{name}", idempotent = true },
  get_about = {
    method = "GET", path = "/v1/settings/profile/about", result = "settings.profile.about.text", may_be_unset = true,
  },
  set_about = { method = "PATCH", path = "/v1/settings/profile/about", idempotent = true },
  get_photo = { method = "GET", path = "/v1/settings/profile/photo", binary = true },
  get_photo_link = {
    method = "GET", path = "/v1/settings/profile/photo", query = { format = "link" },
    result = "settings.profile.photo.link",
  },
  set_photo = { method = "POST", path = "/v1/settings/profile/photo", idempotent = true },
  get_business = {
    method = "GET", path = "/v1/settings/business/profile", may_be_unset = true,
    result = "settings.business.profile.1 settings.business.profile",
  },
  set_business = { method = "POST", path = "/v1/settings/business/profile", idempotent = true },
}

-- The endpoints that only Cloud hosting has. A call returns an error with the text before the endpoint's name.
local UNSUPPORTED = {
  ["resumable uploads exist on Cloud hosting only: On-Premise hosting takes the file itself"] =
    "open_upload upload_state send_upload",
  ["the description of a file can be read on Cloud hosting only: client.media:download returns the file"] = "get_media",
  ["webhook URLs of an account exist on Cloud hosting only: on On-Premise hosting every number has its own"] =
    "get_account_webhook set_account_webhook",
  ["further destinations of webhooks exist on Cloud hosting only"] =
    "get_destinations set_destinations add_destination update_destination",
  ["single templates can be read on Cloud hosting only: client.templates:list finds them by name"] = "get_template",
  ["templates can be edited on Cloud hosting only: create another one, and delete the old one"] = "edit_template",
  ["templates can be deleted by their ids on Cloud hosting only: client.templates:delete needs only the name"] =
    "delete_templates",
  ["templates can be archived on Cloud hosting only"] = "archive_templates unarchive_templates",
  ["templates can be compared on Cloud hosting only"] = "compare_templates",
  ["the library of templates exists on Cloud hosting only"] = "template_library",
  ["the block list exists on Cloud hosting only: client.contacts:block blocks one contact"] =
    "list_blocked block_users unblock_users",
  ["ice breakers, commands and welcome messages exist on Cloud hosting only"] = "get_automation set_automation",
  ["calls exist on Cloud hosting only"] = "get_calling set_calling",
  ["commerce settings exist on Cloud hosting only: on On-Premise hosting 360dialog's support sets them"] =
    "get_commerce set_commerce",
  ["QR codes exist on Cloud hosting only"] = "list_qr_codes get_qr_code create_qr_code update_qr_code delete_qr_code",
}
for message, names in pairs(UNSUPPORTED) do
  for name in names:gmatch "%S+" do endpoints[name] = { unsupported = message } end
end

return endpoints
