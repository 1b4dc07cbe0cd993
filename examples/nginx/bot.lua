-- The receiver, which each nginx worker process loads. All workers share the inbox, a SQLite file in a folder that
-- nginx creates. Handlers send over nginx's own sockets, so that no other request waits.

local gateway = require "gateway"
local waba = require "waba"

return waba.receiver {
  user = os.getenv "WEBHOOK_USER", password = os.getenv "WEBHOOK_PASSWORD",
  client = gateway,
  inbox = waba.inbox.sqlite(ngx.config.prefix() .. "state/inbox.db"),
  on = {
    text = function(event)
      ngx.log(ngx.NOTICE, event.customer.key, " writes: ", event.text)
      assert(event:reply(waba.text("You wrote: " .. event.text)))
    end,
    failed = function(event) ngx.log(ngx.WARN, event.id, " failed: ", tostring(event.errors and event.errors[1])) end,
    error = function(_, err) ngx.log(ngx.ERR, "error: ", tostring(err)) end,
  },
}
