-- Sends many messages in one call (`client:send_all`): checks the options, and starts the run.

local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local figures = require "waba.bulk.figures"
local journals = require "waba.bulk.journal"
local complete = require("waba.option").complete
local runs = require "waba.bulk.run"
local runtime = require "waba.runtime"
local task_groups = require "waba.transport.loop.task_group"

local bulk = {}

local WHAT = "client:send_all"
local LONGEST_CAMPAIGN = 1024

--- The options of `client:send_all`.
---@options waba.BulkOptions
local OPTIONS = {
  concurrency = { "integer>=1", 64 }, -- the largest number of messages in flight. Fewer messages are in flight if the
          -- client's rate limit would delay a message by more than half of its timeout
  rate = "number>0", -- the largest number of messages per second, besides the client's rate limit; not with an outbox
  on_result = "fun(key: any, sent: waba.Sent|nil, err: waba.Error|nil, to: any)", -- called once for each message, in
          -- the order of the responses. If the process ends during a call for an uncertain result, the next run calls
          -- the function again for the same result. If the function raises an error, the run ends after the messages
          -- in flight, and `send_all` raises the error
  journal = "string", -- path of a file to which the results are written, so that a later run can continue this run.
          -- Only one run at a time can use the file
  campaign = "string", -- a name for the messages, for example the name of the template; 1 to 1024 bytes. A journal has
          -- separate results for each campaign, so another campaign sends to every recipient again. The results of runs
          -- without a campaign count for every campaign. The option requires `journal` or `outbox`
  outbox = "waba.Outbox", -- the run puts the messages into this outbox, and waits for the results. Senders in any
          -- process send the messages. The option requires `campaign`, so that after a crash another run of the same
          -- campaign can continue this run. With an outbox, `on_result` is called only for messages that the outbox
          -- refuses; a sender reports the other results
  number = "string|integer", -- with an outbox: the business number that sends the messages
  unique = "boolean", -- true: sends only the first message to each recipient, also if another form of the number is
          -- used; further messages are counted as `duplicates`. The option needs memory for each recipient
  suppress = "waba.Receiver", -- a receiver that stores which customers want no marketing messages. Marketing templates
          -- to customers who want none are not sent, but counted as `suppressed`, and `on_result` gets an error of kind
          -- "blocked". With an outbox, the customers are checked before the messages are put into the outbox; a sender
          -- with the option `suppress` checks them again before it sends
  marketing = "boolean", -- only with `suppress`. true: all templates are for marketing; false: no templates are.
          -- Default: a template is for marketing if the client has its definition and the category is marketing
  retry_failed = "boolean", -- true: sends messages again that failed in an earlier run of the journal
  retry_maybe_sent = "boolean", -- true: sends messages again whose result in an earlier run is uncertain
  stop = "fun(): any", -- called several times a second. If the function returns true, the run ends after the messages
          -- in flight, and the summary has `stopped`. In nginx the function can be `ngx.worker.exiting`
  total = "integer>=0", -- the expected number of messages, from which `seconds_left` for `on_progress` is estimated
  on_progress = "fun(figures: waba.BulkFigures)", -- called at most twice a second, and at the end
  timeout = "number>0", -- seconds for each message; default: the client's `timeout`
  send = "waba.SendOptions", -- the options of `client:send` for each message
  patience = { "number>=0", 300 }, -- seconds for which the run waits while the gateway is unreachable or overloaded;
          -- then the run ends with an error. 0, or a client without retries: the run does not wait
}

--- The options of `client:estimate`.
---@options waba.EstimateOptions
local ESTIMATE_OPTIONS = {
  rate = "number>0",                  -- the largest number of messages per second, besides the client's rate limit
  concurrency = { "integer>=1", 64 }, -- the largest number of messages in flight
  latency = { "number>=0", 0.2 },     -- seconds that the gateway needs for each message
}

local function check(source, options)
  if type(source) ~= "function" then
    error(WHAT .. ": the source must be a function that returns a recipient and a message, not a " .. type(source), 4)
  end
  options = complete(options, OPTIONS, WHAT, 4)
  local campaign, journal, outbox = options.campaign, options.journal, options.outbox
  local wrong = journal == "" and "option journal is empty: expected the path of a file"
    or outbox and journal and "option journal can't be combined with the option outbox"
    or outbox and not campaign and "option outbox requires the option campaign"
    or outbox and options.rate and "option rate can't be combined with the option outbox: set it in the option pace of "
      .. "the senders' clients"
    or options.suppress and type(options.suppress.suppressed) ~= "function"
      and "option suppress must be a receiver from waba.receiver"
    or campaign and not journal and not outbox and "option campaign requires the option journal or outbox"
    or campaign and (campaign == "" or #campaign > LONGEST_CAMPAIGN)
      and ("option campaign has %d bytes: expected 1 to %d"):format(#campaign, LONGEST_CAMPAIGN)
  if wrong then error(WHAT .. ": " .. wrong, 4) end
  local send = { timeout = options.timeout }
  for name, value in pairs(options.send or {}) do send[name] = value end
  if options.marketing == nil and send.marketing then options.marketing = true end
  options.send = send
  return options
end

--- The result of a run.
---@class waba.BulkSummary
---@field done integer  the sum of sent, failed, maybe_sent, skipped, duplicates and suppressed
---@field sent integer
---@field failed integer  messages that were certainly not sent
---@field maybe_sent integer  messages with an uncertain result
---@field skipped integer  messages that have a result from an earlier run of the journal
---@field failed_before integer  the number of skipped messages that failed in an earlier run
---@field maybe_sent_before integer  the number of skipped messages with an uncertain result from an earlier run
---@field duplicates integer  messages that the option `unique` left out
---@field suppressed integer?  messages that the option `suppress` left out
---@field seconds number  the duration of the run
---@field stopped? true  true: the option `stop` has ended the run

--- See `Client:send_all`.
---@return waba.BulkSummary|nil
---@return waba.Error? err
function bulk.send_all(client, source, options)
  options = check(source, options)
  local can_wait, message = runtime.can_wait(client.transport)
  if not can_wait then return nil, errors.new { kind = "invalid", message = message } end
  if options.outbox then return require("waba.bulk.outbox_run").run(client, source, options) end
  local journal, err
  if options.journal then
    journal, err = journals.open(options.journal, options.campaign)
    if not journal then return nil, err end
  end
  local run = runs.new(client, source, options, journal)
  -- the pool must not close the client during the run, even while the source waits and no message is in flight
  local release = client.pooled and client.pooled.pool:hold(client)
  local ok, raised = coroutines.pcall(task_groups.run, client.transport, function(group)
    run:drive(group)
    run:finish()
  end)
  if release then release() end
  if not ok then
    run:finish()
    error(raised, 0)
  end
  return run:outcome()
end

--- See `Client:estimate`.
function bulk.estimate(client, count, options)
  if type(count) ~= "number" or not (count >= 0 and count < math.huge and count % 1 == 0) then
    error("client:estimate: the number of messages must be a whole number of 0 or more, not " .. tostring(count), 3)
  end
  options = complete(options, ESTIMATE_OPTIONS, "client:estimate", 3)
  return figures.estimate(client.delivery.pace and client.delivery.pace:queue("messages").limiter, count, options.rate,
    options.concurrency, options.latency)
end

return bulk
