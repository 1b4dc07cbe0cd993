-- src/watch.h: waiting for sockets with epoll or kqueue, and with poll(2).

local build = require "spec.support.parts"
local null = require("waba.core").null

local IN, OUT, ERROR = 1, 2, 4
local AT_ONCE, LONG = 0, 60000

for _, way in ipairs { { "by the system" }, { "by poll(2)", "-DWABA_USE_POLL" } } do
  describe("a watch " .. way[1], function()
    local parts = build.load(way[2])
    local watch, sockets

    before_each(function() watch, sockets = parts.watch(), {} end)
    after_each(function()
      if watch then parts.watch_free(watch) end
      for socket in pairs(sockets) do parts.close(socket) end
    end)

    local function pair()
      local socket, peer = parts.pair()
      sockets[socket], sockets[peer] = true, true
      return socket, peer
    end

    local function close(socket)
      sockets[socket] = nil
      assert.is_true(parts.close(socket))
    end

    -- Returns the events of each socket that a wait reports.
    local function found(milliseconds)
      local result = {}
      parts.watch_wait(watch, milliseconds or AT_ONCE)
      for socket, events in parts.watch_next, watch do result[socket] = events end
      return result
    end

    it("finds a socket that became readable", function()
      local socket, peer = pair()
      parts.watch_want(watch, socket, IN)
      assert.same({}, found())
      parts.write(peer)
      assert.same({ [socket] = IN }, found(LONG))
      parts.read(socket)
      assert.same({}, found())
    end)

    it("finds a socket that is writable, or both", function()
      local socket, peer = pair()
      parts.watch_want(watch, socket, OUT)
      assert.same({ [socket] = OUT }, found(LONG))
      parts.write(peer)
      assert.same({ [socket] = OUT }, found())
      parts.watch_want(watch, socket, IN + OUT)
      assert.same({ [socket] = IN + OUT }, found())
      parts.watch_want(watch, socket, IN)
      assert.same({ [socket] = IN }, found())
    end)

    it("reports the error of a connection that its peer has closed", function()
      local socket, peer = pair()
      parts.watch_want(watch, socket, IN)
      found()
      close(peer)
      assert.same({ [socket] = IN + ERROR }, found())
    end)

    it("finds no socket whose events are no longer wanted", function()
      local socket, peer = pair()
      parts.watch_want(watch, socket, IN)
      parts.write(peer)
      parts.watch_want(watch, socket, 0)
      assert.same({}, found())
      parts.watch_want(watch, socket, IN)
      assert.same({ [socket] = IN }, found())
    end)

    it("finds no idle socket, and finds the socket when its events are wanted again", function()
      local socket, peer = pair()
      parts.watch_opened(watch, socket)
      parts.watch_want(watch, socket, IN)
      found()
      parts.watch_want(watch, socket, 0)
      parts.write(peer)
      assert.same({}, found())
      assert.same({}, found())
      parts.watch_want(watch, socket, IN)
      assert.same({ [socket] = IN }, found())
    end)

    it("finds a socket that has the descriptor of a closed one", function()
      local socket, peer = pair()
      parts.watch_opened(watch, socket)
      parts.watch_want(watch, socket, IN)
      found()
      parts.watch_closed(watch, socket)
      close(socket)
      close(peer)
      local again, other = pair()
      assert.equal(socket, again)
      parts.write(other)
      assert.same({}, found())
      parts.watch_opened(watch, again)
      parts.watch_want(watch, again, IN)
      assert.same({ [again] = IN }, found())
    end)

    it("finds a socket that has the descriptor of one whose end was not reported", function()
      local socket, peer = pair()
      for _, first in ipairs { IN, OUT } do
        parts.watch_want(watch, socket, first)
        found()
        close(socket)
        close(peer)
        local again, other = pair()
        assert.equal(socket, again)
        parts.write(other)
        parts.watch_want(watch, again, IN + OUT)
        assert.same({ [again] = IN + OUT }, found())
        socket, peer = again, other
      end
    end)

    it("ignores that a muted socket is writable until something else happens to it", function()
      local socket, peer = pair()
      parts.watch_want(watch, socket, IN + OUT)
      assert.same({ [socket] = OUT }, found())
      assert.is_false(parts.watch_is_muting(watch))
      parts.watch_mute(watch, socket)
      parts.watch_mute(watch, socket)
      assert.is_true(parts.watch_is_muting(watch))
      assert.same({}, found())
      parts.write(peer)
      assert.same({ [socket] = IN }, found())
      assert.is_false(parts.watch_is_muting(watch))
      assert.same({ [socket] = IN + OUT }, found())
    end)

    it("unmutes all sockets, and a closed one", function()
      local one, other = pair(), pair()
      for _, socket in ipairs { one, other } do
        parts.watch_opened(watch, socket)
        parts.watch_want(watch, socket, OUT)
        parts.watch_mute(watch, socket)
      end
      assert.same({}, found())
      parts.watch_unmute(watch)
      assert.is_false(parts.watch_is_muting(watch))
      assert.same({ [one] = OUT, [other] = OUT }, found())
      parts.watch_mute(watch, one)
      parts.watch_closed(watch, one)
      assert.is_false(parts.watch_is_muting(watch))
      parts.watch_closed(watch, 100000) -- a socket that the watch does not contain
    end)

    it("is drained when each socket that a wait found was taken", function()
      local socket = pair()
      assert.is_true(parts.watch_drained(watch))
      parts.watch_want(watch, socket, OUT)
      parts.watch_wait(watch, AT_ONCE)
      assert.is_false(parts.watch_drained(watch))
      assert.equal(socket, (parts.watch_next(watch)))
      assert.is_false(parts.watch_drained(watch))
      assert.is_nil((parts.watch_next(watch)))
      assert.is_true(parts.watch_drained(watch))
    end)

    it("keeps its sockets when one with a higher descriptor is added", function()
      local low, peer = pair()
      parts.watch_want(watch, low, IN)
      local free = 64 * math.ceil((low + 16) / 64) -- a number above all open descriptors
      for _, number in ipairs { free - 1, free, free + 63, free + 64, free + 636 } do
        local socket, other = pair()
        assert.is_true(parts.duplicate(socket, number))
        parts.watch_want(watch, number, OUT)
        assert.same({ [number] = OUT }, found())
        parts.watch_want(watch, number, 0)
        parts.close(number)
        close(socket)
        close(other)
      end
      parts.write(peer)
      assert.same({ [low] = IN }, found())
    end)

    it("finds more sockets than one wait can report", function()
      local count, seen = 0, {}
      for _ = 1, 70 do
        local socket, peer = pair()
        parts.watch_want(watch, socket, IN + OUT)
        parts.watch_want(watch, peer, IN + OUT)
        parts.write(socket)
        parts.write(peer)
      end
      for _ = 1, 2 do
        for socket in pairs(found()) do
          assert.is_nil(seen[socket])
          seen[socket], count = true, count + 1
          parts.watch_want(watch, socket, 0)
        end
      end
      assert.equal(140, count)
    end)

    it("waits together with other watches until one of them finds a socket", function()
      local other = parts.watch()
      local socket, peer = pair()
      for i, its in ipairs { watch, other, watch } do
        parts.watch_want(its, socket, IN)
        parts.write(peer)
        assert.is_true(parts.watch_wait_any(i == 3 and other or watch, i == 3 and watch or other, LONG))
        parts.watch_wait(its, AT_ONCE)
        assert.same({ socket, IN }, { parts.watch_next(its) })
        parts.read(socket)
        parts.watch_want(its, socket, 0)
      end
      assert.is_true(parts.watch_wait_any(watch, other, AT_ONCE))
      parts.watch_free(other)
    end)

    it("accepts any number of changes before a wait", function()
      local socket, peer = pair()
      for _ = 1, 200000 do
        parts.watch_want(watch, socket, IN)
        parts.watch_want(watch, socket, OUT)
      end
      assert.same({ [socket] = OUT }, found())
      parts.watch_want(watch, peer, OUT)
      parts.watch_want(watch, peer, 0)
      assert.same({ [socket] = OUT }, found())
    end)

    it("closes its own sockets, and no other, when it is abandoned", function()
      local own, foreign = pair()
      local closed = pair()
      parts.watch_opened(watch, own)
      parts.watch_want(watch, foreign, IN)
      parts.watch_opened(watch, closed)
      parts.watch_closed(watch, closed) -- the system can use this descriptor for another file
      parts.watch_abandon(watch)
      watch = nil
      assert.is_false(parts.is_open(own))
      assert.is_true(parts.is_open(foreign))
      assert.is_true(parts.is_open(closed))
      sockets[own] = nil
    end)

    if not way[2] then
      it("has a descriptor that is readable when a socket is ready", function()
        local descriptor, socket, peer = parts.watch_descriptor(watch), pair()
        parts.watch_want(watch, socket, IN)
        parts.write(peer)
        assert.is_false(parts.is_readable(descriptor))
        parts.watch_flush(watch)
        assert.is_true(parts.is_readable(descriptor))
        parts.read(socket)
        assert.is_false(parts.is_readable(descriptor))
      end)

      it("has a descriptor that is readable after a wake, until the next wait", function()
        local descriptor = parts.watch_descriptor(watch)
        for _ = 1, 3 do
          parts.watch_wake(watch)
          parts.watch_wake(watch)
          assert.is_true(parts.is_readable(descriptor))
          assert.same({}, found(LONG))
          assert.is_false(parts.is_readable(descriptor))
        end
      end)

      it("releases its descriptors, also if the system refuses one of them", function()
        local before, descriptor = parts.pair()
        parts.close(before)
        parts.close(descriptor)
        for _ = 1, 3 do parts.watch_free(parts.watch()) end
        for _, call in ipairs { "pipe", "epoll_create1", "epoll_ctl" } do
          parts.fail(call, 24, 0) -- EMFILE
          assert.equal(null, parts.watch(), call)
        end
        local after, again = parts.pair()
        assert.same({ before, descriptor }, { after, again })
        parts.close(after)
        parts.close(again)
      end)
    else
      it("has no descriptor", function()
        assert.equal(-1, parts.watch_descriptor(watch))
        parts.watch_wake(watch)
      end)
    end
  end)
end
