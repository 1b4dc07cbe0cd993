-- Pages of a list with cursors, as the Graph API gives them (cloud.md, section 5.1).

local core = require "waba.core"

local answers = require "waba.emulator.cloud.answers"
local json = require "waba.emulator.json"

local pages = {}

local USUAL = 25

-- A cursor names the place of an entry in its list; nobody outside can read it.
local function cursor_of(place) return ("QVFIU%08dZDc="):format(place) end

-- The place a cursor names, or nil.
local function place_of(cursor, count)
  local place = tonumber(cursor:match("^QVFIU(%d+)ZDc=$"))
  return place and place <= count + 1 and place or nil
end

local function read_limit(query, most)
  local text = query.limit
  if text == nil then return USUAL end
  local limit = text:find("^%d+$") and tonumber(text)
  return limit and limit >= 1 and math.min(limit, most) or nil
end

local function link(gateway, request, limit, name, cursor)
  return ("https://graph.facebook.com/v23.0/%s%s?limit=%d&%s=%s"):format(gateway.options.waba_id, request.path, limit,
    name, core.percent_encode(cursor))
end

--- A page of a list.
---@param gateway table
---@param request waba.emulator.Request  its query has limit, after, before
---@param list table[]
---@param options { most: integer }      of entries on a page
---@return waba.emulator.Answer
function pages.answer(gateway, request, list, options)
  local query = request.query
  local limit = read_limit(query, options.most)
  if not limit then return answers.error(100, "limit must be a positive integer") end
  local first = 1
  local given = query.after or query.before
  if given and given ~= "" then
    local place = place_of(given, #list)
    if not place then return answers.error(131059, "the cursor is not valid") end
    first = query.after and place + 1 or math.max(1, place - limit)
    limit = query.after and limit or math.min(limit, place - first)
  end
  local page = {}
  for i = first, math.min(#list, first + limit - 1) do page[#page + 1] = list[i] end
  local paging
  if #page > 0 then
    local before, after = cursor_of(first), cursor_of(first + #page - 1)
    paging = { cursors = { before = before, after = after },
      next = first + #page - 1 < #list and link(gateway, request, limit, "after", after) or nil,
      previous = first > 1 and link(gateway, request, limit, "before", before) or nil }
  end
  return answers.json(200, { data = json.array(page), paging = paging })
end

return pages
