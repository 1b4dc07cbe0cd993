local waba = require "waba"
local client = waba.client {} -- D360_API_KEY, WABA_HOSTING
print(assert(client:send(arg[1], waba.text "Hello")).id)
