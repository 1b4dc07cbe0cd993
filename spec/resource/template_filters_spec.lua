-- The filters of client.templates with a gateway that ignores them: the client removes the templates that do not match.

local scripted_transport = require "spec.support.scripted_transport"

local BODY = [[{"data":[
  {"id":"1","name":"a","language":"en_US","status":"APPROVED","category":"UTILITY"},
  {"id":"2","name":"a","language":"de","status":"REJECTED","category":"MARKETING"},
  {"id":"3","name":"b","language":"de","status":"APPROVED","category":"MARKETING"},
  {"id":"4","name":"c"}]}]]

-- Returns the ids of the templates that `list` returns, and asserts that `each` returns the same templates.
local function ids(options)
  local client = scripted_transport.cloud_client { { body = BODY }, { body = BODY } }
  local page, listed, iterated = assert(client.templates:list(options)), {}, {}
  for index, template in ipairs(page.templates) do listed[index] = template.id end
  for template in client.templates:each(options) do iterated[#iterated + 1] = template.id end
  assert.same(listed, iterated)
  return table.concat(listed)
end

describe("a filter of templates", function()
  it("keeps the templates that match the filter, in upper or lower case", function()
    assert.equal("1234", ids {})
    assert.equal("1234", ids())
    assert.equal("1234", ids { limit = 4 })
    assert.equal("13", ids { status = "approved" })
    assert.equal("2", ids { status = "Rejected" })
    assert.equal("23", ids { category = "MARKETING" })
    assert.equal("1", ids { category = "utility" })
    assert.equal("23", ids { language = "DE" })
    assert.equal("1", ids { language = "en-us" })
    assert.equal("", ids { language = "en" })
  end)

  it("is combined with the other filters", function()
    assert.equal("3", ids { status = "APPROVED", category = "MARKETING" })
    assert.equal("3", ids { status = "APPROVED", language = "de" })
    assert.equal("2", ids { status = "REJECTED", category = "MARKETING", language = "de" })
    assert.equal("", ids { status = "REJECTED", category = "UTILITY" })
  end)

  it("keeps a template without the field only if the field was not requested", function()
    assert.equal("134", ids { status = "APPROVED", fields = "name" })
    assert.equal("234", ids { language = "de", fields = { "name", "language" } })
    assert.equal("23", ids { language = "de" })
  end)
end)

describe("client.templates:namespace", function()
  it("is the namespace of the first template with a namespace, and needs one request", function()
    local client, transport = scripted_transport.client {
      { body = '{"waba_templates":[{"name":"a"},{"name":"b","namespace":""},{"name":"c","namespace":"n1"},'
        .. '{"name":"d","namespace":"n2"}]}' },
    }
    assert.equal("n1", client.templates:namespace())
    assert.equal("n1", client.templates:namespace())
    assert.equal(1, #transport.requests)
  end)

  it("is not found if no template has a namespace", function()
    for _, body in ipairs { '{"waba_templates":[]}', '{"waba_templates":[{"name":"a","namespace":1}]}' } do
      local client = scripted_transport.client { { body = body } }
      local namespace, err = client.templates:namespace()
      assert.is_nil(namespace)
      assert.equal("not_found", err.kind)
    end
  end)
end)

describe("client.templates raises an error for", function()
  it("a position, a limit and cursors that no list has", function()
    local client = scripted_transport.client {}
    local cloud = scripted_transport.cloud_client {}
    assert.error_matches(function() client.templates:list { offset = -1 } end, "option offset must be at least 0, not %-1")
    for _, name in ipairs { "list", "each" } do
      assert.error_matches(function() client.templates[name](client.templates, { limit = 0 }) end, "option limit must be at least 1")
    end
    assert.error_matches(function() cloud.templates:list { after = "a", before = "b" } end, "can't be combined")
  end)

  it("a name that is empty, and for an edit of nothing", function()
    local client = scripted_transport.cloud_client {}
    for _, name in ipairs { "", 1, false } do
      assert.error_matches(function() client.templates:delete(name) end, "the name must be a string that is not empty")
      assert.error_matches(function() client.templates:definition(name, "en") end, "the name must be a string that is not empty")
      assert.error_matches(function() client.templates:definition("a", name) end, "the language must be a string")
      assert.error_matches(function() client.templates:keep(name) end, "the folder must be a string that is not empty")
    end
    assert.error_matches(function() client.templates:edit("1", {}) end, "at least one field is needed")
    assert.error_matches(function() client.templates:fill("a", "en", "x") end, "the values must be a table, not a string")
    for _, method in ipairs { "archive", "unarchive", "delete_ids" } do
      assert.error_matches(function() client.templates[method](client.templates, "1") end, "the ids must be a list, not a string")
    end
  end)
end)
