-- The methods of an emulator object that change a gateway: its customers, failures, statuses, time, reviews of
-- templates, health and options.

local customers = require "waba.emulator.customer"
local json = require "waba.emulator.json"
local emulator_options = require "waba.emulator.options"
local option = require "waba.option"
local Handle = require "waba.emulator.handle"

--- The data of a customer.
---@options waba.emulator.CustomerOptions
local CUSTOMER = {
  name = "string",
  user_id = "string",  -- the business-scoped user id (Cloud)
  username = "string",
  hidden = "boolean",  -- true: webhooks do not contain the phone number
}

--- The data of a contact.
---@options waba.emulator.ContactOptions
local CONTACT = {
  status = '"valid"|"invalid"|"failed"',
  wa_id = "string",
  name = "string",
  user_id = "string",
  username = "string",
}

--- Returns a customer of the business number.
---@param number string|integer
---@param about? waba.emulator.CustomerOptions
---@return waba.emulator.Customer
function Handle:customer(number, about)
  option.check(about, CUSTOMER, "emulator:customer")
  if not tostring(number):find("%d") then
    error(("emulator:customer: the number must be a phone number, not %s"):format(tostring(number)), 2)
  end
  return customers.new(self.remote, tostring(number), about)
end

--- Sets the data of a contact, and returns all data of the contact.
---@param number string
---@param about? waba.emulator.ContactOptions
---@return { wa_id: string, status: string, name: string?, user_id: string?, blocked: boolean, window: boolean }|nil
---@return waba.Error? err
function Handle:contact(number, about)
  about = option.check(about, CONTACT, "emulator:contact")
  return self:ask("contact", { number = tostring(number), about = about })
end

--- Describes how the next requests fail. With `delay` or `drop` alone, the usual response is late or not sent.
---@options waba.emulator.FailNext
local FAIL_NEXT = {
  method = "string",          -- only requests with this method
  path = "string",            -- only requests to this path, which is a Lua pattern if it begins with ^
  type = "string",            -- only messages of this type
  times = "integer>=1",       -- the number of requests that fail; default: 1
  share = "number>=0",        -- 0 to 1: a request fails only with this probability; the option `seed` makes the
                              -- choice repeatable
  status = "integer>=100",    -- the HTTP status
  code = "integer",           -- an error code of the platform, with its usual title and status
  title = "string",           -- the title of the error
  details = "string|string[]", -- the details of the error; a list if `developer_message` is set
  errors = "table[]",         -- complete error objects
  developer_message = "string", -- the text of an error of 360dialog's gateway
  body = "string",            -- the bytes of the response
  headers = "table<string, string>", -- headers of the response
  delay = "number>=0",        -- real seconds until the response
  drop = '"before"|"after"',  -- closes the connection without a response, before or after the request takes effect
  accept = "boolean",         -- true: the request takes effect although the response is an error
}

local EFFECTS = { "status", "code", "errors", "body", "headers", "developer_message", "delay", "drop" }

-- Returns an error message if the command is invalid or has no effect.
local function error_in(command)
  local has_effect = false
  for _, name in ipairs(EFFECTS) do has_effect = has_effect or command[name] ~= nil end
  if not has_effect then
    return "one of the options " .. table.concat(EFFECTS, ", ") .. " is required"
  elseif command.share and command.share > 1 then
    return "option share must be 0 to 1, not " .. command.share
  elseif command.status and command.status > 599 then
    return "option status must be an HTTP status, 100 to 599, not " .. command.status
  elseif command.drop and command.drop ~= "before" and command.drop ~= "after" then
    return ('option drop must be "before" or "after", not "%s"'):format(command.drop)
  end
end

--- Makes the next requests fail.
---@param command waba.emulator.FailNext
---@return true|nil
---@return waba.Error? err
function Handle:fail_next(command)
  command = option.check(command, FAIL_NEXT, "emulator:fail_next")
  local message = error_in(command)
  if message then error("emulator:fail_next: " .. message, 2) end
  return self:ask("fail_next", json.pack(command))
end

--- Describes how the next messages fail after the gateway has accepted them. `code` or `errors` is required.
---@options waba.emulator.FailStatus
local FAIL_STATUS = {
  code = "integer",       -- an error code of the platform
  title = "string",       -- the title of the error `code`
  details = "string",     -- the details of the error `code`
  errors = "table[]",     -- complete error objects
  to = "string",          -- only messages to this recipient
  type = "string",        -- only messages of this type
  times = "integer",      -- the number of messages that fail; default: 1
  share = "number",       -- 0 to 1: a message fails only with this probability; the option `seed` makes the
                          -- choice repeatable
  after = '"sent"|"delivered"', -- the last status that is reported before "failed"
  status = "string",      -- "warning": the last status is "warning" instead of "failed"
}

--- Makes the next message fail after the gateway has accepted the message: the status becomes "failed" with this error.
---@param code integer|waba.emulator.FailStatus  an error code of the platform, or a table
---@return true|nil
---@return waba.Error? err
function Handle:fail_status(code)
  local command = type(code) == "table" and code or { code = code }
  option.check(command, FAIL_STATUS, "emulator:fail_status")
  if not command.code and not command.errors then
    error("emulator:fail_status: option code or errors is required", 2)
  end
  return self:ask("fail_status", command)
end

--- Cancels all commands of fail_next and fail_status.
---@return true|nil
---@return waba.Error? err
function Handle:clear_faults() return self:ask("clear_faults") end

--- Reports a status of a sent message now, regardless of the option `statuses`.
---@param id string
---@param status "sent"|"delivered"|"read"|"failed"|"warning"
---@param failure? { code: integer?, title: string?, details: string?, errors: table[]? }
---@return true|nil
---@return waba.Error? err
function Handle:status(id, status, failure)
  failure = failure or (status == "failed" or status == "warning") and { code = self.USUAL_FAILURE } or {}
  return self:ask("status", { id = id, status = status, code = failure.code, title = failure.title,
    details = failure.details, errors = failure.errors })
end

--- Posts a webhook with an error that does not belong to a message.
---@param failure { code: integer?, title: string?, details: string?, errors: table[]? }
---@return true|nil
---@return waba.Error? err
function Handle:error(failure) return self:ask("error", failure) end

--- Posts a webhook with a change of any field (Cloud), for example about the account, a template or a call.
---@param field string  the platform's name of the field, such as "account_update"
---@param value table   the value as the platform writes it
---@return true|nil
---@return waba.Error? err
function Handle:change(field, value) return self:ask("change", { field = field, value = value }) end

--- Posts a webhook body unchanged.
---@param body table
---@return true|nil
---@return waba.Error? err
function Handle:post(body) return self:ask("post", { body = body }) end

--- Moves the emulator's clock ahead. Sends the statuses and the retries of webhooks that become due. Media and 24-hour
--- windows expire.
---@param seconds number
---@return number|nil time  the new time in Unix seconds
---@return waba.Error? err
function Handle:advance(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error("emulator:advance: seconds must be a number of 0 or more, not " .. tostring(seconds), 2)
  end
  return self:ask("advance", { seconds = seconds })
end

--- Returns the time of the emulator's clock.
---@return number|nil time  Unix seconds
---@return waba.Error? err
function Handle:time()
  local counts, err = self:counts()
  return counts and counts.time, err
end

--- The result of the review of a template.
---@options waba.emulator.ReviewOptions
local REVIEW = {
  language = "string", -- the language of the translation; default: all translations
  reason = "string",   -- the reason why the template is rejected
}

--- Sets the result of the review of a template.
---@param name string
---@param status "approved"|"rejected"|"paused"|"disabled"|string
---@param about? waba.emulator.ReviewOptions
---@return integer|nil count  the number of changed translations
---@return waba.Error? err    set if the template does not exist
function Handle:review_template(name, status, about)
  about = option.check(about, REVIEW, "emulator:review_template")
  return self:ask("review", { name = name, status = status, language = about.language, reason = about.reason })
end

--- Selects the messages to hold.
---@options waba.emulator.HoldOptions
local HOLD = {
  language = "string", -- the language of the translation; default: all translations
}

--- Holds the messages of a template until its quality is known (Cloud). The `message_status` of held messages is
--- "held_for_quality_assessment", and they get no statuses until `held = false` ends the hold. If a review pauses or
--- disables the template, held messages fail with the error 132015.
---@param name string
---@param held? boolean  false ends the hold; default: true
---@param about? waba.emulator.HoldOptions
---@return integer|nil count  the number of changed translations
---@return waba.Error? err    set if the template does not exist
function Handle:hold_template(name, held, about)
  about = option.check(about, HOLD, "emulator:hold_template")
  return self:ask("hold", { name = name, held = held ~= false, language = about.language })
end

--- Returns the templates of the gateway as the platform lists them.
---@return table[]|nil
---@return waba.Error? err
function Handle:templates() return self:ask("templates") end

--- The health that the gateway reports.
---@options waba.emulator.HealthOptions
local HEALTH = {
  shape = '"single"|"high_availability"|"multiconnect"', -- On-Premise: the kind of installation
  status = "string",   -- On-Premise: the status of every node; Cloud: the status of the phone number: "AVAILABLE",
                       -- "LIMITED" or "BLOCKED"
  nodes = "table",     -- On-Premise: complete nodes, by the name of a node or a part of the name
  errors = "table",    -- On-Premise: errors that are returned instead of `health`
  meta = "boolean",    -- On-Premise: whether the response has `meta`; default: true
  entities = "table",  -- Cloud: the fields of entities, by the type of the entity
  fields = "table",    -- Cloud: the fields of the phone number
}

--- Sets the health that the gateway reports.
---@param settings waba.emulator.HealthOptions
---@return true|nil
---@return waba.Error? err
function Handle:health(settings)
  option.check(settings, HEALTH, "emulator:health")
  return self:ask("health", settings)
end

--- Restarts the WhatsApp client behind the gateway. For this number of seconds, every response has the status 502.
---@param seconds number  seconds of the emulator's clock
---@return true|nil
---@return waba.Error? err
function Handle:restart(seconds) return self:ask("restart", { seconds = seconds }) end

--- Changes options of a running emulator: statuses, recipient_id, window, review, catalogs, contact_check,
--- require_webhook, strict_media, max_media and webhooks; for the Cloud gateway also media_block and secret.
---@param changed waba.EmulatorProcessOptions|waba.EmulatorCloudOptions
---@return true|nil
---@return waba.Error? err
function Handle:configure(changed)
  emulator_options.check_change(changed, "emulator:configure")
  return self:ask("configure", changed)
end

return Handle
