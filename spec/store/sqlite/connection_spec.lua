-- lua/waba/store/sqlite/connection.lua: transactions, errors that name the SQLite file, the lock of another connection,
-- a file that was removed or replaced.

local connections = require "waba.store.sqlite.connection"
local process = require "spec.support.process"
local waba = require "waba"

describe("a connection to a SQLite file", function()
  local folder, opened

  before_each(function() folder, opened = process.folder(), {} end)
  after_each(function()
    for _, one in ipairs(opened) do one:close() end
    folder:remove()
  end)

  local function new(busy_timeout, file)
    opened[#opened + 1] = connections.new(file or folder:file "a.db", busy_timeout or 5, "the store")
    return opened[#opened]
  end

  local INSERT = "INSERT INTO waba_record (name, value, until) VALUES (?, ?, 9e9)"

  local function put(connection, name, to_disk)
    return connection:transaction(function()
      connection:run(INSERT, name, "v")
      return "done", name
    end, to_disk)
  end

  local function names(connection)
    return (connection:guarded(function()
      local list = {}
      for index, row in ipairs(connection:rows "SELECT name FROM waba_record ORDER BY name") do list[index] = row[1] end
      return table.concat(list, " ")
    end))
  end

  it("makes all changes of a transaction, or none", function()
    local one = new()
    assert.same({ "done", "a" }, { put(one, "a") })
    assert.same({ "done", "b" }, { put(one, "b", true) })
    local result, err = one:transaction(function()
      one:run(INSERT, "c", "v")
      one:run(INSERT, "a", "v") -- fails, because a record with this name exists
    end)
    assert.is_nil(result)
    assert.same({ "unavailable", true }, { err.kind, err.retryable })
    assert.matches("^the store's file /.*/a%.db: ", err.message)
    local raised = {}
    assert.same({ false, raised }, { pcall(one.transaction, one, function()
      one:run(INSERT, "d", "v")
      error(raised)
    end) })
    assert.equal("a b", names(one))
    assert.equal("done", (put(one, "c")))
    assert.equal("a b c", names(new()))
  end)

  it("copies the log and repeats a transaction once if the disk is full", function()
    local one, calls = new(), 0
    local function insert_large()
      return one:transaction(function()
        calls = calls + 1
        local value = calls == 2 and "v" or ("v"):rep(1e6)
        one:run(INSERT, "a" .. calls, value)
        return #value
      end)
    end
    assert(put(one, "b"))
    one:guarded(function() return one:value "PRAGMA max_page_count = 20" end)
    assert.equal(1, (insert_large()))
    assert.equal(2, calls)
    calls = 2
    local result, err = insert_large()
    assert.is_nil(result)
    assert.matches("database or disk is full$", err.message)
    assert.equal(4, calls)
  end)

  it("refuses new entries while its volume has too little space to remove entries, and copies the log before", function()
    local core, one = require "waba.core", new()
    local free_space, free, copied = core.free_space, 1e9, 0
    assert(put(one, "a"))
    local pragma = one.pragma
    function one.pragma(self, text)
      if text:find "^wal_checkpoint" then copied = copied + 1 end
      return pragma(self, text)
    end
    core.free_space = function(path)
      assert.equal(folder:file "a.db", path)
      return free
    end
    local function add(bytes) return one:transaction(function() return true end, nil, bytes) end
    local ok, raised = pcall(function()
      assert.is_true(add(1000))
      free = 30 * 2 ^ 20
      assert.same({ 0, true, 1 }, { copied, add(1000), copied })
      free = 2 ^ 20
      local result, err = add(1000)
      assert.is_nil(result)
      assert.matches("database or disk is full$", err.message)
      assert.equal("done", (put(one, "b")))
      one:transaction(function() return one:run(INSERT, "large", ("v"):rep(1e6)) end)
      one:transaction(function() return one:run "DELETE FROM waba_record WHERE name = 'large'" end)
      assert.is_true(add(1000)) -- the unused pages of the database count
      free = nil
      assert.is_true(add(1000))
    end)
    core.free_space = free_space
    assert(ok, raised)
  end)

  it("waits for the disk only in a transaction that needs it", function()
    local one, pragmas = new(), {}
    put(one, "a")
    local pragma = one.pragma
    function one.pragma(self, text)
      pragmas[#pragmas + 1] = text:match "^synchronous = (%u+)"
      return pragma(self, text)
    end
    for index, to_disk in ipairs { false, true, true, false, false, true } do put(one, "n" .. index, to_disk) end
    put(one, "last")
    assert.same({ "FULL", "NORMAL", "FULL", "NORMAL" }, pragmas)
  end)

  it("reports a lock that another connection holds longer than its timeout, and works again afterwards", function()
    local holder, one = new(), new(0.05)
    put(holder, "a")
    assert.equal("a", names(one))
    holder:guarded(function()
      holder:run "BEGIN IMMEDIATE"
      local result, err = put(one, "b")
      assert.is_nil(result)
      assert.matches("another process has held its lock for 0.05 s, the option busy_timeout", err.message, 1, true)
      assert.equal("a", names(one)) -- reading works without the lock
      waba.run(function() assert.is_nil((put(one, "b"))) end)
      holder:run "COMMIT"
    end)
    assert.equal("done", (put(one, "b")))
  end)

  it("fills removed rows with zeros, but does not write pages only for that", function()
    local one = new()
    put(one, "a")
    assert.equal(2, (one:guarded(function() return one:pragma "secure_delete" end))) -- 2 is FAST
  end)

  it("copies the log into the database after 4000 pages, so that few calls wait for the copy", function()
    local one, most = new(), 0
    for number = 1, 4500 do
      put(one, ("%d"):format(number))
      local log = assert(io.open(folder:file "a.db-wal", "rb"))
      most = math.max(most, log:seek "end" / 4120) -- 4120 bytes are a page and its header
      log:close()
    end
    assert.is_true(most > 3900 and most < 4100, most .. " pages")
  end)

  it("lets other coroutines run while it waits for the lock", function()
    local holder, one = new(), new(20)
    put(holder, "a")
    put(one, "b")
    waba.run(function()
      holder:guarded(function() holder:run "BEGIN IMMEDIATE" end)
      local result
      waba.spawn(function() result = put(one, "c") end)
      waba.sleep(0.03)
      assert.is_nil(result)
      holder:guarded(function() holder:run "COMMIT" end)
      local core = require "waba.core"
      local deadline = core.clock() + 10
      while not result and core.clock() < deadline do waba.sleep(0.005) end
      assert.equal("done", result)
    end)
  end)

  it("opens the new file if its file was removed or replaced, and leaves nothing of the old one", function()
    local one = new()
    put(one, "a")
    process.run(("mv %s %s"):format(folder:file "a.db", folder:file "old.db"))
    assert.equal("", names(one))
    put(one, "b")
    assert.equal("b", names(one))
    assert.equal("a", names(new(5, folder:file "old.db")))
    os.remove(folder:file "a.db")
    assert.equal("done", (put(one, "c", true)))
    assert.equal("c", names(new()))
  end)

  it("fails a transaction to the disk during which its file was removed", function()
    local one = new()
    put(one, "a")
    for _, to_disk in ipairs { true, false } do
      local result, err = one:transaction(function()
        os.remove(folder:file "a.db")
        one:run(INSERT, "x", "v")
        return "done"
      end, to_disk)
      assert.is_nil(result)
      assert.matches("it was removed or replaced while it was written", err.message, 1, true)
    end
    assert.equal("done", (one:transaction(function()
      os.remove(folder:file "a.db")
      return "done"
    end)))
    assert.equal("done", (put(one, "y", true)))
  end)

  it("stores every byte", function()
    for _, text in ipairs { "", "a", "\0", "\1", "\1z", "\0\1\0", "a\0b\1c\1\1z\0" } do
      local stored = connections.escape(text)
      assert.is_nil(stored:find("\0", 1, true))
      assert.equal(text, connections.unescape(stored))
    end
    assert.is_nil((connections.escape(nil)))
    assert.is_nil((connections.unescape(nil)))
    assert.equal("plain", connections.escape "plain")
  end)

  it("has the time of the machine, and the file's values", function()
    local one = new()
    local now = one:guarded(function() return one:now() end)
    assert.is_true(math.abs(now - os.time()) < 3)
    one:guarded(function()
      assert.is_nil((one:value "SELECT 1 WHERE 0"))
      assert.equal(5, tonumber(one:value "SELECT 5"))
      assert.is_true(one:now() >= now)
      assert.equal(0, one:run("DELETE FROM waba_record WHERE name = ?", "none"))
    end)
    put(one, "a")
    assert.equal(1, (one:guarded(function() return one:run "DELETE FROM waba_record" end)))
  end)

  it("raises an error after it was closed, and reports a file that can't be opened", function()
    local one = new()
    put(one, "a")
    one:close()
    one:close()
    assert.error_matches(function() put(one, "b") end, "this store is closed")
    local bad = new(0.05, folder:file "missing/a.db")
    local result, err = put(bad, "a")
    assert.is_nil(result)
    assert.matches("missing/a.db: ", err.message, 1, true)
    process.run("mkdir " .. folder:file "missing")
    assert.equal("done", (put(bad, "a")))
    local memory = new(5, ":memory:")
    assert.equal("done", (put(memory, "a", true)))
    assert.equal("a", names(memory))
  end)
end)
