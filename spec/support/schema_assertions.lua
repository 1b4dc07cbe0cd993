-- Assertions about the check of messages (lua/waba/schema).

local assert = require "luassert"
local schema = require "waba.schema"

local schema_assertions = {}

--- Returns two functions for one hosting: the first one asserts that the check refuses a message, the second one that
--- it accepts a message.
---@return fun(message: any, mode: boolean|"documented"|nil, on: string?): waba.Error refusal  returns the error;
---  `mode` is the parameter of schema.check, and `on` names another hosting
---@return fun(message: any, mode: boolean|"documented"|nil, on: string?) passes
function schema_assertions.on(hosting)
  local function refusal(message, mode, on)
    local ok, err = schema.check(message, on or hosting, mode)
    assert.is_nil(ok)
    assert.are.equal("invalid", err.kind)
    assert.is_false(err.retryable)
    assert.is_false(err.maybe_sent)
    return err
  end

  local function passes(message, mode, on)
    local ok, err = schema.check(message, on or hosting, mode)
    assert.is_true(ok, err and tostring(err))
  end

  return refusal, passes
end

return schema_assertions
