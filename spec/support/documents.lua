-- Takes the code blocks out of a Markdown page and runs them as a reader would paste them.

local documents = {}

--- The whole text of a file.
---@param path string
---@return string
function documents.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- The blocks of one language, in order.
---@param path string      of the page
---@param language string  as behind the fence: "lua", "sh"
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

--- A page's text from one heading to the next of its level.
---@param path string
---@param heading string
---@return string
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

-- What is no code.
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

-- The names of a page's headings, as links use them.
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

--- The links of a page that lead nowhere: to no file, or to no heading of a page.
---@param path string
---@return string[]
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

--- The rows of all tables, without their heads.
---@param path string  of the page
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

-- A block whose first line is `-- name.lua` is a file of the reader's.
local function file_name(code) return code:match "^%-%- (%S+%.lua)\n" end

--- The files among a page's Lua blocks: name to text.
---@param path string
---@return table<string, string>
function documents.files(path)
  local files = {}
  for _, block in ipairs(documents.blocks(path, "lua")) do
    local name = file_name(block.code)
    if name then files[name] = block.code .. "\n" end
  end
  return files
end

--- All Lua blocks of a page that are no files, as one program, so that a block may use the locals of those before it.
--- Lines have the numbers that they have in the page.
---@param path string
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

--- Runs one block with some names given to it, beside the globals.
---@param path string
---@param block { line: integer, code: string }
---@param names table<string, any>
---@return any ...  what the block returned
function documents.run(path, block, names)
  local environment = setmetatable(names, { __index = _G })
  local name = block.line == 1 and "@" .. path or ("@%s:%d"):format(path, block.line)
  local chunk
  if setfenv then -- luacheck: ignore 113
    chunk = assert(loadstring(block.code, name)) -- luacheck: ignore 113
    setfenv(chunk, environment) -- luacheck: ignore 113
  else
    chunk = assert(load(block.code, name, "t", environment))
  end
  return chunk()
end

return documents
