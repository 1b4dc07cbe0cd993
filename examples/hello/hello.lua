local waba = require "waba"
local client = waba.client { api_key = os.getenv "D360_API_KEY", base_url = os.getenv "WABA_BASE_URL" }
print(assert(client:send(arg[1], waba.text "Hello")).id)
