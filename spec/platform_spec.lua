-- The pages of docs/platform contain every section that a comment in the code cites.

local read = require("spec.support.documents").read

local PAGES = { "cloud.md", "on-premise.md" }

-- Returns the set of numbers in a page's headings, such as "4" and "4.2".
local function sections_of(page)
  local sections = {}
  for number in ("\n" .. read("docs/platform/" .. page)):gmatch "\n##+ ([%d.]+)" do
    sections[number:gsub("%.$", "")] = true
  end
  return sections
end

-- Returns the numbers in a text such as "sections 2.17 and 11.3" or "sections 8.5 to 8.8".
local function numbers_in(text)
  local list, number, rest = {}, text:match "^sections? (%d[%d.]*)(.*)$"
  while number do
    list[#list + 1] = number:gsub("%.$", "")
    number, rest = rest:match "^,? and (%d[%d.]*)(.*)$"
    if not number and rest then number, rest = rest:match "^ to (%d[%d.]*)(.*)$" end
    if not number and rest then number, rest = rest:match "^, (%d[%d.]*)(.*)$" end
  end
  return list
end

describe("a citation of a platform reference", function()
  local known = {}
  for _, page in ipairs(PAGES) do known[page] = sections_of(page) end

  it("names a section that exists", function()
    local pipe = io.popen "find lua cli emulator src spec bench examples -name '*.lua' -o -name '*.[ch]'"
    local count = 0
    for path in pipe:lines() do
      -- The lines of a comment are joined, because a citation may have two lines.
      local text = read(path):gsub("\n%s*[-/*]*%s*", " ")
      for _, page in ipairs(PAGES) do
        for from in text:gmatch(page:gsub("%p", "%%%0") .. ",? ()section") do
          for _, number in ipairs(numbers_in(text:sub(from, from + 80))) do
            assert.is_true(known[page][number], ("%s: %s has no section %s"):format(path, page, number))
            count = count + 1
          end
        end
      end
    end
    pipe:close()
    assert.is_true(count > 100)
  end)

  it("is the only form of a citation", function()
    local pipe = io.popen [[grep -rnE "reference, +sections? [0-9]|\(sections? [0-9]" lua cli emulator src spec bench examples]]
    local found = pipe:read "*a"
    pipe:close()
    assert.equal("", (found:gsub("spec/platform_spec[^\n]*\n", "")))
  end)
end)
