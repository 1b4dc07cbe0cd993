-- Takes the code blocks out of a Markdown page and runs them as a reader would paste them.

local documents = {}

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

--- Runs one block with some names given to it, beside the globals.
---@param path string
---@param block { line: integer, code: string }
---@param names table<string, any>
---@return any ...  what the block returned
function documents.run(path, block, names)
  local environment = setmetatable(names, { __index = _G })
  local name = ("@%s:%d"):format(path, block.line)
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
