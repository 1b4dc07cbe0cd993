-- What a program makes happen in a gateway of the emulator: customers who write, faults, statuses, time,
-- templates' reviews, health. The orders are methods of the handle.

local customers = require "waba.emulator.customer"
local json = require "waba.emulator.json"
local option_check = require "waba.options"
local Handle = require "waba.emulator.handle"

--- Somebody who writes to the business number.
---@param number string|integer
---@param about? { name: string?, user_id: string?, username: string?, hidden: boolean? }  Cloud: the
---  business-scoped user id; hidden: the number does not show in webhooks
---@return waba.emulator.Customer
function Handle:customer(number, about)
  option_check.check(about, { name = "string", user_id = "string", username = "string", hidden = "boolean" },
    "emulator:customer")
  if not tostring(number):find("%d") then
    error(("emulator:customer: a phone number is needed, not %s"):format(tostring(number)), 2)
  end
  return customers.new(self.remote, tostring(number), about)
end

--- Sets, or tells, what is known of a number.
---@param number string
---@param about? { status: "valid"|"invalid"|"failed"|nil, wa_id: string?, name: string?, user_id: string?, username: string? }
---@return { wa_id: string, status: string, name: string?, user_id: string?, blocked: boolean, window: boolean }|nil
---@return waba.Error? err
function Handle:contact(number, about)
  option_check.check(about, { status = "string", wa_id = "string", name = "string", user_id = "string",
    username = "string" }, "emulator:contact")
  return self:ask("contact", { number = tostring(number), about = about or {} })
end

--- A failure for the next requests. Without `status`, `code`, `errors`, `body` and
--- `developer_message` the request is answered as usual: late (`delay`) or not at all (`drop`).
---@class waba.emulator.FailNext
---@field method? string     only requests of this method
---@field path? string       only of this path: exact, or a Lua pattern that begins with ^
---@field type? string       only messages of this type
---@field times? integer     how many requests, 1 by default
---@field share? number      0 to 1: only by chance, under the option `seed`
---@field status? integer    HTTP status
---@field code? integer      error code of the platform; its usual title and status
---@field title? string      of that error
---@field details? string|string[]  of that error; a list with `developer_message`
---@field errors? table[]    whole error rows
---@field developer_message? string  an error of 360dialog's gateway
---@field body? string       these bytes
---@field headers? table<string, string>
---@field delay? number      real seconds before the answer
---@field drop? "before"|"after"  close the connection before, or after, the request took effect
---@field accept? boolean    the request takes effect, although the answer says otherwise

local FAIL_NEXT = { method = "string", path = "string", type = "string", times = "integer>=1", share = "number>=0",
  status = "integer>=100", code = "integer", title = "string", details = "string|table", errors = "table",
  developer_message = "string", body = "string", headers = "table", delay = "number>=0", drop = "string",
  accept = "boolean" }

local EFFECTS = { "status", "code", "errors", "body", "headers", "developer_message", "delay", "drop" }

local function has_effect(order)
  for _, name in ipairs(EFFECTS) do
    if order[name] ~= nil then return true end
  end
end

-- What is wrong with an order that would otherwise do nothing, unseen.
local function fault_in(order)
  if not has_effect(order) then return "one of the options " .. table.concat(EFFECTS, ", ") .. " is required" end
  if order.share and order.share > 1 then return "option share must be 0 to 1" end
  if order.status and order.status > 599 then return "option status must be an HTTP status, 100 to 599" end
  if order.drop and order.drop ~= "before" and order.drop ~= "after" then
    return 'option drop must be "before" or "after"'
  end
end

--- Makes the next requests fail.
---@param order waba.emulator.FailNext
---@return true|nil
---@return waba.Error? err
function Handle:fail_next(order)
  order = option_check.check(order, FAIL_NEXT, "emulator:fail_next")
  local fault = fault_in(order)
  if fault then error("emulator:fail_next: " .. fault, 2) end
  return self:ask("fail_next", json.pack(order))
end

local FAIL_STATUS = { code = "integer", title = "string", details = "string", errors = "table", to = "string",
  type = "string", times = "integer", share = "number", after = "string", status = "string" }

--- Lets the next message be accepted and fail afterwards: its status is "failed" with this error.
---@param code integer|table  an error code of the platform; or a table with `code`, `title`, `details` or
---  `errors`; `to`, `type`, `times`, `share` as in fail_next; `after`: "sent" or "delivered", the last
---  status that is reached before; `status = "warning"` instead of "failed"
---@return true|nil
---@return waba.Error? err
function Handle:fail_status(code)
  local order = type(code) == "table" and code or { code = code }
  option_check.check(order, FAIL_STATUS, "emulator:fail_status")
  if not order.code and not order.errors then
    error("emulator:fail_status: code or errors is needed", 2)
  end
  return self:ask("fail_status", order)
end

--- Forgets what fail_next and fail_status ordered.
---@return true|nil
---@return waba.Error? err
function Handle:clear_faults() return self:ask("clear_faults") end

--- Reports a status of a sent message now, whatever the option `statuses` says.
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

--- Posts an error that belongs to no message.
---@param failure { code: integer?, title: string?, details: string?, errors: table[]? }
---@return true|nil
---@return waba.Error? err
function Handle:error(failure) return self:ask("error", failure) end

--- Posts a change of the account, or of any other field (Cloud): a template's status, the number's quality,
--- calls, echoes, preferences …
---@param field string  as the platform names it: "account_update"
---@param value table   as the platform writes it
---@return true|nil
---@return waba.Error? err
function Handle:change(field, value) return self:ask("change", { field = field, value = value }) end

--- Posts a webhook body as it stands.
---@param body table
---@return true|nil
---@return waba.Error? err
function Handle:post(body) return self:ask("post", { body = body }) end

--- Moves the emulator's clock ahead: statuses, retries of webhooks, the expiry of media and the
--- 24-hour window follow at once.
---@param seconds number
---@return number|nil time  Unix seconds
---@return waba.Error? err
function Handle:advance(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error("emulator:advance: seconds must be a positive number", 2)
  end
  return self:ask("advance", { seconds = seconds })
end

--- The emulator's time.
---@return number|nil time  Unix seconds
---@return waba.Error? err
function Handle:time()
  local counts, err = self:counts()
  return counts and counts.time, err
end

--- Decides on a template.
---@param name string
---@param status "approved"|"rejected"|"paused"|"disabled"|string
---@param about? { language: string?, reason: string? }  one translation only; why it is rejected
---@return integer|nil count  of the translations it was said of
---@return waba.Error? err    when there is no such template
function Handle:review_template(name, status, about)
  option_check.check(about, { language = "string", reason = "string" }, "emulator:review_template")
  about = about or {}
  return self:ask("review", { name = name, status = status, language = about.language, reason = about.reason })
end

--- Holds the messages of a template until its quality is known (Cloud): their `message_status` is
--- "held_for_quality_assessment", and no status follows. `held = false` lets them go on; a review that
--- pauses or disables the template lets them fail with 132015.
---@param name string
---@param held? boolean  true by default
---@param about? { language: string? }  one translation only
---@return integer|nil count  of the translations it was said of
---@return waba.Error? err    when there is no such template
function Handle:hold_template(name, held, about)
  option_check.check(about, { language = "string" }, "emulator:hold_template")
  return self:ask("hold", { name = name, held = held ~= false, language = about and about.language })
end

--- The templates it knows, as the platform lists them.
---@return table[]|nil
---@return waba.Error? err
function Handle:templates() return self:ask("templates") end

--- Sets what the gateway tells of its health.
---@param settings { shape: "single"|"high_availability"|"multiconnect"|nil, status: string?, nodes: table?, errors: table?, meta: boolean?, entities: table?, fields: table? }
---  On-Premise: status of every node, in place of the usual; nodes: whole nodes by their name or a part of it;
---  errors: in place of `health`; meta = false: without `meta`. Cloud: status "AVAILABLE", "LIMITED" or
---  "BLOCKED" of the number; entities: fields of an entity by its type; fields: of the phone number
---@return true|nil
---@return waba.Error? err
function Handle:health(settings)
  option_check.check(settings, { shape = "string", status = "string", nodes = "table", errors = "table",
    meta = "boolean", entities = "table", fields = "table" }, "emulator:health")
  return self:ask("health", settings)
end

--- Restarts the WhatsApp client behind the gateway: for that long every request is answered with 502.
---@param seconds number  of the emulator's clock
---@return true|nil
---@return waba.Error? err
function Handle:restart(seconds) return self:ask("restart", { seconds = seconds }) end

local CHANGEABLE = { statuses = "table|false", recipient_id = "string", window = "boolean",
  review = "number|false", catalogs = "table", contact_check = "number", require_webhook = "boolean",
  strict_media = "boolean", max_media = "integer", webhooks = "table", media_block = "table|false", secret = "string" }

--- Changes options while it runs; what they mean stands in waba/emulator/options.lua.
---@param changed table
---@return true|nil
---@return waba.Error? err
function Handle:configure(changed)
  option_check.check(changed, CHANGEABLE, "emulator:configure")
  return self:ask("configure", changed)
end

return Handle
