-- Reads profiles. A profile is a file with the API key and the settings for one business number.

local core = require "waba.core"

local profiles = {}

local SETTINGS = {
  api_key = function(text) return text:match "^%S+$" end,
  base_url = tostring, ca_file = tostring, proxy = tostring, namespace = tostring, timeout = tonumber,
  sandbox = function(text) return ({ ["true"] = true, ["false"] = false })[text] end,
  hosting = function(text) return ({ on_premise = text, cloud = text })[text] end,
}

-- For some settings, the description of a valid value in error messages.
local EXPECTED = {
  api_key = "one word; a comment is a line of its own", timeout = "a number of seconds", sandbox = "true or false",
  hosting = "on_premise or cloud",
}

function profiles.folder()
  local base = os.getenv "XDG_CONFIG_HOME"
  if not base or base == "" then base = (os.getenv "HOME" or "") .. "/.config" end
  return base .. "/waba"
end

--- Reads a file with a secret. Ends the command with exit code 2 if users other than the owner can read the file.
---@param ctx waba.cli.Context
---@param path string
---@param what string  the name of the file in errors, such as "the key file"
---@return string|nil content
---@return string? message  the reason why the file can't be read
function profiles.read_secret(ctx, path, what)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local content
  content, message = file:read(65536)
  file:close()
  if not content and message then return nil, ("%s: %s"):format(path, message) end
  local mode = core.file_mode(path)
  if mode and mode % 64 ~= 0 then -- octal 077: permissions of users other than the owner
    ctx:wrong(("other users can read %s %s: run chmod 600 %s"):format(what, path, path))
  end
  return ((content or ""):gsub("^\239\187\191", "")) -- some editors write a byte order mark
end

local function read_line(ctx, path, number, line, settings)
  if line:find "^%s*#" or not line:find "%S" then return end
  local name, text = line:match "^%s*([%w_]+)%s*=%s*(.-)%s*$"
  local place = ("the profile %s: line %d"):format(path, number)
  if not name then ctx:wrong(place .. " must be name = value, such as hosting = cloud") end
  if not SETTINGS[name] then
    ctx:wrong(("%s: unknown setting %s%s: expected api_key, hosting, base_url, ca_file, proxy, namespace, timeout or "
      .. "sandbox"):format(place, name, require("waba.option").suggestion(name, SETTINGS)))
  end
  if settings[name] ~= nil then ctx:wrong(("%s: %s is set twice: expected one line for it"):format(place, name)) end
  if text:find '^".*"$' or text:find "^'.*'$" then
    ctx:wrong(("%s: %s is in quotation marks: write the value without them"):format(place, name))
  end
  local value = SETTINGS[name](text)
  if value == nil then
    local found = name == "api_key" and "" or ", not " .. text -- an error must not show a key
    ctx:wrong(("%s: %s must be %s%s"):format(place, name, EXPECTED[name], found))
  end
  settings[name] = value
end

--- Reads a profile: lines `name = value`, empty lines, and comments, which begin with #.
---@return table<string, any> settings  options of `waba.client`
---@return string path
function profiles.read(ctx, name)
  if not name:find "^[%w_%-][%w_%-%.]*$" then
    ctx:wrong(("--profile: %s is not the name of a profile: expected letters, digits, _, - and ."):format(name))
  end
  local path = profiles.folder() .. "/" .. name
  local content, message = profiles.read_secret(ctx, path, "the profile")
  if not content then ctx:wrong(("--profile: can't read the profile %s: %s"):format(name, message)) end
  local settings, number = {}, 0
  for line in (content .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    read_line(ctx, path, number, line:gsub("\r$", ""), settings)
  end
  if not settings.api_key then ctx:wrong(("the profile %s has no api_key: add a line api_key = KEY"):format(path)) end
  return settings, path
end

-- Returns the sorted names of all profiles. The file `key` is no profile: it has the API key for commands without
-- --profile.
function profiles.list()
  local quoted = "'" .. profiles.folder():gsub("'", "'\\''") .. "'"
  local pipe = io.popen(("cd %s 2>/dev/null && find -L . -maxdepth 1 -type f 2>/dev/null | sort"):format(quoted))
  local names = {}
  for path in pipe and pipe:lines() or function() end do
    local name = path:match "^%./([%w_%-][%w_%-%.]*)$"
    if name and name ~= "key" then names[#names + 1] = name end
  end
  if pipe then pipe:close() end
  return names
end

return profiles
