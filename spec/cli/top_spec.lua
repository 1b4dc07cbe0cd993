-- waba top: the figures of an inbox and an outbox, once or on a live screen.

local command = require "spec.support.command"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local quote = process.quote

local function message(id, from)
  return { kind = "message", hosting = "on_premise", id = id, from = from, type = "text", text = "secret " .. id, raw = {} }
end

-- Stores three events of customer 1 and one event each of customers 2, 3 and 4. One event becomes a dead letter, one
-- event waits for a retry, and one event is taken.
local function fill(box)
  assert(box:put { message("a", "1"), message("b", "2"), message("c", "3"), message("d", "4"), message("e", "1"),
    message("f", "1") })
  local taken = assert(box:take(3))
  local by_id = {}
  for _, event in ipairs(taken) do by_id[event.id] = event end
  assert(by_id.a and by_id.b and by_id.c)
  assert(box:fail(by_id.b, "no network\27[31m\nforged line", true) == false)
  assert(box:fail(by_id.a, "no room"))
end

-- Puts one entry that is due, and one entry for tomorrow.
local function fill_outbox(outbox)
  assert(outbox:put { to = "4915112345601", message = waba.text "secret text", campaign = "spring" })
  assert(outbox:put { to = "4915112345602", message = waba.text "secret text", at = os.time() + 86400 })
end

-- `waba top` on a pseudo-terminal. The spec types keys and reads the screen.
local Terminal = {}
Terminal.__index = Terminal

local function terminal(folder, arguments, columns, rows)
  local keys = folder:file "keys"
  process.run("mkfifo " .. quote(keys))
  local inside = ("stty cols %d rows %d; tty; stty -g; sh -c %s; echo code=$?; stty -g"):format(columns, rows,
    quote("echo pid=$$; exec " .. command.line({ TERM = "xterm" }, arguments)))
  local program = process.start(("script -qefc %s /dev/null <%s"):format(quote(inside), quote(keys)), folder:file "log")
  local pipe = assert(io.open(keys, "w"))
  pipe:setvbuf "no"
  return setmetatable({ program = program, keys = pipe }, Terminal)
end

-- Waits until the output of the terminal matches a pattern, and returns the match. Colours are removed.
function Terminal:shows(pattern)
  return process.wait_for(function()
    return self:output():gsub("\27%[%d*m", ""):match(pattern)
  end, pattern)
end

function Terminal:output() return (self.program:output():gsub("\r", "")) end

function Terminal:size(columns, rows)
  process.run(("stty -F %s cols %d rows %d"):format(quote(self:shows "^(/dev/[%w/]+)\n"), columns, rows))
end

function Terminal:type(keys) self.keys:write(keys) end

function Terminal:pid() return self:shows "\npid=(%d+)\n" end

function Terminal:close()
  self.keys:close()
  if self.program:is_alive() then self.program:stop "KILL" end
end

for _, backend in ipairs { "sqlite", "redis" } do
  describe("waba top with " .. backend, function()
    local folder, server, box, outbox, place

    before_each(function()
      folder = process.folder()
      if backend == "sqlite" then
        place = { "--sqlite", folder:file "inbox.db", "--outbox", folder:file "outbox.db" }
        box = waba.inbox.sqlite { file = folder:file "inbox.db", sync = false }
        outbox = waba.outbox.sqlite { file = folder:file "outbox.db", sync = false }
      else
        server = redis.start()
        place = { "--redis", "redis://127.0.0.1:" .. server.port }
        box = waba.inbox.redis { port = server.port }
        outbox = waba.outbox.redis { port = server.port }
      end
      fill(box)
      fill_outbox(outbox)
    end)

    after_each(function()
      box:close()
      outbox:close()
      if server then server:stop() end
      server = nil
      folder:remove()
    end)

    local function arguments(more)
      local words = { "top" }
      for _, list in ipairs { place, more or {} } do
        for _, word in ipairs(list) do words[#words + 1] = word end
      end
      return words
    end

    local function run(more) return command.run({}, arguments(more)) end

    it("prints the figures once without a terminal", function()
      local result = run { "--campaign", "spring" }
      assert.equal(0, result.code, result.err)
      -- the columns are the headings of cli/waba/cli/commands/top.lua
      assert.matches("inbox +4 +1 +1 +%- +1 +%d+s +%- +%- +3\n", result.out)
      assert.matches("outbox +1 +0 +0 +1 +0 +%d+s", result.out)
      assert.matches("\nspring +0 +0 +0 +0 +%-\n", result.out)
      assert.matches("\n1 +0 +%d+s +no room\n", result.out)
      assert.matches("\n1 +3 +no +%d+s +1 +no room\n", result.out)
      assert.matches("\n3 +1 +yes +%d+s +1\n", result.out)
    end)

    it("shows no text of a customer, and external text on one line only", function()
      local result = run()
      assert.is_nil((result.out .. run({ "--json" }).out):find "secret")
      assert.matches("0 +1 +%d+s +no network%?%[31m \226\134\181 forged line\n", result.out)
    end)

    it("prints JSON", function()
      local json = run({ "--json", "--campaign", "spring" }).json
      assert.equal(5, json.inbox.depth)
      assert.equal(1, json.inbox.taken)
      assert.equal(1, json.inbox.failed)
      assert.equal(1, json.inbox.dead)
      assert.equal(3, json.inbox.conversation_count)
      assert.same({ name = "1", entries = 3, taken = false, attempts = 1, reason = "no room",
        oldest = json.inbox.conversations[1].oldest }, json.inbox.conversations[1])
      assert.equal(1, json.outbox.scheduled)
      assert.equal(0, json.campaigns[1].sent)
    end)

    it("reports if there are more entries than it reads", function()
      local events = {}
      for i = 1, 1500 do events[i] = message("more" .. i, "4915" .. i) end
      assert(box:put(events))
      local result = run()
      assert.matches("inbox +1504 +1%+ +", result.out)
      assert.matches("%+: of the first 1000 entries that the store lists\n", result.out)
    end)

    it("is a live screen on a terminal", function()
      if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
      local screen = terminal(folder, arguments { "--interval", "0.2" }, 100, 30)
      local settings = screen:shows "^/dev/[%w/]+\n([%w:]+)\n"
      screen:shows "inbox +4 +1 +1 "
      assert(box:put { message("g", "5"), message("h", "6") })
      screen:shows "inbox +6 +1 +1 [^\n]+ 0%.%d/s +0%.0/s" -- two events have arrived, none was handled
      local seen = #screen:output()
      screen:size(40, 5)
      process.wait_for(function()
        local drawn = screen:output():sub(seen):match "\27%[H(.-)\27%[H"
        if not drawn then return false end
        drawn = drawn:gsub("\27%[[%d?]*%a", "")
        local rows = 0
        for line in (drawn .. "\n"):gmatch "([^\n]*)\n" do
          rows = rows + 1
          if #line > 40 then return false end
        end
        return rows == 5
      end, "a smaller screen")
      screen:type "q"
      screen:shows "code=0\n"
      process.wait_for(function() return not screen.program:is_alive() end, "the end")
      assert.matches("\27%[%?25h\27%[%?1049lcode=0\n" .. settings .. "\n", screen:output())
      screen:close()
    end)

    it("restores the terminal at Ctrl-C and at a signal", function()
      if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
      for _, finish in ipairs {
        function(screen) screen:type "\3" end,
        function(screen) process.run("kill -TERM " .. screen:pid()) end,
      } do
        local screen = terminal(folder, arguments {}, 80, 24)
        local settings = screen:shows "^/dev/[%w/]+\n([%w:]+)\n"
        screen:shows "inbox +4 "
        finish(screen)
        screen:shows "code=0\n"
        process.wait_for(function() return not screen.program:is_alive() end, "the end")
        assert.matches("\27%[%?25h\27%[%?1049lcode=0\n" .. settings .. "\n", screen:output())
        screen:close()
        os.remove(folder:file "keys")
      end
    end)
  end)
end

describe("waba top", function()
  it("ends when its terminal is closed", function()
    if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
    local folder = process.folder()
    local box = waba.inbox.sqlite { file = folder:file "inbox.db", sync = false }
    fill(box)
    local screen = terminal(folder, { "top", "--sqlite", folder:file "inbox.db" }, 80, 24)
    screen:shows "inbox +4 "
    local pid = screen:pid()
    screen:close()
    process.wait_for(function() return process.run("kill -0 " .. pid .. " 2>&1") ~= "" end, "the end of the command")
    box:close()
    folder:remove()
  end)

  it("shows the error of a store that can't be read, and continues when it can", function()
    if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
    local folder, server = process.folder(), redis.start()
    local box = waba.inbox.redis { port = server.port }
    fill(box)
    local place = "redis://127.0.0.1:" .. server.port
    local screen = terminal(folder, { "top", "--redis", place, "--interval", "0.2" }, 80, 24)
    screen:shows "inbox +4 "
    box:close()
    server:stop()
    screen:shows "unavailable: the inbox's Redis: "
    assert.equal(1, command.run({}, { "top", "--redis", place }).code)
    screen:type "q"
    screen:shows "code=0\n"
    screen:close()
    folder:remove()
  end)

  it("requires a store", function()
    local result = command.run({}, { "top" })
    assert.equal(2, result.code)
    assert.matches("expected --sqlite FILE, --outbox FILE or --redis URL", result.err, 1, true)
    assert.equal(2, command.run({}, { "top", "--sqlite", "/nonexistent/x.db" }).code)
    assert.equal(2, command.run({}, { "top", "--outbox", "/nonexistent/x.db" }).code)
    assert.equal(2, command.run({}, { "top", "--redis", "localhost" }).code)
    assert.equal(2, command.run({}, { "top", "--interval", "0" }).code)
  end)

  it("names the option for the file of an outbox", function()
    local folder = process.folder()
    local outbox = waba.outbox.sqlite { file = folder:file "outbox.db", sync = false }
    fill_outbox(outbox)
    local result = command.run({}, { "top", "--sqlite", folder:file "outbox.db" })
    assert.equal(1, result.code)
    assert.matches("it belongs to an outbox", result.err)
    result = command.run({}, { "top", "--outbox", folder:file "outbox.db" })
    assert.equal(0, result.code, result.err)
    assert.matches("\noutbox +1 ", result.out)
    outbox:close()
    folder:remove()
  end)
end)
