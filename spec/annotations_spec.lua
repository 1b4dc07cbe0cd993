-- The annotations and the library agree: what editors and the reference tell is what the code does.

package.path = "scripts/?.lua;" .. package.path

local annotations = require "annotations"

local BUILT_IN = {}
for name in ("string integer number boolean table function nil any userdata lightuserdata thread true false fun self "
  .. "unknown"):gmatch "%S+" do BUILT_IN[name] = true end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"

describe("the annotations", function()
  local files, functions, classes = annotations.scan "lua/waba", {}, {}
  local types = {}

  setup(function()
    for _, found in ipairs(files) do
      for _, fn in ipairs(found.functions) do functions[#functions + 1] = fn end
      for _, class in ipairs(found.classes) do
        classes[#classes + 1], types[class.name] = class, true
      end
      for _, alias in ipairs(found.aliases) do types[alias.name] = true end
    end
  end)

  it("are read at all", function()
    assert.is_true(#functions > 300)
    assert.is_true(#classes > 80)
  end)

  it("name the parameters that the functions have, in their order", function()
    local wrong = {}
    for _, fn in ipairs(functions) do
      local documented, real = {}, {}
      for _, param in ipairs(fn.doc and fn.doc.params or {}) do
        if param.name ~= "self" and param.name ~= "..." and param.name ~= "_" then documented[#documented + 1] = param.name end
      end
      for _, name in ipairs(fn.parameters) do
        if name ~= "self" and name ~= "..." and name ~= "_" then real[#real + 1] = name end
      end
      local differ = table.concat(documented, ", ") ~= table.concat(real, ", ")
      if #documented > 0 and differ then
        wrong[#wrong + 1] = ("%s:%d: %s(%s) is documented with (%s)"):format(fn.file, fn.line, fn.name,
          table.concat(real, ", "), table.concat(documented, ", "))
      end
    end
    assert.same({}, wrong)
  end)

  it("use types that exist", function()
    local wrong = {}
    local function check(kind, place)
      for _, name in ipairs(annotations.type_names(kind)) do
        if not BUILT_IN[name] and not types[name] and #name > 1 then wrong[#wrong + 1] = place .. ": " .. name end
      end
    end
    for _, fn in ipairs(functions) do
      for _, list in ipairs { fn.doc and fn.doc.params or {}, fn.doc and fn.doc.returns or {} } do
        for _, entry in ipairs(list) do check(entry.type, ("%s:%d"):format(fn.file, fn.line)) end
      end
    end
    for _, class in ipairs(classes) do
      for _, field in ipairs(class.doc.fields) do check(field.type, class.name .. "." .. field.name) end
    end
    assert.same({}, wrong)
  end)

  -- A class of options stands above the table that the options are checked with.
  it("tell the very options that are accepted", function()
    local compared, wrong = 0, {}
    for _, found in ipairs(files) do
      for _, class in ipairs(found.classes) do
        local body = class.known and found.source:match("\nlocal " .. class.known .. " = (%b{})")
        if body then
          compared = compared + 1
          local accepted, documented = {}, {}
          -- a longer table that takes these over
          local longer = found.source:match("in pairs%(" .. class.known .. "%) do (KNOWN[%w_]*)%[name%]")
          body = body .. (longer and found.source:match("\nlocal " .. longer .. " = (%b{})") or "")
          for name in body:gsub('"[^"]*"', '""'):gmatch "([%a_][%w_]*) = " do accepted[name] = true end
          for _, field in ipairs(class.doc.fields) do documented[field.name] = true end
          for name in pairs(accepted) do
            if not documented[name] then wrong[#wrong + 1] = class.name .. " does not tell of " .. name end
          end
          for name in pairs(documented) do
            if not accepted[name] then wrong[#wrong + 1] = class.name .. " tells of " .. name .. ", which is refused" end
          end
        end
      end
    end
    assert.is_true(compared > 8, compared .. " tables of options compared")
    assert.same({}, wrong)
  end)

  it("say of the emulator's options what its own table of them says", function()
    local options, found = require "waba.emulator.options", annotations.read "lua/waba/emulator/init.lua"
    local tables = { ["waba.EmulatorOptions"] = options.list, ["waba.EmulatorWebhookOptions"] = options.webhooks,
      ["waba.EmulatorCloudOptions"] = options.cloud }
    for _, class in ipairs(found.classes) do
      local texts = {}
      for _, field in ipairs(class.doc.fields) do texts[field.name] = field.text end
      for _, row in ipairs(tables[class.name] or {}) do
        local meaning = row[4]:gsub(", see below$", "")
        assert.equal(meaning, (texts[row[1]] or ""):sub(1, #meaning), class.name .. ": " .. row[1])
      end
      tables[class.name] = nil
    end
    assert.same({}, tables)
  end)

  it("cover every public function", function()
    local documented, wrong = {}, {}
    for _, found in ipairs(files) do
      for _, fn in ipairs(found.functions) do
        local class = found.variables[fn.owner]
        if class and fn.doc then documented[class .. ":" .. fn.own] = true end
        -- methods that are written in a file of their own
        if not class and fn.doc and found.path:find "/resource/" then
          local module = require(found.path:match "^lua/(.*)%.lua$":gsub("/", "."))
          if type(module) == "table" and module[fn.own] then documented[module[fn.own]] = true end
        end
      end
      for _, class in ipairs(found.classes) do
        for _, field in ipairs(class.doc.fields) do
          if field.type:find "^fun%(" then documented[class.name .. ":" .. field.name] = true end
        end
      end
    end
    local waba = require "waba"
    local client = waba.client { api_key = "a-key", transport = { send = function() end } }
    local receiver = waba.receiver { user = "u", password = "p" }
    local objects = { client, receiver, waba.status_tracker(), client.media, client.templates, client.profile,
      client.webhook, client.contacts, client.block_list, client.qr_codes, client.commerce_settings,
      client.conversational_automation }
    for _, object in ipairs(objects) do
      local metatable = getmetatable(object)
      for name, value in pairs(metatable.__index) do
        local full = metatable.__name .. ":" .. name
        if type(value) == "function" and not name:find "^_" and not documented[full] and not documented[value] then
          wrong[#wrong + 1] = full
        end
      end
    end
    client:close()
    assert.same({}, wrong)
  end)

  it("describe the face of the library as it is", function()
    local waba = require "waba"
    local described = {}
    for name in read_file("lua/waba/face.lua"):gmatch "\nfunction waba%.([%w_]+)" do
      described[name] = true
      assert.is_function(waba[name], name)
    end
    for name, value in pairs(require "waba.message") do
      if type(value) == "function" then assert.is_true(described[name] or false, name) end
    end
  end)

  it("are what lua/waba/face.lua and the manual page were made of", function()
    assert.equal(read_file "lua/waba/face.lua", output_of(interpreter .. " scripts/face.lua"),
      "run: lua5.4 scripts/face.lua > lua/waba/face.lua")
    assert.equal(read_file "docs/waba.1", output_of(interpreter .. " scripts/manual.lua"),
      "run: lua5.4 scripts/manual.lua > docs/waba.1")
  end)

  it("are what the reference was made of", function()
    local folder = output_of("mktemp -d"):gsub("\n", "")
    os.execute(("%s scripts/reference.lua '%s'"):format(interpreter, folder))
    local difference = output_of(("diff -r '%s' docs/reference 2>&1"):format(folder))
    os.execute(("rm -rf '%s'"):format(folder))
    assert.equal("", difference, "run: lua5.4 scripts/reference.lua docs/reference")
  end)
end)
