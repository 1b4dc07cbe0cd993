-- Methods of Cloud resources with random arguments and random responses: they return a value, or nil and an error that
-- names the invalid field.

local random = require "spec.support.random"
local cloud_templates = require "spec.support.cloud_templates"
local core = require "waba.core"
local errors = require "waba.errors"
local scripted_transport = require "spec.support.scripted_transport"

local SEED = 20261124

-- Values of wrong types.
local function strange(rng)
  return random.pick(rng, {
    "", " ", "{{1}}", "{{}}", "{{a}} x {{1}}", "{{1}}{{2}}", "x {{1", "}}", ("ä"):rep(1100), "\255", "https://x", 0, -1,
    1.5, 1e300, true, false, {}, { {} }, { a = {} }, { "x", "y" }, { type = "BODY" }, "HEADER", "URL", "SPM", "PRODUCT",
    core.null,
  })
end

-- Replaces or removes a value in a tree.
local function disturb(rng, tree)
  local node = tree
  for _ = 1, rng(1, 8) do
    local keys = {}
    for key in pairs(node) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    if #keys == 0 then
      node.x = strange(rng)
      return tree
    end
    local key = random.pick(rng, keys)
    if type(node[key]) ~= "table" or rng(1, 4) == 1 then
      if rng(1, 3) == 1 then node[key] = nil else node[key] = strange(rng) end
      return tree
    end
    node = node[key]
  end
  node[rng(1, 2) == 1 and 1 or "y"] = strange(rng)
  return tree
end

local function is_outcome(result, err) return (result == nil) == errors.is_error(err) end

it("templates are created or refused with a reason, for any content", function()
  local rng = random.rng(SEED)
  local names, refused, passed = cloud_templates.names(), 0, 0
  for i = 1, 600 do
    local template = cloud_templates.new(random.pick(rng, names))
    local mode = random.pick(rng, { true, "documented" })
    for _ = 1, rng(1, 3) do
      -- Only these tables are changed, because other arguments of a wrong Lua type raise an error.
      disturb(rng, template.components or template.library_template_button_inputs)
    end
    local client = scripted_transport.client({ { body = '{"id":"1"}' }, { body = "{}" } },
      { hosting = "cloud", validate = mode, retry = false })
    local fine, created, err = pcall(client.templates.create, client.templates, template)
    local what = ("seed %d, turn %d: "):format(SEED, i)
    assert.is_true(fine, what .. tostring(created))
    assert.is_true(is_outcome(created, err), what)
    if err then
      refused = refused + 1
      assert.equal("invalid", err.kind, what .. tostring(err))
      assert.equal("string", type(err.path), what .. tostring(err))
    else
      passed = passed + 1
    end
    fine, created, err = pcall(client.templates.edit, client.templates, "1", { components = template.components or {} })
    assert.is_true(fine, what .. tostring(created))
    assert.is_true(is_outcome(created, err), what)
  end
  assert.is_true(refused > 100)
  assert.is_true(passed > 15)
end)

it("responses are read or refused, for any content", function()
  local rng = random.rng(SEED)
  local item = {
    id = "1", name = "a", language = "de", status = "APPROVED", components = { { type = "BODY" } }, wa_id = "1",
    about = "x", websites = { "https://a.example" }, profile_picture_url = "https://127.0.0.1:1/x", code = "A7",
    prompts = { "x" }, commands = { { command_name = "x", command_description = "y" } }, is_cart_enabled = true,
    block_users = { { wa_id = "1" } },
  }
  local whole = {
    data = { item, item }, paging = { cursors = { after = "A", before = "B" } }, url = "https://a.example", id = "1",
    headers = { A = "1" }, enabled = true, destinations = { { name = "a", url = "x", headers = {} } }, code = "A7",
    block_users = { added_users = { item }, failed_users = { { wa_id = "1", errors = { { code = 1 } } } } },
    archived_templates = { "1" }, failed_templates = { ["2"] = "x" }, conversational_automation = item,
    h = "4:x", success = true,
  }
  local calls = {
    function(c) return c.templates:list { status = "approved" } end, function(c) return c.templates:get "1" end,
    function(c) return c.templates:create(cloud_templates.new "full") end,
    function(c) return c.templates:archive { "1" } end, function(c) return c.templates:unarchive { "1" } end,
    function(c) return c.templates:library() end, function(c) return c.templates:compare("1", "2") end,
    function(c) return c.templates:delete "a" end, function(c)
      local template, err = c.templates:each()()
      return template or nil, err
    end,
    function(c) return c.profile:about() end, function(c) return c.profile:business() end,
    function(c) return c.profile:photo { link = true } end, function(c) return c.webhook:get() end,
    function(c) return c.webhook:account() end, function(c) return c.webhook:destinations() end,
    function(c) return c.webhook:set { url = "https://a.example" } end,
    function(c) return c.block_list:list() end, function(c) return c.block_list:block { "+4915112345678" } end,
    function(c) return c.conversational_automation:get() end, function(c) return c.commerce_settings:get() end,
    function(c) return c.qr_codes:list() end, function(c) return c.qr_codes:get "A7" end,
    function(c) return c.qr_codes:create { prefilled_message = "x" } end,
  }
  local text = core.encode(whole)
  for i = 1, 40 do
    local response = core.decode(text)
    for _ = 1, rng(1, 4) do disturb(rng, response) end
    local body = core.encode(response) or text
    local status = random.pick(rng, { 200, 200, 200, 206, 400, 404 })
    for j, call in ipairs(calls) do
      local client = scripted_transport.cloud_client({ { status = status, body = body } })
      local fine, result, err = pcall(call, client)
      local what = ("seed %d, turn %d, call %d: %s: "):format(SEED, i, j, body)
      assert.is_true(fine, what .. tostring(result))
      assert.is_true(is_outcome(result, err) or result == nil and err == nil and j == 9, what)
    end
  end
end)
