-- Writes annotations/waba.lua, from which editors read the fields of `require "waba"`. Editors can't find these fields
-- in lua/waba/init.lua, because a metatable loads each one at its first use.
--
--   lua5.4 scripts/module_annotations.lua > annotations/waba.lua

local folder = arg and arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path

local annotations = require "annotations"

annotations.root = folder .. "/../"

local HEAD = [[
---@meta
-- What `require "waba"` offers, for editors. Written by scripts/module_annotations.lua; the library does not
-- load this file.

---@class waba
---@field _VERSION string
---@field inbox waba.InboxBackends
---@field emulator waba.EmulatorModule
---@field migrate waba.MigrateModule
---@field outbox waba.OutboxBackends
---@field pace waba.PaceBackends
---@field webhook waba.WebhookModule
local waba = {}

---@class waba.EmulatorModule
local emulator = {}

---@class waba.WebhookModule
---@field server fun(options: waba.WebhookServerOptions): waba.WebhookServer|nil, string?
---@field nginx waba.WebhookNginx
local webhook = {}

---@class waba.WebhookNginx
local nginx = {}
]]

-- Returns the file of a module.
local function file_of(module)
  local path = module:gsub("%.", "/")
  return annotations.find(path .. ".lua") or annotations.find(path .. "/init.lua") or error("no file for " .. module)
end

local read = {}

local function functions_of(path)
  if not read[path] then
    read[path] = {}
    for _, fn in ipairs(annotations.read(path).functions) do
      if not fn.is_method then read[path][#read[path] + 1] = fn end
    end
  end
  return read[path]
end

local function find(path, name)
  for _, fn in ipairs(functions_of(path)) do
    if fn.own == name and fn.doc then return fn end
  end
end

local function write(fn, shown)
  io.stdout:write("\n", table.concat(fn.doc.raw, "\n"), "\nfunction ", shown, "(",
    table.concat(fn.parameters, ", "), ") end\n")
end

-- Returns the entries of the table FUNCTIONS in lua/waba/init.lua, in their order.
local function module_entries()
  local source = annotations.read(annotations.find "waba/init.lua").source
  local entries = {}
  for name, module, own in source:match("local FUNCTIONS = (%b{})"):gmatch '([%w_]+) = { "([%w_.]+)", "([%w_]+)" }' do
    entries[#entries + 1] = { name = name, module = module, own = own }
  end
  return entries
end

local BUILDERS = {
  "message/init", "message/contacts", "message/interactive", "message/requests", "message/orders", "message/template",
}

local function builders()
  local message, list = require "waba.message", {}
  for _, file in ipairs(BUILDERS) do
    for _, fn in ipairs(functions_of(annotations.find("waba/" .. file .. ".lua"))) do
      if type(message[fn.own]) == "function" and fn.doc and (fn.owner == "message" or fn.owner == "builders") then
        list[#list + 1] = fn
      end
    end
  end
  return list
end

-- Writes the class that is generated from a table of options.
local function write_options(doc)
  io.stdout:write "\n"
  for _, line in ipairs(doc.text) do io.stdout:write("--- ", line, "\n") end
  io.stdout:write("---@class ", doc.class, doc.parents[1] and " : " or "", table.concat(doc.parents, ", "), "\n")
  for _, field in ipairs(doc.fields) do
    io.stdout:write("---@field ", field.name, field.optional and "? " or " ", field.type,
      field.text ~= "" and "  " or "", field.text, "\n")
  end
end

io.stdout:write(HEAD)
for _, found in ipairs(annotations.scan()) do
  for _, class in ipairs(found.classes) do
    if class.doc.is_options then write_options(class.doc) end
  end
end
for _, entry in ipairs(module_entries()) do
  write(assert(find(file_of(entry.module), entry.own), entry.name), "waba." .. entry.name)
end
for _, fn in ipairs(builders()) do write(fn, "waba." .. fn.own) end
write(find(annotations.find "waba/emulator/init.lua", "start"), "emulator.start")
write(find(annotations.find "waba/webhook/nginx.lua", "start"), "nginx.start")
write(find(annotations.find "waba/webhook/nginx.lua", "serve"), "nginx.serve")
io.stdout:write "\nreturn waba\n"
