-- What the check of a message says, as assertions.

local assert = require "luassert"
local schema = require "waba.schema"

local verdicts = {}

--- Two assertions about messages for one hosting.
---@param hosting string
---@return fun(message: any, mode: boolean|"documented"|nil, on: string?): waba.Error refusal  that a message
---  is refused as the caller's mistake (on another hosting); gives the error
---@return fun(message: any, mode: boolean|"documented"|nil, on: string?) passes
function verdicts.on(hosting)
  local function refusal(message, mode, on)
    local ok, err = schema.check(message, on or hosting, mode == nil and true or mode)
    assert.is_nil(ok)
    assert.are.equal("invalid", err.kind)
    assert.is_false(err.retryable)
    assert.is_false(err.maybe_sent)
    return err
  end

  local function passes(message, mode, on)
    local ok, err = schema.check(message, on or hosting, mode == nil and true or mode)
    assert.is_true(ok, err and tostring(err))
  end

  return refusal, passes
end

return verdicts
