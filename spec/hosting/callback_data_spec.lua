-- The field biz_opaque_callback_data of a message from an outbox: the id of the entry, followed by the caller's own
-- text.

local callback_data = require "waba.hosting.callback_data"

local ID = ("0123456789abcdef"):rep(2):sub(1, 20)

describe("callback data", function()
  it("has the id of the entry and the text of the caller", function()
    for _, data in ipairs { "x", "a:b", "waba:x", "\nä" } do
      local text = callback_data.join(ID, data)
      assert.equal(callback_data.OVERHEAD, #text - #data)
      assert.same({ data, ID }, { callback_data.split(text) })
    end
    for _, data in ipairs { "", false } do
      local found, id = callback_data.split(callback_data.join(ID, data or nil))
      assert.is_nil(found)
      assert.equal(ID, id)
    end
  end)

  it("without the id of an entry is the text of the caller", function()
    for _, text in ipairs { "", "x", "waba", "waba:", "waba:" .. ID, "waba:" .. ID:sub(2) .. ":x", "waba:" .. ID .. "0:x",
      "wabb:" .. ID .. ":x", "waba:" .. ID:gsub("^.", "g") .. ":x" } do
      local data, id = callback_data.split(text)
      assert.equal(text, data)
      assert.is_nil(id)
    end
    assert.is_nil(callback_data.split(nil))
  end)
end)
