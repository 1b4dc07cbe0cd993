-- Texts that the formats of schema/formats.lua accept and refuse.

return {
  url = {
    good = { "https://shop.example/t?a=1", "http://shop.example", "HTTPS://shop.example/" },
    bad = { "ftp://shop.example/a", "shop.example/a", "https://", "https:///a", "https://shop.example/a b",
      "https://shop.example/a\194\160b" },
  },
  template_name = {
    good = { "order_ready_v2", "2" },
    bad = { "Order", "order-ready", "order ready", "bestellung_\195\164" },
  },
  date = {
    good = { "1980-04-02", "2000-02-29", "2024-12-31" },
    bad = { "1980-4-2", "02.04.1980", "1980-13-01", "1980-04-31", "1900-02-29", "1980-00-10", "1980-01-00" },
  },
  currency_code = {
    good = { "EUR", "USD" },
    bad = { "eur", "EURO", "\226\130\172", "EU" },
  },
  country_code = {
    good = { "de", "DE" },
    bad = { "d", "deu", "49" },
  },
  country = {
    good = { "IN", "SG" },
    bad = { "in", "IND", "91" },
  },
  wa_id = {
    good = { "49305550199" },
    bad = { "+49305550199", "4930 5550199", "493055", "Eva" },
  },
  cloud_media_id = {
    good = { "7781230045" },
    bad = { "5b0e1c1e-1f0a-4a52-9a61-2d1f7a1c9a10", "778 123" },
  },
  parameter = {
    good = { "Eva", "a    b" },
    bad = { "a\nb", "a\tb", "a     b", "a\r\nb" },
  },
  no_markup = {
    good = { "Yes", "snake_case_name", "2 * 3 * 4", "~ 5 km", "5*", "Ja \240\159\145\141" },
    bad = { "*Yes*", "so _nice_", "~no~", "```x```", "(*a b*)" },
  },
  no_markup_or_emoji = {
    good = { "Ausw\195\164hlen", "\233\129\184\230\138\158", "\226\130\172 5" },
    bad = { "*Slots*", "Go \240\159\145\141", "\226\173\144 Top", "1\239\184\143\226\131\163" },
  },
  no_emoji = {
    good = { "Book", "*Book*", "\226\130\172 5" },
    bad = { "Book \240\159\145\141", "\226\173\144" },
  },
  reaction = {
    good = {
      "", "\240\159\145\141", "\226\157\164", "\226\157\164\239\184\143", "\240\159\145\141\240\159\143\189",
      "\240\159\135\169\240\159\135\170", "1\239\184\143\226\131\163",
      "\240\159\145\169\226\128\141\240\159\146\187", -- an emoji of two code points: a woman and a laptop
      -- England's flag, which consists of tag characters
      "\240\159\143\180\243\160\129\167\243\160\129\162\243\160\129\165\243\160\129\174\243\160\129\167\243\160\129\191",
    },
    bad = {
      ":+1:", "x", "1", "\195\164", " ", "\240\159\145\141\240\159\145\141", "\240\159\145\141 ok", "\240\159\135\169",
      "\240\159\145\169\226\128\141", "\239\184\143",
    },
  },
  trimmed = {
    good = { "d118:yes", "a b" },
    bad = { " yes", "yes ", "yes\n" },
  },
  two_line_breaks = {
    good = { "a\nb\nc", "a" },
    bad = { "a\nb\nc\nd", "\n\n\n" },
  },
  alphanumeric = {
    good = { "SAVE20", "x" },
    bad = { "SAVE 20", "SAVE-20", "\195\164" },
  },
  parameter_name = {
    good = { "first_name", "x1" },
    bad = { "Name", "first name", "{{name}}" },
  },
  four_digits = {
    good = { "5235", "0000" },
    bad = { "523", "52350", "x235" },
  },
  reference_id = {
    good = { "ord-118", "A_1.2" },
    bad = { "ord 118", "ord#118", "\195\164" },
  },
  has_url = {
    good = { "see https://shop.example/t", "http://a.example", "HTTP://a.example", "ftp://a or https://b" },
    bad = { "see shop.example", "https:// nothing", "://a", "tp://a.example", "ftp://a.example" },
  },
}
