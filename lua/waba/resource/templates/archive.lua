-- Methods of client.templates that archive, restore and delete templates by their ids (Cloud hosting only).

local core = require "waba.core"
local outcome = require "waba.resource.outcome"
local values = require "waba.hosting.values"
local identifiers = require "waba.resource.identifiers"

local archive = {}

local function read_ids(ids, what, level)
  if type(ids) ~= "table" then error(what .. ": the ids must be a list, not a " .. type(ids), level) end
  return identifiers.list(ids, "ids", 100)
end

--- The result of `archive` and `unarchive`.
---@class waba.ArchivedTemplates
---@field succeeded string[]            ids
---@field failed table<string, string>  the reasons of the platform, by the ids of the templates that failed

local function reason_of(value, id)
  if type(value) == "table" then value = values.dig(value, "error") or values.dig(value, "message") end
  if type(value) == "table" then value = values.dig(value, "message") end
  local reason = values.some_text(value)
  return reason and reason ~= id and reason or "the platform's error has no text"
end

-- Reads the platform's response, { archived_templates = { id, … }, failed_templates = { [id] = reason } }, or the
-- response of some gateways, { succeeded = { id, … }, failed = { id, … } }. `done` is the name of the list of
-- successful ids in the platform's response, here "archived_templates".
local function read(json, done)
  local succeeded = values.dig(json, done) or values.dig(json, "succeeded")
  local failed = values.dig(json, "failed_templates") or values.dig(json, "failed")
  local result = { failed = {} }
  result.succeeded = values.each(succeeded, function(item) return values.some_text(values.dig(item, "id") or item) end)
  for key, value in pairs(values.object(failed)) do
    local id, reason = key, value
    if type(key) == "number" then id, reason = values.dig(value, "id") or value, value end
    id = values.some_text(id)
    if id then result.failed[id] = reason_of(reason, id) end
  end
  return result
end

local function move(self, endpoint, ids, what, done)
  local list, err = read_ids(ids, what, 4)
  if not list then return nil, err end
  return outcome.fetch(self.client, endpoint, { json = { hsm_ids = list } }, function(json) return read(json, done) end)
end

--- Archives templates: POST /message_templates/archive. Only approved and rejected templates can be archived.
--- An archived template can't be sent, and is deleted after 28 days.
---@param ids (string|integer)[]  at most 100
---@return waba.ArchivedTemplates|nil
---@return waba.Error? err
function archive:archive(ids)
  local result, err = move(self, "archive_templates", ids, "client.templates:archive", "archived_templates")
  return result, err
end

--- Restores archived templates: POST /message_templates/unarchive.
---@param ids (string|integer)[]  at most 100
---@return waba.ArchivedTemplates|nil
---@return waba.Error? err
function archive:unarchive(ids)
  local result, err = move(self, "unarchive_templates", ids, "client.templates:unarchive", "unarchived_templates")
  return result, err
end

--- Deletes templates by their ids: DELETE /message_templates?hsm_ids=…
---@param ids (string|integer)[]  at most 100
---@return true|nil
---@return waba.Error? err
function archive:delete_ids(ids)
  local list, err = read_ids(ids, "client.templates:delete_ids", 3)
  if not list then return nil, err end
  return outcome.success(self.client:call("delete_templates", { query = { hsm_ids = core.encode(list) } }))
end

return archive
