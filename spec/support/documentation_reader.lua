-- Runs the Lua code of the documentation. An emulator is the gateway, files are in a temporary folder, and a server
-- that would run forever ends after it has replied to a customer.

local waba = require "waba"

local documentation_reader = {}

local CUSTOMER = "4915112345678"

-- Runs the server until it has replied to a customer's text.
local function run_for_a_while(server, gateway)
  local emulator = gateway()
  local answered = #emulator:messages { direction = "outbound" } + 1
  emulator:customer(CUSTOMER):text "Hallo"
  local deadline = os.time() + 10
  repeat
    server:step(0.05)
  until #emulator:messages { direction = "outbound" } >= answered or os.time() > deadline
  server:close()
  assert(#emulator:messages { direction = "outbound" } >= answered, "the bot did not reply")
  return true
end

-- Returns a constructor of webhook servers on a free port.
local function new_server(gateway)
  return function(server_options)
    server_options.port = 0
    local server = assert(waba.webhook.server(server_options))
    return setmetatable({ run = function() return run_for_a_while(server, gateway) end }, {
      __index = function(_, name)
        return function(_, ...) return server[name](server, ...) end
      end,
    })
  end
end

--- Returns the globals for the code of a page: changed `require`, `waba`, `os` and `print`.
---@param folder table           a folder of spec/support/folder.lua
---@param printed string[]       receives the printed lines
function documentation_reader.names(emulator, folder, printed)
  local gateway = emulator -- the gateway of the client that was made last
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

--- Returns the code with the names of files, such as "list.csv", replaced by paths in a folder.
function documentation_reader.with_files(code, folder)
  return (code:gsub('"([%w_]+%.%a+)"', function(name)
    return FILES[name:match "%.(%a+)$"] and ("%q"):format(folder:file(name)) or nil
  end))
end

return documentation_reader
