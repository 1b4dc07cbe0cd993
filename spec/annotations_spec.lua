-- The annotations and the reference describe what the code does.

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

local read_file = require("spec.support.documents").read

local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"

-- Returns an object of each class that users get from the library. The keys are the names of the classes in the
-- reference.
local function public_objects()
  local waba = require "waba"
  local client = waba.client { api_key = "a-key", transport = { send = function() end } }
  local objects = {
    client = client, receiver = waba.receiver { user = "u", password = "p" }, tracker = waba.status_tracker(),
  }
  for _, name in ipairs { "media", "templates", "profile", "webhook", "contacts", "block_list", "qr_codes",
    "calling_settings", "commerce_settings", "conversational_automation" } do
    objects["client." .. name] = client[name]
  end
  return objects, client
end

-- Returns the table with the methods of an object. The `__index` of a client is a function that loads resources, so its
-- metatable contains the methods.
local function methods_of(object)
  local class = getmetatable(object)
  return type(class.__index) == "table" and class.__index or class
end

-- Returns the method itself: `waba.client` puts each method into a function that checks its arguments.
local function unguarded(fn)
  local i = 1
  repeat
    local name, value = debug.getupvalue(fn, i)
    if name == "method" then return value end
    i = i + 1
  until not name
  return fn
end

describe("the annotations", function()
  local files, functions, classes = annotations.scan(), {}, {}
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

  it("are found", function()
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

  it("exist for every table of options", function()
    local CHECKS = { ["options.check"] = true, ["options.complete"] = true, complete = true }
    local declared, undeclared = {}, {}
    -- Several files may have a local table OPTIONS, so the path of the file is added to its name.
    local function full(found, name) return name:find("%.") and name or found.path .. ": " .. name end
    for _, found in ipairs(files) do
      for name in found.source:gmatch "%-%-%-@options [^\n]+\n([%w_. ]+) = " do declared[full(found, name:match "%S+$")] = true end
    end
    for _, found in ipairs(files) do
      for called, name in found.source:gmatch "([%w_.:]+)%([%w_.]+, ([%w_.{]+)" do
        local is_table = name == "{" or (name:match "[%w_]+$" or ""):find "^[%u_]+$"
        local place = full(found, name)
        if CHECKS[called] and is_table and not declared[place] then undeclared[#undeclared + 1] = place end
      end
    end
    assert.same({}, undeclared)
  end)

  it("describe the methods of events", function()
    local event = require "waba.webhook.verbs".new({}) { kind = "message" }
    local result = {}
    for _, class in ipairs(classes) do
      for _, field in ipairs(class.name == "waba.Event" and class.doc.fields or {}) do result[field.name] = true end
    end
    for name in pairs(getmetatable(event).__index) do assert.is_true(result[name], name) end
  end)

  it("cover every public function", function()
    local documented, wrong = {}, {}
    for _, found in ipairs(files) do
      for _, fn in ipairs(found.functions) do
        local class = found.variables[fn.owner]
        if class and fn.doc then documented[class .. ":" .. fn.own] = true end
        -- Some methods of resources have files of their own, without the class.
        if not class and fn.doc and found.path:find "/resource/" then
          local module = require(found.path:match "^%a+/(waba/.*)%.lua$":gsub("/", "."))
          if type(module) == "table" and module[fn.own] then documented[module[fn.own]] = true end
        end
      end
      for _, class in ipairs(found.classes) do
        for _, field in ipairs(class.doc.fields) do
          if field.type:find "^fun%(" then documented[class.name .. ":" .. field.name] = true end
        end
      end
    end
    local objects, client = public_objects()
    for _, object in pairs(objects) do
      local metatable = getmetatable(object)
      for name, value in pairs(methods_of(object)) do
        local full = metatable.__name .. ":" .. name
        if type(value) == "function" and not name:find "^_" and not documented[full]
          and not documented[unguarded(value)] then
          wrong[#wrong + 1] = full
        end
      end
    end
    client:close()
    assert.same({}, wrong)
  end)

  it("describe the public functions", function()
    local waba = require "waba"
    local described = {}
    for name in read_file("annotations/waba.lua"):gmatch "\nfunction waba%.([%w_]+)" do
      described[name] = true
      assert.is_function(waba[name], name)
    end
    for name, value in pairs(require("spec.support.messages").builders()) do
      if type(value) == "function" then assert.is_true(described[name] or false, name) end
    end
  end)

  it("are the source of annotations/waba.lua and the manual page", function()
    assert.equal(read_file "annotations/waba.lua", output_of(interpreter .. " scripts/module_annotations.lua"),
      "run: lua5.4 scripts/module_annotations.lua > annotations/waba.lua")
    assert.equal(read_file "docs/waba.1", output_of(interpreter .. " scripts/manual.lua"),
      "run: lua5.4 scripts/manual.lua > docs/waba.1")
  end)

  it("are the source of the reference", function()
    local folder = output_of("mktemp -d"):gsub("\n", "")
    os.execute(("%s scripts/reference.lua '%s'"):format(interpreter, folder))
    local difference = output_of(("diff -r '%s' docs/reference 2>&1"):format(folder))
    os.execute(("rm -rf '%s'"):format(folder))
    assert.equal("", difference, "run: lua5.4 scripts/reference.lua docs/reference")
  end)
end)

describe("the reference", function()
  local pages = {}

  setup(function()
    for path in output_of "ls docs/reference/*.md":gmatch "%S+" do pages[path] = read_file(path) end
  end)

  local function headings(text)
    local list = {}
    for heading in text:gmatch "\n### ([^\n]+)" do list[#list + 1] = heading end
    return list
  end

  it("has each name once", function()
    for path, text in pairs(pages) do
      local seen = {}
      for _, heading in ipairs(headings(text)) do
        assert.is_nil(seen[heading], path .. ": " .. heading)
        seen[heading] = true
      end
    end
  end)

  it("describes every method of the objects, and no others", function()
    local objects, client = public_objects()
    local described = {}
    for _, text in pairs(pages) do
      for _, heading in ipairs(headings(text)) do
        local name, method = heading:match "^([%w_.]+):([%w_]+)%("
        if objects[name] then
          assert.is_function(objects[name][method], heading)
          described[name .. ":" .. method] = true
        end
      end
      for section in text:gsub("\n### ", "\1"):gmatch "[^\1]+" do
        local class = section:match "^waba[%w_.]+"
        for method in section:gmatch "\n| `([%w_]+)` | `fun" do -- a field whose type is a function is a method
          for name, object in pairs(objects) do
            if getmetatable(object).__name == class then described[name .. ":" .. method] = true end
          end
        end
      end
    end
    for name, object in pairs(objects) do
      for method, value in pairs(methods_of(object)) do
        if type(value) == "function" and not method:find "^_" and method ~= "call" then
          assert.is_true(described[name .. ":" .. method], name .. ":" .. method)
        end
      end
    end
    client:close()
  end)

  -- A class without fields and text needs no section, because a page describes its methods.
  it("describes every type that it names", function()
    local described, methods = {}, { ["waba.NgxQueue"] = true, ["waba.Transport"] = true }
    for _, found in ipairs(annotations.scan()) do
      for _, class in ipairs(found.classes) do
        if #class.doc.fields == 0 then methods[class.name] = true end
      end
    end
    for _, text in pairs(pages) do
      for _, heading in ipairs(headings(text)) do described[heading] = true end
    end
    local wrong = {}
    for path, text in pairs(pages) do
      for name in text:gmatch "waba%.[%w_.]*%u[%w_]*" do
        if not described[name] and not methods[name] then wrong[#wrong + 1] = path .. ": " .. name end
      end
    end
    assert.same({}, wrong)
  end)
end)
