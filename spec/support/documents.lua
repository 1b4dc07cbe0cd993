-- Reads the code blocks, links and tables of Markdown pages, and runs the code blocks.

local documents = {}

function documents.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Returns the code blocks of one language, in order.
---@param path string      the page's file
---@param language string  the language that the block's first line names: "lua", "sh"
---@return { line: integer, code: string }[]
function documents.blocks(path, language)
  local blocks, open, number = {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    if open then
      if line:match("^```") then
        if open.language == language then
          blocks[#blocks + 1] = { line = open.line, code = table.concat(open, "\n") }
        end
        open = nil
      else
        open[#open + 1] = line
      end
    elseif line:match("^```") then
      open = { line = number + 1, language = line:match("^```(%w*)") }
    end
  end
  return blocks
end

--- Returns a page's text from one heading to the next heading of the same level.
function documents.section(path, heading)
  local lines = {}
  for line in io.lines(path) do
    if line:match "^## " then
      if #lines > 0 then break end
      lines[1] = line == "## " .. heading and line or nil
    elseif #lines > 0 then
      lines[#lines + 1] = line
    end
  end
  assert(#lines > 0, path .. " has no heading " .. heading)
  return table.concat(lines, "\n")
end

-- Returns the text of a page without its code blocks.
local function prose(path)
  local lines, in_code = {}, false
  for line in io.lines(path) do
    if line:match "^```" then
      in_code = not in_code
    elseif not in_code then
      lines[#lines + 1] = line
    end
  end
  return lines
end

-- Returns the set of a page's headings in the form that links to them have.
local function anchors(path)
  local names = {}
  for _, line in ipairs(prose(path)) do
    local heading = line:match "^#+ (.*)$"
    if heading then names[heading:lower():gsub("[^%w%s_%-\128-\255]", ""):gsub(" ", "-")] = true end
  end
  return names
end

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

--- Returns the links in a page to files or headings that do not exist.
function documents.dead_links(path)
  local folder, dead = path:match "^(.*/)" or "", {}
  for target in table.concat(prose(path), "\n"):gmatch "%]%(([^)]+)%)" do
    if not target:find "^%a+:" then
      local name, anchor = target:match "^([^#]*)#?(.*)$"
      local page = name == "" and path or folder .. name
      local found = exists(page) and (anchor == "" or anchors(page)[anchor])
      if not found then dead[#dead + 1] = target end
    end
  end
  return dead
end

--- Returns the rows of all tables of a page, without the header rows.
---@param path string  the page's file
---@return { line: integer, cells: string[] }[]
function documents.rows(path)
  local rows, number, in_table = {}, 0, false
  for line in io.lines(path) do
    number = number + 1
    if line:match "^| ?%-%-%-" then
      in_table = true
    elseif not line:match "^|" then
      in_table = false
    elseif in_table then
      local cells = {}
      for cell in line:gmatch "|%s*([^|]-)%s*%f[|]" do cells[#cells + 1] = cell end
      rows[#rows + 1] = { line = number, cells = cells }
    end
  end
  return rows
end

-- Returns the name of the file that a code block contains, or nil if the first line of the code is not `-- name.lua`.
local function file_name(code) return code:match "^%-%- (%S+%.lua)\n" end

--- Some code blocks of a page are files. Returns a table from the name of each file to its text.
function documents.files(path)
  local files = {}
  for _, block in ipairs(documents.blocks(path, "lua")) do
    local name = file_name(block.code)
    if name then files[name] = block.code .. "\n" end
  end
  return files
end

--- Returns the Lua blocks of a page, except files, as one program, so that a block can use the locals of earlier
--- blocks. The lines of the program have the same numbers as in the page.
---@return { line: integer, code: string }
function documents.program(path)
  local lines = {}
  for _, block in ipairs(documents.blocks(path, "lua")) do
    if not file_name(block.code) then
      while #lines < block.line - 1 do lines[#lines + 1] = "" end
      for line in (block.code .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
    end
  end
  return { line = 1, code = table.concat(lines, "\n") }
end

--- Runs one block with additional globals.
---@param block { line: integer, code: string }
---@return any ...  the results of the block
function documents.run(path, block, names)
  local environment = setmetatable(names, { __index = _G })
  local name = block.line == 1 and "@" .. path or ("@%s:%d"):format(path, block.line)
  local chunk
  if setfenv then
    chunk = assert(loadstring(block.code, name))
    setfenv(chunk, environment)
  else
    chunk = assert(load(block.code, name, "t", environment))
  end
  return chunk()
end

return documents
