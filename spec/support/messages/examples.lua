-- Examples of the messages that On-Premise hosting has.

local waba = require "waba.message"

--- Returns one example of every type and of every kind of interactive message that On-Premise hosting has.
---@return { name: string, message: waba.Message }[]
local function examples()
  return {
    { name = "text", message = waba.text "Hallo Welt \240\159\145\139" },
    {
      name = "text with preview",
      message = waba.text { body = "Ihr Ticket: https://shop.example/t/4711", preview_url = true },
    },
    { name = "image", message = waba.image { link = "https://cdn.example/i/blue.jpg", caption = "Modell Blau" } },
    { name = "image by id", message = waba.image { id = "5b0e1c1e-1f0a-4a52-9a61-2d1f7a1c9a10" } },
    { name = "video", message = waba.video { link = "https://cdn.example/v/build.mp4", caption = "Montage in 30 s" } },
    { name = "audio", message = waba.audio { link = "https://cdn.example/a/hello.ogg" } },
    {
      name = "document",
      message = waba.document {
        link = "https://cdn.example/r/2024-118.pdf", filename = "Rechnung-118.pdf", caption = "Ihre Rechnung",
      },
    },
    { name = "sticker", message = waba.sticker { link = "https://cdn.example/s/wave.webp" } },
    {
      name = "location",
      message = waba.location {
        latitude = 52.5163, longitude = 13.3777, name = "Filiale Mitte", address = "Pariser Platz 1, Berlin",
      },
    },
    {
      name = "contacts",
      message = waba.contacts { {
        name = { formatted_name = "Dr. Eva Kern", first_name = "Eva", last_name = "Kern", prefix = "Dr." },
        org = { company = "Kern Optik", title = "Inhaberin" },
        phones = { { phone = "+49 30 555 0199", type = "WORK", wa_id = "49305550199" } },
        emails = { { email = "eva@kern.example", type = "WORK" } },
        addresses = { {
          street = "Ring 5", city = "Berlin", zip = "10115", country = "Germany", country_code = "de", type = "WORK",
        } },
        ims = { { service = "IRC", user_id = "eva" } },
        urls = { { url = "https://kern.example", type = "WORK" } },
        birthday = "1980-04-02",
      } },
    },
    {
      name = "template",
      message = waba.template {
        name = "order_ready_v2", language = "de", namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90",
        header = { document = { link = "https://cdn.example/r/118.pdf", filename = "118.pdf" } },
        body = {
          "Eva",
          waba.currency { fallback_value = "49,90 EUR", code = "EUR", amount_1000 = 49900 },
          waba.date_time { fallback_value = "2. April 2024", year = 2024, month = 4, day_of_month = 2 },
        },
        buttons = { { payload = "PICKUP_118" }, { url = "track/118" } },
      },
    },
    { name = "template without parameters", message = waba.template { name = "welcome", language = "en_US" } },
    {
      name = "authentication template",
      message = waba.template { name = "login_code", language = "en", otp = "845210" },
    },
    {
      name = "template in the raw form",
      message = waba.template {
        name = "order_ready_v2", language = { policy = "deterministic", code = "de" },
        components = { { type = "body", parameters = { { type = "text", text = "Eva" } } } },
      },
    },
    {
      name = "hsm",
      message = waba.hsm {
        namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", element_name = "order_ready", language = "de",
        params = { "Eva", waba.currency { fallback_value = "49,90 EUR", code = "EUR", amount_1000 = 49900 } },
      },
    },
    {
      name = "buttons",
      message = waba.buttons {
        header = waba.image { link = "https://cdn.example/i/blue.jpg" }, body = "Bestellung best\195\164tigen?",
        buttons = { { id = "ok-118", title = "Ja" }, { id = "no-118", title = "Nein" } },
      },
    },
    {
      name = "list",
      message = waba.list {
        header = "Termin", body = "Wann passt es Ihnen?", footer = "Kern Optik", button = "Ausw\195\164hlen",
        sections = {
          { title = "Montag", rows = {
            { id = "mo-09", title = "09:00", description = "Sehtest" }, { id = "mo-11", title = "11:00" },
          } },
          { title = "Dienstag", rows = { { id = "di-10", title = "10:00" } } },
        },
      },
    },
    {
      name = "product",
      message = waba.product { catalog_id = "448811220099", product_retailer_id = "SKU-BLUE-52", body = "Wieder da!" },
    },
    {
      name = "product list",
      message = waba.product_list {
        catalog_id = "448811220099", header = "Neue Brillen", body = "Unsere Auswahl",
        sections = {
          { title = "Metall", products = { "SKU-BLUE-52", "SKU-GOLD-50" } },
          { title = "Holz", products = { "SKU-OAK-51" } },
        },
      },
    },
  }
end

return examples
