-- The client, which each nginx worker process loads for the bot and for the site. All workers share the rate limits of
-- the API key.

local metrics = require "metrics"
local waba = require "waba"

return waba.client {
  api_key = os.getenv "D360_API_KEY", hosting = os.getenv "WABA_HOSTING",
  base_url = os.getenv "WABA_BASE_URL", -- set only to use an emulator
  pace = { store = waba.pace.shared_dict "rates" },
  on_event = metrics.record,
}
