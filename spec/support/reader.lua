-- A reader of the documentation, who pastes its code: the library as they have it, but the gateway is an emulator, files
-- lie in a folder of the test's, and a server that runs for ever ends when it has answered a customer.

local waba = require "waba"

local reader = {}

local CUSTOMER = "4915112345678"

-- `server:run()` until a customer's text was answered.
local function run_for_a_while(server, gateway)
  local emulator = gateway()
  local answered = #emulator:messages { direction = "outbound" } + 1
  emulator:customer(CUSTOMER):text "Hallo"
  local deadline = os.time() + 10
  repeat
    server:step(0.05)
  until #emulator:messages { direction = "outbound" } >= answered or os.time() > deadline
  server:close()
  assert(#emulator:messages { direction = "outbound" } >= answered, "nobody was answered")
  return true
end

-- A webhook server on a free port.
local function new_server(gateway)
  return function(given)
    given.port = 0
    local server = assert(waba.webhook.server(given))
    return setmetatable({ run = function() return run_for_a_while(server, gateway) end }, {
      __index = function(_, name)
        return function(_, ...) return server[name](server, ...) end
      end,
    })
  end
end

--- The names that a page's code finds: `require`, `waba`, `os`, `print`.
---@param emulator waba.Emulator
---@param folder table           spec/support/folder.lua
---@param printed string[]       gets what is printed
---@return table<string, any>
function reader.names(emulator, folder, printed)
  local gateway = emulator -- that of the client made last
  local webhook = setmetatable({ server = new_server(function() return gateway end) }, { __index = waba.webhook })
  local here = setmetatable({
    client = function(options)
      options = options or {}
      if options.base_url then return waba.client(options) end
      gateway = options.hosting == "cloud" and emulator.cloud or emulator
      local complete = emulator:options { hosting = options.hosting }
      for name, value in pairs(options) do
        if name ~= "api_key" then complete[name] = value end
      end
      return waba.client(complete)
    end,
    webhook = webhook,
    inbox = setmetatable({ sqlite = function(name) return waba.inbox.sqlite(folder:file(name)) end },
      { __index = waba.inbox }),
    outbox = setmetatable({ sqlite = function(options)
      options.file = folder:file(options.file)
      return waba.outbox.sqlite(options)
    end }, { __index = waba.outbox }),
  }, { __index = waba })
  local environment = { D360_API_KEY = emulator.api_key, WEBHOOK_PASSWORD = "secret-word" }
  return {
    waba = here,
    require = function(name) return name == "waba" and here or require(name) end,
    os = setmetatable({ getenv = function(name) return environment[name] end }, { __index = os }),
    print = function(...)
      local words = {}
      for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
      printed[#printed + 1] = table.concat(words, " ")
    end,
  }
end

local FILES = { csv = true, journal = true, jpg = true, json = true, jsonl = true, pdf = true }

--- Code whose files lie in a folder: "list.csv" becomes its path there.
---@param code string
---@param folder table
---@return string
function reader.with_files(code, folder)
  return (code:gsub('"([%w_]+%.%a+)"', function(name)
    return FILES[name:match "%.(%a+)$"] and ("%q"):format(folder:file(name)) or nil
  end))
end

return reader
