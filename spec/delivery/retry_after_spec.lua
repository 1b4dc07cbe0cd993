-- lua/waba/delivery/retry_after.lua.

local retry_after = require "waba.delivery.retry_after"

-- Reads a value of the header Retry-After in a response whose header Date has the Unix time `now`; nil: the response
-- has no header Date.
local function read(value, now) return retry_after.read(value, now and os.date("!%a, %d %b %Y %H:%M:%S GMT", now)) end

describe("retry_after", function()
  -- Sun, 06 Nov 1994 08:49:37 GMT
  local then_ = 784111777

  it("reads seconds", function()
    assert.equal(0, read "0")
    assert.equal(7, read "7")
    assert.equal(120, read " 120\t")
    assert.equal(7, read "0007")
  end)

  it("returns an hour at most", function()
    assert.equal(3600, read "3601")
    assert.equal(3600, read "99999999999")
    assert.equal(3600, read(("9"):rep(1000)))
    assert.equal(3600, read("Fri, 31 Dec 9999 23:59:59 GMT", then_))
  end)

  it("reads all three forms of an HTTP date", function()
    for _, date in ipairs {
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
      "sun, 06 nov 1994 08:49:37 gmt",
    } do
      assert.equal(30, read(date, then_ - 30))
      assert.equal(0, read(date, then_))
      assert.equal(0, read(date, then_ + 1))
      assert.equal(3600, read(date, then_ - 7200))
      assert.equal(30, retry_after.read(date, " Sunday, 06-Nov-94 08:49:07 GMT"))
      assert.equal(0, retry_after.read(date, "not a date")) -- this machine's clock replaces the invalid date
    end
    assert.equal(5, read("Sun Nov 16 08:49:37 1994", then_ + 10 * 86400 - 5))
  end)

  it("counts leap days", function()
    for _, case in ipairs {
      { "Thu, 01 Jan 1970 00:00:10 GMT", 10 }, { "Tue, 29 Feb 2000 12:00:00 GMT", 951825600 },
      { "Wed, 01 Mar 2000 00:00:00 GMT", 951868800 }, { "Fri, 01 Mar 2024 00:00:00 GMT", 1709251200 },
      { "Mon, 01 Mar 2100 00:00:00 GMT", 4107542400 }, { "Tue, 31 Dec 2024 23:59:60 GMT", 1735689600 },
    } do
      assert.equal(9, read(case[1], case[2] - 9), case[1])
      assert.equal(0, read(case[1], case[2] + 9), case[1])
    end
  end)

  it("reads a year of two digits as one near the present", function()
    local in_2026 = 1767225600 -- Thu, 01 Jan 2026
    assert.equal(9, read("Thursday, 01-Jan-26 00:00:09 GMT", in_2026))
    assert.equal(3600, read("Wednesday, 01-Jan-76 00:00:00 GMT", in_2026))
    assert.equal(0, read("Saturday, 01-Jan-77 00:00:00 GMT", in_2026))
    assert.equal(3600, read("Saturday, 01-Jan-00 00:00:00 GMT", 946684700 - 86400))
  end)

  it("reads a year of two digits as 50 years in the future, not as 50 years ago", function()
    local in_2076 = 3345062400 -- Wed, 01 Jan 2076
    assert.equal(3600, read("Saturday, 01-Jan-26 00:00:00 GMT", in_2076))
    assert.equal(0, read("Friday, 01-Jan-27 00:00:00 GMT", in_2076))
  end)

  it("accepts times from the year 1 to the year 9999", function()
    assert.equal(10, read("Thu, 01 Jan 1970 00:00:10 GMT", 0))
    assert.equal(3600, read("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 - 3600))
    assert.equal(0, retry_after.read("Thu, 01 Jan 1970 00:00:10 GMT", "Thu, 01 Jan 1970 00:00:11 GMT"))
    assert.equal(9, retry_after.read("Tuesday, 01-Jan-69 00:00:09 GMT", "Wed, 01 Jan 1969 00:00:00 GMT"))
    assert.equal(1, retry_after.read("Mon, 01 Jan 0001 00:00:01 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"))
  end)

  it("accepts the last second of a day and a leap second", function()
    for time, seconds in pairs { ["23:59:59"] = 9, ["23:59:60"] = 10, ["00:00:00"] = 0 } do
      assert.equal(seconds, read("Sun, 06 Nov 1994 " .. time .. " GMT", 784166390))
    end
    local DAYS = { Jan = 31, Feb = 29, Mar = 31, Apr = 30, May = 31, Jun = 30, Jul = 31, Aug = 31, Sep = 30, Oct = 31, Nov = 30,
      Dec = 31 }
    for month, days in pairs(DAYS) do
      assert.equal(0, read(("Sun, %d %s 1994 00:00:00 GMT"):format(days, month)))
      assert.is_nil(read(("Sun, %d %s 1994 00:00:00 GMT"):format(days + 1, month)))
      assert.equal(0, read(("Sun, 01 %s 0001 00:00:00 GMT"):format(month)))
    end
  end)

  it("uses the current time by default", function()
    assert.equal(0, read "Sun, 06 Nov 1994 08:49:37 GMT")
    assert.equal(3600, read "Fri, 31 Dec 9999 23:59:59 GMT")
  end)

  it("returns nil for other texts", function()
    for _, value in ipairs {
      "", " ", "-5", "+5", "1.5", "1e3", "0x10", "5 s", "soon", "5,5", "5\0", "\0005", "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
      "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Foo, 06 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT ...", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
      "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94", "1994-11-06T08:49:37Z", "Sun", "Sunday", "Sunday, ",
      "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:3x GMT", "Sun, x6 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 199x 08:49:37 GMT", "Sunday, 06-Nov-9 08:49:37 GMT", "Sunday, 06-Nov-9x 08:49:37 GMT",
    } do
      assert.is_nil(read(value, then_ - 10), value)
    end
  end)

  it("does not crash on a damaged date", function()
    math.randomseed(11)
    local dates = { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" }
    for _ = 1, 20000 do
      local date = dates[math.random(3)]
      local at = math.random(#date)
      date = date:sub(1, at - 1) .. string.char(math.random(0, 255)) .. date:sub(at + math.random(0, 2))
      local seconds = read(date)
      if seconds and (seconds < 0 or seconds > 3600) then error(date) end
    end
  end)
end)
