-- The responses of both gateways: those of the WhatsApp client with `errors` (on-premise.md, section 12), those of the
-- Graph API with `error` or pages of lists (cloud.md, sections 5.1 and 6), and those of 360dialog itself with `meta`.

local codes = require "waba.emulator.codes"
local encoding = require "waba.encoding"
local json = require "waba.emulator.json"
local random = require "waba.emulator.random"

-- The functions of both hostings.
local Responses = {}

-- Adds the functions of both hostings to the table of a hosting. The added functions are called without `self`.
local function new(own)
  for name, method in pairs(Responses) do own[name] = function(...) return method(own, ...) end end
  return own
end

function Responses:json(status, value)
  return { status = status, headers = { ["content-type"] = self.content_type }, body = json.encode(value) }
end

--- Returns `title`, or by default the title of an error code.
function Responses:title(code, title)
  local known = self.codes[code]
  return title or known and known.title or "Unknown error"
end

--- Returns the error code for a name; and `status`, or by default the HTTP status of responses with this code.
function Responses:number(code, status)
  local known = self.codes[code]
  return known and known.code or code, status or known and known.status or 400
end

--- Returns the response that a command of `fail_next` describes, or nil. `rows` are the error objects; `version` is the
--- version of the WhatsApp client.
function Responses:commanded(command, rows, version)
  local response
  if command.body then
    response = { status = command.status or 500, body = command.body, headers = {} }
  elseif command.developer_message then
    response = self.meta(command.status or 400, command.developer_message, command.details)
  elseif rows then
    response = self.errors(rows, select(2, self.number(rows[1].code or 0, command.status)), version)
  elseif command.status then
    response = self.meta(command.status, "Failure set by fail_next")
  end
  for name, value in pairs(response and command.headers or {}) do response.headers[name:lower()] = tostring(value) end
  return response
end

-- On-Premise --------------------------------------------------------------------------------------

local on_premise = new({ codes = codes.on_premise, content_type = "application/json" })

function on_premise.row(code, details, title)
  return { code = on_premise.number(code), title = on_premise.title(code, title), details = details,
    href = "https://developers.facebook.com/docs/whatsapp/api/errors/" }
end

--- Creates an error response of the WhatsApp client. `rows` are the error objects in the response.
function on_premise.errors(rows, status, version)
  return on_premise.json(status, { errors = rows, meta = { api_status = "stable", version = version } })
end

--- Creates an error response of 360dialog's gateway.
function on_premise.meta(status, message, details)
  return on_premise.json(status, {
    meta = { success = false, http_code = status, developer_message = message, details = details } })
end

function on_premise.invalid(messages, status) return on_premise.meta(status or 400, "Validation error", messages) end

-- Cloud -------------------------------------------------------------------------------------------

local cloud = new({ codes = codes.cloud, content_type = "application/json; charset=UTF-8" })

--- Creates the error object of a webhook.
function cloud.row(code, details, title)
  title = cloud.title(code, title)
  return { code = cloud.number(code), title = title, message = title, error_data = { details = details or title },
    href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/" }
end

-- Creates an error response of the Graph API, and adds the fields that all error objects have.
local function graph_response(status, object)
  object.type = object.type or "OAuthException"
  object.fbtrace_id = object.fbtrace_id or "A" .. random.letters(22)
  return cloud.json(status, { error = object })
end

local function message_of(code, title) return ("(#%d) %s"):format(code, title) end

local function data_of(details) return details and { messaging_product = "whatsapp", details = details } or nil end

--- Creates an error response of the Graph API. `more` has further fields of the error object, such as error_subcode.
function cloud.error(code, details, more, status)
  local number
  number, status = cloud.number(code, status)
  local object = { code = number, message = message_of(number, cloud.title(code)), error_data = data_of(details) }
  for name, value in pairs(more or {}) do object[name] = value end
  return graph_response(status, object)
end

--- Creates an error response of the Graph API with the first of `rows`, which are error objects as in webhooks or
--- responses.
function cloud.errors(rows, status)
  local object = {}
  for name, value in pairs(rows[1]) do object[name] = value end
  local title, details = object.title, object.error_data and object.error_data.details
  if title then
    object.message, object.title, object.href = message_of(object.code, title), nil, nil
    object.error_data = details ~= title and data_of(details) or nil
  end
  return graph_response(status, object)
end

function cloud.no_such_field(name)
  return cloud.error("invalid_parameter", ("Tried accessing nonexisting field (%s)"):format(name))
end

--- Iterates over the names in the query parameter `fields`.
function cloud.fields(request, default) return (request.query.fields or default):gmatch("[^,%s]+") end

--- Creates an error response of 360dialog's gateway.
function cloud.meta(status, message)
  return cloud.json(status, { meta = { httpCode = status, developerMessage = message, success = false } })
end

function cloud.invalid(messages, status) return cloud.meta(status or 400, table.concat(messages, "; ")) end

function cloud.success() return cloud.json(200, { success = true }) end

-- Pages of lists (Cloud) --------------------------------------------------------------------------

-- Returns the cursor for the position of an entry in its list.
local function cursor_of(place) return ("QVFIU%08dZDc="):format(place) end

-- Returns the position in a cursor; nil if the cursor is invalid for a list of `count` entries.
local function place_of(cursor, count)
  local place = tonumber(cursor:match("^QVFIU(%d+)ZDc=$"))
  return place and place <= count + 1 and place or nil
end

--- Creates the response with a page of a list, of at most `most` entries. The request may have the query parameters
--- limit, after and before.
function cloud.page(gateway, request, list, most)
  local query = request.query
  local limit = tonumber((query.limit or "25"):match("^0*[1-9]%d*$"))
  if not limit then return cloud.error("invalid_parameter", "limit must be a positive integer") end
  limit = math.min(limit, most)
  local first, cursor = 1, query.after or query.before
  if cursor and cursor ~= "" then
    local place = place_of(cursor, #list)
    if not place then
      return cloud.error("cursor_invalid", "the cursor is not valid: expected a cursor of an earlier page")
    end
    first = query.after and place + 1 or math.max(1, place - limit)
    limit = query.after and limit or math.min(limit, place - first)
  end
  local page, paging = {}, nil
  for i = first, math.min(#list, first + limit - 1) do page[#page + 1] = list[i] end
  local function link(name, from)
    return ("https://graph.facebook.com/v23.0/%s%s?limit=%d&%s=%s"):format(gateway.options.waba_id, request.path, limit,
      name, encoding.percent(from))
  end
  if #page > 0 then
    local before, after = cursor_of(first), cursor_of(first + #page - 1)
    paging = { cursors = { before = before, after = after },
      next = first + #page - 1 < #list and link("after", after) or nil,
      previous = first > 1 and link("before", before) or nil }
  end
  return cloud.json(200, { data = json.array(page), paging = paging })
end

return { on_premise = on_premise, cloud = cloud }
