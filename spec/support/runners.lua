-- For each event loop, a function that runs several functions concurrently and returns when all have returned.

local runners = {}

function runners.blocking(functions)
  for _, fn in ipairs(functions) do fn() end
end

function runners.native(functions)
  require("waba").run(function()
    for _, fn in ipairs(functions) do require("waba").spawn(fn) end
  end)
end

function runners.cqueues(functions)
  local controller = require("cqueues").new()
  for _, fn in ipairs(functions) do controller:wrap(fn) end
  assert(controller:loop())
end

function runners.luv(functions)
  local uv = require "luv"
  for _, fn in ipairs(functions) do coroutine.wrap(fn)() end
  uv.run()
end

function runners.copas(functions)
  local copas, left = require "copas", #functions
  for _, fn in ipairs(functions) do
    copas.addthread(function()
      fn()
      left = left - 1
    end)
  end
  while left > 0 do copas.step() end
end

return runners
