-- What On-Premise hosting lacks, by the name of the endpoint that Cloud hosting has for it: the sentence
-- of the refusal.

local lacks = {
  open_upload = "resumable uploads exist on Cloud hosting only: On-Premise hosting takes the file itself",
  get_media = "what is known of a file is told on Cloud hosting only: here client.media:download gives the file itself",
  get_account_webhook = "webhook addresses of an account exist on Cloud hosting only: every number has its own here",
  get_template = "single templates can be asked for on Cloud hosting only: client.templates:list finds them by name",
  edit_template = "templates can be edited on Cloud hosting only: here another one is created, and the old one deleted",
  delete_templates = "templates can be deleted by their ids on Cloud hosting only: "
    .. "client.templates:delete takes a name here",
  archive_templates = "templates can be archived on Cloud hosting only",
  compare_templates = "templates can be compared on Cloud hosting only",
  template_library = "the library of templates exists on Cloud hosting only",
  list_blocked = "the block list exists on Cloud hosting only: client.contacts:block blocks one contact here",
  get_automation = "ice breakers, commands and welcome messages exist on Cloud hosting only",
  get_calling = "calls exist on Cloud hosting only",
  get_commerce = "commerce settings exist on Cloud hosting only: 360dialog's support sets them here",
  list_qr_codes = "QR codes exist on Cloud hosting only",
  get_destinations = "further destinations of webhooks exist on Cloud hosting only",
}

-- Endpoints of one thing share its sentence.
for name, other in pairs {
  upload_state = "open_upload", send_upload = "open_upload",
  set_account_webhook = "get_account_webhook",
  unarchive_templates = "archive_templates",
  block_users = "list_blocked", unblock_users = "list_blocked",
  set_automation = "get_automation", set_commerce = "get_commerce", set_calling = "get_calling",
  get_qr_code = "list_qr_codes", create_qr_code = "list_qr_codes", update_qr_code = "list_qr_codes",
  delete_qr_code = "list_qr_codes",
  set_destinations = "get_destinations", add_destination = "get_destinations", update_destination = "get_destinations",
} do
  lacks[name] = lacks[other]
end

return lacks
