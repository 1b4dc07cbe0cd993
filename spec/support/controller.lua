-- Runs a test in a cqueues controller, in which the servers of the test run too.

local cqueues = require "cqueues"

local controller = {}

--- Runs `test(argument)` as a coroutine of the controller until it returns. Raises the error of the test, or an error
--- after 20 seconds.
---@param cq userdata
---@param protect fun(test: function, argument: any): boolean, any  a `pcall` across which coroutines can yield
---@param finish fun()  called before an error is raised
function controller.run(cq, protect, test, argument, finish)
  local failure, finished = nil, false
  cq:wrap(function()
    local ok, message = protect(test, argument)
    failure, finished = not ok and message or nil, true
  end)
  local deadline = cqueues.monotime() + 20
  while not finished do
    assert(cq:step(0.1))
    assert(cqueues.monotime() < deadline, "the test did not end in time")
  end
  finish()
  if failure then error(failure, 0) end
end

return controller
