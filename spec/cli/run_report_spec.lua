-- The report of a bulk run: its page and its rows.

local folder = require "spec.support.folder"
local run_report = require "waba.cli.run_report"

describe("the report of a run", function()
  local place
  setup(function() place = folder.new() end)
  teardown(function() place:remove() end)

  local SUMMARY = { sent = 3, failed = 2, maybe_sent = 1, skipped = 4, duplicates = 5, seconds = 2.04 }

  -- Calls `fill` with a new report, closes the report, and returns its file.
  local function report(name, fill, summary)
    local path = place:file(name)
    local made = run_report.open({ wrong = function(_, message) error(message, 0) end }, path, "<template> a & b")
    if fill then fill(made) end
    made:close(summary or SUMMARY)
    return place:read(name)
  end

  local function failure(code, message)
    return { kind = "recipient", code = code, message = message or "no", maybe_sent = false }
  end

  local DOUBT = { kind = "timeout", message = "late", maybe_sent = true }

  local function cells(row) return "<tr><td>" .. table.concat(row, "</td><td>") .. "</td></tr>\n" end

  it("counts the rows, the errors most frequent first", function()
    local page = report("page.html", function(made)
      made:add(1, { id = "a" }, nil, "491")
      made:add(2, nil, failure(1013), "492")
      made:add(3, nil, DOUBT, "493")
      made:add(4, nil, failure(1013), "494")
      made:add(5, nil, { kind = "auth", message = "'<b>'", maybe_sent = false }, nil)
    end)
    assert.matches("<p>&lt;template&gt; a &amp; b<br>started [%d-]+ [%d:]+, took 2.0 seconds</p>\n", page)
    local function has(text) assert.is_truthy(page:find(text, 1, true), text) end
    has("<table><tr><th>result</th><th>rows</th></tr>\n" .. cells { "sent", 3 } .. cells { "failed", 2 }
      .. cells { "uncertain", 1 } .. cells { "done in earlier runs", 4 }
      .. cells { "with a recipient of an earlier row", 5 } .. "</table>\n")
    has("<h2>Errors</h2>\n<table><tr><th>kind</th><th>rows</th></tr>\n" .. cells { "recipient, code 1013", 2 }
      .. cells { "auth", 1 } .. cells { "timeout", 1 } .. "</table>\n")
    has("</svg></figure>\n<h2>Rows that were not sent, or are uncertain</h2>\n"
      .. "<table><tr><th>row</th><th>to</th><th>result</th><th>error</th><th>message</th></tr>\n"
      .. cells { 2, "492", "failed", "recipient, code 1013", "no" } .. cells { 3, "493", "uncertain", "timeout", "late" }
      .. cells { 4, "494", "failed", "recipient, code 1013", "no" }
      .. cells { 5, "", "failed", "auth", "&#39;&lt;b&gt;&#39;" } .. "</table>\n</body></html>\n")
  end)

  it("has no table of errors without errors, and states that the run was stopped", function()
    local page = report("fine.html", nil, { sent = 0, failed = 0, maybe_sent = 0, skipped = 0, duplicates = 0, seconds = 1,
      stopped = true })
    assert.matches("took 1.0 seconds; stopped before its end</p>", page)
    assert.is_nil(page:find("<h2>", 1, true))
    assert.equal(1, select(2, page:gsub("<table>", "")))
  end)

  it("draws results and the gateway's response time over the seconds of the run", function()
    local page = report("charts.html", function(made)
      made.started = made.started - 0.5
      for i = 1, 4 do made:add(i, { id = "a" }, nil, "491") end
      for _, event in ipairs { { type = "attempt", class = "messages", duration = 0.1 },
        { type = "attempt", class = "messages", duration = 0.3 }, { type = "finish", class = "messages", duration = 9 },
        { type = "attempt", class = "other", duration = 9 } } do made:observe(event) end
      made.started = made.started - 2 -- the next row is added in second 3 of the run
      made:add(5, { id = "a" }, nil, "491")
    end)
    -- The diagram is drawn from x = 60 to 720 and from y = 6 to 182.
    assert.matches('<polyline class="rate" points="170.0,6.0 390.0,182.0 610.0,138.0"/>', page, 1, true)
    assert.matches('<polyline class="mean" points="170.0,64.7 720,64.7"/>', page, 1, true)
    assert.matches('<polyline class="slowest" points="170.0,6.0 720,6.0"/>', page, 1, true)
    assert.matches('text-anchor="end">4 rows/s</text>', page, 1, true)
    assert.matches('text-anchor="end">0.3 s</text>', page, 1, true)
    assert.matches('text-anchor="end">3 s</text></svg>', page, 1, true)
    assert.equal(2, select(2, page:gsub('y1="182.0"', "")))
  end)

  it("joins the seconds of a long run", function()
    local page = report("long.html", function(made)
      made.started = made.started - 0.5
      for _ = 1, 3 do made:add(1, { id = "a" }, nil, "491") end
      made.started = made.started - 1 -- the next row is added in second 2 of the run
      made:add(2, { id = "a" }, nil, "491")
      made.started = made.started - 477 -- the next row is added in second 479 of the run
      made:add(3, { id = "a" }, nil, "491")
    end)
    local line = page:match 'class="rate" points="([^"]+)"'
    local points = {}
    for y in line:gmatch ",([%d.]+)" do points[#points + 1] = y end
    assert.equal(240, #points)
    assert.same({ "6.0", "182.0", "138.0" }, { points[1], points[2], points[240] }) -- one point for two seconds
    assert.matches('text-anchor="end">2 rows/s</text>', page, 1, true)
    assert.matches('text-anchor="end">480 s</text></svg>', page, 1, true)
  end)

  it("lists at most ten thousand rows on the page, and counts the others", function()
    local page = report("many.html", function(made)
      for i = 1, 10001 do made:add(i, nil, failure(1013), "491") end
    end)
    assert.matches("<td>recipient, code 1013</td><td>10001</td>", page, 1, true)
    assert.is_nil(page:find("<td>10001</td><td>491</td>", 1, true))
    assert.matches("<td>10000</td><td>491</td>", page, 1, true)
    assert.matches("<p>and 1 more: --report FILE.csv lists all</p>", page, 1, true)
  end)

  it("has each row in a table for spreadsheets, without formulas", function()
    local rows = report("rows.csv", function(made)
      made:add("k", { id = "gB" }, nil, "+491")
      made:add(2, nil, failure(1013, '=1+1,"x"'), "@492")
      made:add(3, nil, DOUBT, nil)
      made:add(4, nil, failure(nil, "a\nb"), "\t49")
      made:add("-1+cmd|'/C calc'!A0", { id = "gC" }, nil, "+49 (151) 12-3")
    end)
    assert.equal(table.concat({ "key,to,result,id,kind,code,message", "k,+491,sent,gB,,,",
      [[2,'@492,failed,,recipient,1013,"'=1+1,""x"""]], "3,,uncertain,,timeout,,late",
      '4,\'\t49,failed,,recipient,,"a\nb"', "'-1+cmd|'/C calc'!A0,+49 (151) 12-3,sent,gC,,,", "" }, "\r\n"), rows)
  end)

  it("names a file that can't be written, and the first cause", function()
    local lines, stderr = {}, io.stderr
    io.stderr = { write = function(_, line) lines[#lines + 1] = line end }
    finally(function() io.stderr = stderr end)
    report("fine.csv")
    assert.same({}, lines)
    for write, sync in pairs { ["no space"] = "lost", [false] = "lost" } do
      report("broken.html", function(made)
        made.file:close()
        local writes = 0
        made.file = {
          write = function()
            writes = writes + 1
            if not write then return true end
            return nil, writes == 1 and write or "another"
          end,
          sync = function() return nil, sync end, close = function() end,
        }
        made:write "a"
      end)
      assert.equal(("waba: can't write the report %s: %s\n"):format(place:file "broken.html", write or sync), table.remove(lines))
    end
  end)

  it("refuses another file extension, and a path that can't be written", function()
    for name, message in pairs { ["page.pdf"] = "must end with .html or .csv, not ", ["none/page.html"] = "can't write " } do
      assert.error_matches(function() report(name) end, message, 1, true)
    end
  end)
end)
