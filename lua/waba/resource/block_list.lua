-- Blocks users of WhatsApp: /block_users (Cloud hosting only; cloud.md, section 8.4). A blocked user and the business
-- number can't send messages to each other.

local hosting = require "waba.hosting"
local values = require "waba.hosting.values"
local errors = require "waba.errors"
local identifiers = require "waba.resource.identifiers"
local pages = require "waba.resource.pages"
local recipient = require "waba.recipient"

---@class waba.BlockListResource
---@field list fun(self: waba.BlockListResource, options: waba.PageOptions?): { users: waba.BlockedUser[], after: string?, before: string? }|nil, waba.Error?  Returns one page of the list: GET /block_users; `after` is nil on the last page
---@field each fun(self: waba.BlockListResource, options: waba.EachOptions?): (fun(): waba.BlockedUser|false|nil, waba.Error?)  Iterates
---                       over all users, page after page. Reports an error as client.templates:each does
local BlockList = {}

local MOST = 1000 -- users in one call

--- A user in the block list, or in the result of `block` and `unblock`.
---@class waba.BlockedUser
---@field input string|nil    the user as written in the request
---@field wa_id string|nil
---@field user_id string|nil  the business-scoped user id
---@field error waba.Error|nil  the reason why the user could not be blocked or unblocked

local function read_user(item)
  item = values.object(item)
  return {
    input = values.some_text(item.input), wa_id = values.some_text(item.wa_id),
    user_id = values.some_text(item.user_id),
  }
end

-- A response item is a user, or an object with a list of users: the platform documents both forms.
local function add_users(users, item)
  local inner = values.dig(item, "block_users")
  for _, user in ipairs(type(inner) == "table" and inner or { item }) do users[#users + 1] = read_user(user) end
end

pages.add_methods(BlockList, "client.block_list", "users", pages.fetcher("list_blocked", "users", add_users))

local function encode_user(user, path)
  local address, form = recipient.read(user)
  if not address then return nil, errors.invalid(path, (form.message:gsub("^to ", path .. " "))) end
  if form == "group" then return nil, errors.invalid(path, path .. " is a group; only users can be blocked") end
  return form == "user" and { user_id = address } or { user = "+" .. address }
end

--- The result of `block` and `unblock`.
---@class waba.BlockResult
---@field users waba.BlockedUser[]   the users that were blocked or unblocked
---@field failed waba.BlockedUser[]  the users that could not be blocked or unblocked, each with an `error`

local function read_result(client, json, names)
  local block_users = values.object(values.dig(json, "block_users"))
  local result = { users = {} }
  for _, name in ipairs(names) do
    for _, item in ipairs(values.object(block_users[name])) do result.users[#result.users + 1] = read_user(item) end
  end
  result.failed = values.each(block_users.failed_users, function(item)
    local user = read_user(item)
    user.error = client.hosting.errors.from_row(values.dig(item, "errors.1"))
    return user
  end)
  return result
end

local function change(self, endpoint, users, what, names)
  if type(users) ~= "table" then error(what .. ": the users must be a list, not a " .. type(users), 3) end
  local client = self.client
  local supported, encoded, err
  supported, err = hosting.endpoint(client.hosting, endpoint)
  if not supported then return nil, err end
  encoded, err = identifiers.list(users, "users", MOST, encode_user)
  if not encoded then return nil, err end
  local json, response = client:call(endpoint, { json = { messaging_product = "whatsapp", block_users = encoded } })
  if json == nil then
    json = response.answer -- an error response can also list the users that were blocked or unblocked
    if type(values.dig(json, "block_users")) ~= "table" then return nil, response end
  end
  return read_result(client, json, names)
end

--- Blocks users: POST /block_users. Only users who have written in the last 24 hours can be blocked. If some users
--- can't be blocked, the others are blocked.
---@param users (string|integer|{ user_id: string })[]  phone numbers in international form, wa_ids or
---        business-scoped user ids; at most 1000; the block list can have 64,000 users
---@return waba.BlockResult|nil
---@return waba.Error? err  if no user was changed
function BlockList:block(users)
  local result, err = change(self, "block_users", users, "client.block_list:block", { "added_users" })
  return result, err
end

--- Unblocks users: DELETE /block_users.
---@param users (string|integer|{ user_id: string })[]  as in `block`
---@return waba.BlockResult|nil
---@return waba.Error? err  if no user was changed
function BlockList:unblock(users)
  -- the platform's example of a response has the removed users in the field added_users
  local result, err = change(self, "unblock_users", users, "client.block_list:unblock",
    { "removed_users", "added_users" })
  return result, err
end

return BlockList
