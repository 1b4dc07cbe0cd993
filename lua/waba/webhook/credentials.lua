-- Checks the credentials of a webhook. The valid credentials are stored in closures only, so that printing a receiver
-- shows no password.

local core = require "waba.core"
local encoding = require "waba.encoding"

local credentials = {}

local function header(headers, name)
  local value = headers[name]
  if value == nil then
    for other, candidate in pairs(headers) do
      if type(other) == "string" and other:lower() == name then value = candidate end
    end
  end
  return type(value) == "string" and value or nil -- a repeated header has a list of values, and is refused
end

-- Every check below compares with all accepted credentials, so that the duration of the check does not depend on which
-- credentials match. Each check returns true or false. A check that needs the body returns nil if `body` is nil. The
-- second result is the reason of a refusal, and never quotes the request.

-- No loop runs for the only accepted value or the only check, because LuaJIT can't compile a function with a loop that
-- ends at once.
local function is_one_of(accepted, value)
  local ok = core.equals(accepted[1], value)
  for index = 2, #accepted do ok = core.equals(accepted[index], value) or ok end
  return ok
end

-- The name of the scheme is case-insensitive. Most senders write "Basic", so the unchanged header is compared first.
local function check_basic(accepted)
  return function(headers)
    local sent = header(headers, "authorization")
    if not sent then return false, "it has no Authorization header, or several" end
    if is_one_of(accepted, sent) then return true end
    local scheme, rest = sent:match("^%s*(%a+)%s+(%S+)%s*$")
    local value = scheme and scheme:lower() == "basic" and "Basic " .. rest or ""
    if is_one_of(accepted, value) then return true end
    return false, "its user or password is wrong"
  end
end

local function check_headers(sets)
  return function(headers)
    local ok, wrong = false, nil
    for _, set in ipairs(sets) do
      local all = true
      for name, wanted in pairs(set) do
        local is_equal = core.equals(wanted, header(headers, name) or "")
        all, wrong = is_equal and all, not is_equal and name or wrong
      end
      ok = all or ok
    end
    if ok then return true end
    return false, ("its header %s is missing or wrong"):format(wrong)
  end
end

local SHA256_DIGITS = 64

-- Returns the check of the signature in the header of Meta or of 360dialog. The signature of Meta begins with
-- "sha256=".
local function check_signature(secrets)
  return function(headers, body)
    local signature = header(headers, "x-hub-signature-256") or header(headers, "x-360dialog-signature") or ""
    signature = signature:gsub("^sha256=", ""):lower()
    if #signature ~= SHA256_DIGITS then return false, "it has no signature of 64 hexadecimal digits" end
    if not body then return nil end
    local ok = false
    for _, secret in ipairs(secrets) do ok = core.equals(core.hmac_sha256(secret, body), signature) or ok end
    if ok then return true end
    return false, "its signature does not match its body and the secret"
  end
end

local function require_text(value, what)
  if type(value) == "string" and value ~= "" then return value end
  error("waba.receiver: " .. what .. " must be a string that is not empty", 0)
end

-- Returns the strings of an option as a list. The value of the option is a string, or a list with at least one string.
local function texts(value, what)
  if type(value) ~= "table" then return { require_text(value, what) } end
  local list = {}
  for index, item in ipairs(value) do list[index] = require_text(item, what) end
  if #list == 0 then
    error("waba.receiver: " .. what .. " must not be an empty list: expected at least one string", 0)
  end
  for key in pairs(value) do
    if list[key] == nil then error("waba.receiver: " .. what .. " must be a string or a list of strings", 0) end
  end
  return list
end

-- Returns the valid values of the header Authorization. The options have one user with one or several passwords, or
-- several users with one password each.
local function basic_values(users, passwords)
  if users == nil or passwords == nil then
    error("waba.receiver: options user and password are required together", 0)
  end
  users, passwords = texts(users, "user"), texts(passwords, "password")
  if #users ~= 1 and #users ~= #passwords then
    error("waba.receiver: option user must be one user, or a list as long as that of option password", 0)
  end
  local values = {}
  for index, password in ipairs(passwords) do
    local value, message = encoding.basic(users[index] or users[1], password)
    if not value then error("waba.receiver: " .. message, 0) end
    values[index] = value
  end
  return values
end

local function header_sets(headers)
  local sets = {}
  for index, set in ipairs(headers[1] and headers or { headers }) do
    if type(set) ~= "table" then error("waba.receiver: option headers must be a table or a list of tables", 0) end
    sets[index] = {}
    for name, value in pairs(set) do
      sets[index][require_text(name, "the name of a header"):lower()] = require_text(value, "the value of a header")
    end
    if next(sets[index]) == nil then
      error("waba.receiver: option headers is empty: expected at least one header", 0)
    end
  end
  return sets
end

--- Returns a function that checks the credentials of a request, and returns whether they are valid and the reason of a
--- refusal. The function returns nil if `body` is nil and the check needs the body. Raises an error for invalid
--- options.
---@return fun(headers: table<string, string>, body: string|nil): boolean|nil, string|nil
function credentials.checker(options)
  local checks = {}
  if options.user or options.password then
    checks[#checks + 1] = check_basic(basic_values(options.user, options.password))
  end
  if options.headers then checks[#checks + 1] = check_headers(header_sets(options.headers)) end
  if options.secret then checks[#checks + 1] = check_signature(texts(options.secret, "secret")) end
  if #checks == 0 then
    if options.open ~= nil then
      return function() return options.open, "the receiver accepts none (open = false)" end
    end
    error("waba.receiver: option user, headers or secret is required, or open = true, which requires no credentials", 0)
  end
  if #checks == 1 then return checks[1] end
  return function(headers, body)
    local ok, decided, reasons = false, true, nil
    for _, check in ipairs(checks) do
      local result, reason = check(headers, body)
      ok, decided = result or ok, decided and result ~= nil
      reasons = reasons and reason and reasons .. "; " .. reason or reasons or reason
    end
    if ok then return true end
    if decided then return false, reasons end
  end
end

return credentials
