local core = require "waba.core"
local scripted_transport = require "spec.support.scripted_transport"

local cloud = scripted_transport.cloud_client

local MIXED = '{"messaging_product":"whatsapp","block_users":{"added_users":[{"input":"+4915112345678",'
  .. '"wa_id":"4915112345678"}],"failed_users":[{"input":"+4915112345679","wa_id":"4915112345679","errors":'
  .. '[{"message":"Re-engagement message","code":131047,"error_data":{"details":"not in the last 24 hours"}}]}]},'
  .. '"error":{"message":"(#139100) Failed to block some users","type":"OAuthException","code":139100}}'

describe("client.block_list", function()
  it("blocks users by any of their names", function()
    local client, transport = cloud {
      { body = '{"block_users":{"added_users":[{"input":"+4915112345678","wa_id":"4915112345678"}]}}' },
    }
    local result = assert(client.block_list:block {
      "+49 151 1234 5678", 4915112345679, "DE.1349", { user_id = "DE.ENT.1181" },
    })
    assert.same({ users = { { input = "+4915112345678", wa_id = "4915112345678" } }, failed = {} }, result)
    assert.equal("POST", transport.requests[1].method)
    assert.equal("https://waba-v2.360dialog.io/block_users", transport.requests[1].url)
    assert.same({
      messaging_product = "whatsapp",
      block_users = {
        { user = "+4915112345678" }, { user = "+4915112345679" }, { user_id = "DE.1349" }, { user_id = "DE.ENT.1181" },
      },
    }, core.decode(transport.requests[1].body))
  end)

  it("unblocks users with a body that lists them", function()
    local client, transport = cloud {
      { body = '{"block_users":{"removed_users":[{"wa_id":"4915112345678"}]}}' },
      { body = '{"block_users":{"added_users":[{"wa_id":4915112345678}]}}' },
    }
    for i = 1, 2 do
      assert.same({ users = { { wa_id = "4915112345678" } }, failed = {} }, client.block_list:unblock { "+4915112345678" })
      assert.equal("DELETE", transport.requests[i].method)
      assert.same({ { user = "+4915112345678" } }, core.decode(transport.requests[i].body).block_users)
    end
  end)

  it("reports each failed user, with any status", function()
    for _, status in ipairs { 400, 206, 200 } do
      local client = cloud { { status = status, body = MIXED } }
      local result, err = client.block_list:block { "+4915112345678", "+4915112345679" }
      assert.is_truthy(result, tostring(err))
      assert.same({ { input = "+4915112345678", wa_id = "4915112345678" } }, result.users)
      assert.equal(1, #result.failed)
      assert.equal("4915112345679", result.failed[1].wa_id)
      assert.equal("window", result.failed[1].error.kind)
      assert.equal(131047, result.failed[1].error.code)
    end
  end)

  it("returns an error if no user was changed", function()
    local client = cloud {
      { status = 400, body = '{"error":{"message":"(#139101) Blocklist limit reached","code":139101}}' },
      { status = 502, body = "<html>Bad Gateway</html>" },
    }
    local result, err = client.block_list:block { "+4915112345678" }
    assert.is_nil(result)
    assert.equal(139101, err.code)
    assert.equal("unavailable", select(2, client.block_list:unblock { "+4915112345678" }).kind)
  end)

  it("refuses invalid users, and more than a thousand, before anything is sent", function()
    local client, transport = cloud { { body = "{}" } }
    local many = {}
    for i = 1, 1000 do many[i] = 4915100000000 + i end
    assert.same({ users = {}, failed = {} }, client.block_list:block(many))
    many[1001] = 4915100001001
    local result, err = client.block_list:block(many)
    assert.is_nil(result)
    assert.equal("users has 1001 elements; at most 1000 are allowed", err.message)
    assert.equal("users", select(2, client.block_list:block {}).path)
    assert.equal("users[2]", select(2, client.block_list:block { "+4915112345678", "0151 1" }).path)
    assert.equal("users[1]", select(2, client.block_list:unblock { { group_id = "Y2Fw" } }).path)
    assert.equal(1, #transport.requests)
    assert.error_matches(function() client.block_list:block "+4915112345678" end, "must be a list")
  end)

  it("lists users in both forms of the documents, page after page", function()
    local client, transport = cloud {
      { body = '{"data":[{"block_users":[{"input":"+4915112345678","wa_id":"4915112345678"},{"wa_id":"1"}]}],'
        .. '"paging":{"cursors":{"after":"A"},"next":"x"}}' },
      { body = '{"data":[{"messaging_product":"whatsapp","wa_id":"2"},{"user_id":"DE.1"}],"paging":{"cursors":{"after":"B"}}}' },
      { body = '{"data":[]}' }, { body = "{}" },
    }
    local found = {}
    for user in client.block_list:each { limit = 2 } do found[#found + 1] = user.wa_id or user.user_id end
    assert.same({ "4915112345678", "1", "2", "DE.1" }, found)
    assert.equal("https://waba-v2.360dialog.io/block_users?after=A&limit=2", transport.requests[2].url)
    assert.same({ users = {} }, client.block_list:list { before = "A" })
    assert.equal("https://waba-v2.360dialog.io/block_users?before=A", transport.requests[3].url)
    assert.equal("protocol", select(2, client.block_list:list()).kind)
    assert.error_matches(function() client.block_list:list { limit = 0 } end, "limit must be at least 1")
    assert.error_matches(function() client.block_list:each { after = "x" } end, "unknown option after")
  end)

  it("is refused on On-Premise hosting", function()
    local client, transport = scripted_transport.client {}
    local refusals = {
      select(2, client.block_list:list()), select(2, client.block_list:block { "1" }),
      select(2, client.block_list:unblock { "1" }),
    }
    for user, err in client.block_list:each() do
      assert.is_false(user)
      refusals[#refusals + 1] = err
    end
    assert.equal(4, #refusals)
    for _, err in ipairs(refusals) do
      assert.equal("invalid", err.kind)
      assert.truthy(err.message:find("Cloud hosting only", 1, true))
    end
    assert.equal(0, #transport.requests)
  end)
end)
