local waba = require "waba"
local client = waba.client {} -- reads the variables D360_API_KEY and WABA_HOSTING
print(assert(client:send(arg[1], waba.text "Hello")).id)
