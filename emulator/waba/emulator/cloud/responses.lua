-- The responses of the Cloud gateway: the Graph API's errors and pages of lists, and 360dialog's own errors with `meta`
-- (cloud.md, sections 5.1 and 6).

local codes = require "waba.emulator.codes"
local core = require "waba.core"
local json = require "waba.emulator.json"
local random = require "waba.emulator.random"

local responses = { codes = codes.cloud, content_type = "application/json; charset=UTF-8",
  href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/" }

require("waba.emulator.responses").new(responses)

--- The error object of a webhook.
---@param code string|integer
---@param details? string
---@param title? string  in place of the table's
---@return table
function responses.row(code, details, title)
  title = responses.title(code, title)
  return { code = responses.number(code), title = title, message = title, error_data = { details = details or title },
    href = responses.href }
end

-- Makes a response with an error object. Adds the fields that all error objects have.
local function graph_response(status, object)
  object.type = object.type or "OAuthException"
  object.fbtrace_id = object.fbtrace_id or "A" .. random.letters(22)
  return responses.json(status, { error = object })
end

local function message_of(code, title) return ("(#%d) %s"):format(code, title) end

local function data_of(details) return details and { messaging_product = "whatsapp", details = details } or nil end

--- Returns an error response of the Graph API.
---@param code string|integer
---@param details? string
---@param more? table      further fields: error_subcode, error_user_title, error_user_msg, type, is_transient …
---@param status? integer  in place of the table's
---@return waba.emulator.Response
function responses.error(code, details, more, status)
  local number
  number, status = responses.number(code, status)
  local object = { code = number, message = message_of(number, responses.title(code)), error_data = data_of(details) }
  for name, value in pairs(more or {}) do object[name] = value end
  return graph_response(status, object)
end

--- An error for a field that an object does not have.
---@param name string
---@return waba.emulator.Response
function responses.no_such_field(name)
  return responses.error("invalid_parameter", ("Tried accessing nonexisting field (%s)"):format(name))
end

--- The names in the query parameter `fields`.
---@param request waba.emulator.Request
---@param default string
---@return fun(): string|nil
function responses.fields(request, default) return (request.query.fields or default):gmatch("[^,%s]+") end

--- An error response of 360dialog's gateway.
---@param status integer
---@param message string
---@return waba.emulator.Response
function responses.meta(status, message)
  return responses.json(status, { meta = { httpCode = status, developerMessage = message, success = false } })
end

--- The response to an invalid body.
---@param messages string[]
---@param status? integer
---@return waba.emulator.Response
function responses.invalid(messages, status) return responses.meta(status or 400, table.concat(messages, "; ")) end

---@return waba.emulator.Response
function responses.success() return responses.json(200, { success = true }) end

--- The response with the first of some error objects: as webhooks have them, or as responses have them already.
---@param rows table[]
---@param status integer
---@return waba.emulator.Response
function responses.errors(rows, status)
  local object = {}
  for name, value in pairs(rows[1]) do object[name] = value end
  local title, details = object.title, object.error_data and object.error_data.details
  if title then
    object.message, object.title, object.href = message_of(object.code, title), nil, nil
    object.error_data = details ~= title and data_of(details) or nil
  end
  return graph_response(status, object)
end

-- Pages -------------------------------------------------------------------------------------------

-- A cursor names the place of an entry in its list; only this server reads it.
local function cursor_of(place) return ("QVFIU%08dZDc="):format(place) end

-- The place a cursor names, or nil.
local function place_of(cursor, count)
  local place = tonumber(cursor:match("^QVFIU(%d+)ZDc=$"))
  return place and place <= count + 1 and place or nil
end

-- The entries of a page by default.
local USUAL = 25

local function read_limit(query, most)
  if query.limit == nil then return USUAL end
  local limit = query.limit:find("^%d+$") and tonumber(query.limit)
  return limit and limit >= 1 and math.min(limit, most) or nil
end

local function link(gateway, request, limit, name, cursor)
  return ("https://graph.facebook.com/v23.0/%s%s?limit=%d&%s=%s"):format(gateway.options.waba_id, request.path, limit,
    name, core.percent_encode(cursor))
end

--- Returns the response with one page of a list.
---@param gateway table
---@param request waba.emulator.Request  the request; its query may have limit, after, before
---@param list table[]
---@param most integer  entries on a page
---@return waba.emulator.Response
function responses.page(gateway, request, list, most)
  local query = request.query
  local limit = read_limit(query, most)
  if not limit then return responses.error("invalid_parameter", "limit must be a positive integer") end
  local first, given = 1, query.after or query.before
  if given and given ~= "" then
    local place = place_of(given, #list)
    if not place then return responses.error("cursor_invalid", "the cursor is not valid") end
    first = query.after and place + 1 or math.max(1, place - limit)
    limit = query.after and limit or math.min(limit, place - first)
  end
  local page, paging = {}, nil
  for i = first, math.min(#list, first + limit - 1) do page[#page + 1] = list[i] end
  if #page > 0 then
    local before, after = cursor_of(first), cursor_of(first + #page - 1)
    paging = { cursors = { before = before, after = after },
      next = first + #page - 1 < #list and link(gateway, request, limit, "after", after) or nil,
      previous = first > 1 and link(gateway, request, limit, "before", before) or nil }
  end
  return responses.json(200, { data = json.array(page), paging = paging })
end

return responses
