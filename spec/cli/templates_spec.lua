-- waba templates pull and check, and the comparison of messages with the pulled files.

local commands = require "spec.support.command"
local documents = require "spec.support.documents"
local process = require "spec.support.process"
local waba = require "waba"

local TEMPLATE = {
  name = "pickup", language = "en", category = "UTILITY", components = {
    { type = "BODY", text = "Hello {{1}}, your order {{2}} is ready.", example = { body_text = { { "Eva", "118" } } } },
  },
}

for _, hosting in ipairs { "on_premise", "cloud" } do
  describe("definitions of templates in files, " .. hosting, function()
    local emulator, gateway, client, environment, folder, templates

    local function run(...) return commands.run(environment, { "--hosting", hosting, ... }) end

    setup(function()
      emulator = assert(waba.emulator.start { statuses = false })
      gateway = hosting == "cloud" and emulator.cloud or emulator
      client = waba.client(emulator:options { hosting = hosting })
      assert(client.templates:create(TEMPLATE))
      assert(gateway:review_template("pickup", "approved"))
      environment = commands.environment(emulator)
      environment.WABA_BASE_URL = hosting == "cloud" and emulator:options({ hosting = "cloud" }).base_url or environment.WABA_BASE_URL
      environment.D360_API_KEY = emulator:options({ hosting = hosting }).api_key
      folder = process.folder()
      templates = folder:file "templates"
      process.run("mkdir " .. process.quote(templates))
    end)

    teardown(function()
      client:close()
      emulator:stop()
      folder:remove()
    end)

    it("are written by pull and compared by check", function()
      local result = run("templates", "pull", templates)
      assert.equal(0, result.code, result.err)
      assert.matches("templates/pickup%.en%.json\n", result.out)
      assert.matches('"pickup"', documents.read(templates .. "/pickup.en.json"))
      result = run("templates", "check", templates)
      assert.equal(0, result.code, result.err)
      assert.matches("%d templates; all are the same", result.out)
    end)

    it("are compared with each row of a table, without a gateway", function()
      folder:write("rows.csv", "to,name,order\n+49 151 1234567,Eva,118\n+49 151 1234568,,119\n")
      local offline = { XDG_CONFIG_HOME = folder.path, HOME = "/nonexistent", D360_API_KEY = "k", WABA_BASE_URL = "http://127.0.0.1:1" }
      local function dry_run(...)
        return commands.run(offline, { "--hosting", hosting, "bulk", folder:file "rows.csv", "--language", "en", "--dry-run",
          "--templates", templates, ... })
      end
      local result = dry_run("--template", "pickup")
      assert.equal(1, result.code)
      assert.matches("2 rows, 1 invalid", result.out)
      result = dry_run("--template", "pickup", "--body", "name")
      assert.matches("rows%.csv:2: template pickup %(en%): body: value 2 of 2 is missing", result.out)
      assert.matches("2 rows, 2 invalid", result.out)
      assert.matches("template pickap %(en%): there is no file .*pickap%.en%.json", dry_run("--template", "pickap").out)
    end)

    it("are compared at the gateway in a dry run", function()
      folder:write("rows.csv", "to,name\n+49 151 1234567,Eva\n")
      local result = run("bulk", folder:file "rows.csv", "--template", "pickup", "--language", "en", "--dry-run")
      assert.matches("body: value 2 of 2 is missing", result.out)
    end)

    it("refuse a message that differs before it is sent", function()
      local result = run("send", "template", "+491511234567", "pickup", "--language", "en", "--body", "Eva", "--templates", templates)
      assert.equal(1, result.code)
      assert.matches("template pickup %(en%): body: value 2 of 2 is missing", result.err)
      result = run("send", "template", "+491511234567", "pickup", "--language", "en", "--body", "Eva", "--body", "118",
        "--templates", templates)
      assert.equal(0, result.code, result.err)
    end)

    it("are the templates of an emulator", function()
      local other = assert(waba.emulator.start { statuses = false, templates = templates })
      local there = waba.client(other:options { hosting = hosting })
      assert(there:send("+491511234567", waba.template { name = "pickup", language = "en", body = { "Eva", "118" } }))
      local sent, err = there:send("+491511234567", waba.template { name = "other", language = "en" })
      assert.is_nil(sent)
      assert.equal("template", err.kind)
      there:close()
      other:stop()
      local failed
      failed, err = waba.emulator.start { templates = "/nowhere" }
      assert.is_nil(failed)
      assert.equal("option templates: /nowhere is not a folder", err.message)
    end)

    it("differ after a change at the gateway", function()
      assert(gateway:review_template("pickup", "paused"))
      process.run(("mv %s/pickup.en.json %s/other"):format(templates, folder.path))
      process.run(("sed 's/pickup/absent/' %s/other > %s/absent.en.json"):format(folder.path, templates))
      local result = run("templates", "check", templates, "--json")
      assert.equal(1, result.code)
      local results = {}
      for _, row in ipairs(result.json) do results[row.template] = row.result end
      assert.equal("is not at the gateway", results["absent (en)"])
      assert.equal("has no file", results["pickup (en)"])
      process.run(("mv %s/other %s/pickup.en.json"):format(folder.path, templates))
      result = run("templates", "check", templates)
      assert.equal(1, result.code)
      assert.matches("pickup %(en%)%s+differs: status", result.out)
    end)

    it("are refused if they can't be read", function()
      assert.matches("can't read /nowhere: there is no such folder", run("templates", "check", "/nowhere").err)
      folder:write("templates/broken.en.json", "{")
      local result = run("templates", "check", templates)
      assert.equal(2, result.code)
      assert.matches("broken%.en%.json is not the definition of a template", result.err)
      assert.equal(2, run("templates", "pull", "/nowhere").code)
    end)
  end)
end
