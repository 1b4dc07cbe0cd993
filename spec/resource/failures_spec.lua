-- Every method of a client and of its resources on both hostings returns nil and an error if the gateway can't be
-- reached, refuses the request, or sends an undocumented response.

local cloud_templates = require "spec.support.cloud_templates"
local errors = require "waba.errors"
local waba = require "waba"

local NUMBER, ID = "4915112345678", "7781230045"
local PNG = "\137PNG\r\n\26\n\0\0\0\13IHDR\0\0\2\128\0\0\2\128\8\2\0\0\0" .. ("y"):rep(3000)
local HOOK = { url = "https://a.example/hook", user = "u", password = "p" }
local DESTINATION = { name = "a", url = "https://a.example/hook" }

local function first_of(iterator)
  local item, err = iterator()
  return item or nil, err -- the iterator of a list returns false and an error
end

-- For each resource, a call of each method. "" stands for the methods of the client.
local CALLS = {
  [""] = {
    send = function(client) return client:send(NUMBER, waba.text "Hi") end,
    mark_read = function(client) return client:mark_read "wamid.A" end,
    phone_number = function(client) return client:phone_number() end,
    health = function(client) return client:health() end,
    request = function(client) return client:request { path = "/v1/anything" } end,
    verify = function(client) return client:verify(NUMBER) end,
  },
  block_list = {
    block = function(list) return list:block { "+" .. NUMBER } end,
    unblock = function(list) return list:unblock { "+" .. NUMBER } end,
    list = function(list) return list:list() end,
    each = function(list) return first_of(list:each()) end,
  },
  calling_settings = {
    get = function(settings) return settings:get() end,
    set = function(settings) return settings:set { status = "ENABLED" } end,
  },
  commerce_settings = {
    get = function(settings) return settings:get() end,
    set = function(settings) return settings:set { is_cart_enabled = true } end,
  },
  contacts = {
    acknowledge = function(contacts) return contacts:acknowledge(NUMBER, "hash") end,
    block = function(contacts) return contacts:block("+" .. NUMBER) end,
    check = function(contacts) return contacts:check { "+" .. NUMBER } end,
    identity = function(contacts) return contacts:identity(NUMBER) end,
  },
  conversational_automation = {
    get = function(automation) return automation:get() end,
    set = function(automation) return automation:set { prompts = { "x" } } end,
  },
  media = {
    delete = function(media) return media:delete(ID) end,
    download = function(media) return media:download(ID) end,
    info = function(media) return media:info(ID) end,
    resumable = function(media) return media:resumable { data = PNG, type = "image/png" } end,
    upload = function(media) return media:upload { data = PNG, type = "image/png" } end,
  },
  profile = {
    about = function(profile) return profile:about() end,
    business = function(profile) return profile:business() end,
    photo = function(profile) return profile:photo { link = true } end,
    set_about = function(profile) return profile:set_about "x" end,
    set_business = function(profile) return profile:set_business { email = "a@b.example" } end,
    set_photo = function(profile) return profile:set_photo { data = PNG } end,
  },
  qr_codes = {
    create = function(codes) return codes:create { prefilled_message = "x" } end,
    delete = function(codes) return codes:delete "A7" end,
    each = function(codes) return first_of(codes:each()) end,
    edit = function(codes) return codes:edit("A7", { prefilled_message = "x" }) end,
    get = function(codes) return codes:get "A7" end,
    list = function(codes) return codes:list() end,
  },
  templates = {
    archive = function(templates) return templates:archive { ID } end,
    compare = function(templates) return templates:compare(ID, "2") end,
    create = function(templates) return templates:create(cloud_templates.new "full") end,
    definition = function(templates) return templates:definition("a", "en") end,
    delete = function(templates) return templates:delete "a" end,
    delete_ids = function(templates) return templates:delete_ids { ID } end,
    each = function(templates) return first_of(templates:each()) end,
    each_in_library = function(templates) return first_of(templates:each_in_library()) end,
    edit = function(templates) return templates:edit(ID, { category = "MARKETING" }) end,
    fill = function(templates) return templates:fill("a", "en") end,
    get = function(templates) return templates:get(ID) end,
    library = function(templates) return templates:library() end,
    list = function(templates) return templates:list() end,
    namespace = function(templates) return templates:namespace() end,
    unarchive = function(templates) return templates:unarchive { ID } end,
  },
  webhook = {
    account = function(webhook) return webhook:account() end,
    add_destination = function(webhook) return webhook:add_destination(DESTINATION) end,
    destinations = function(webhook) return webhook:destinations() end,
    get = function(webhook) return webhook:get() end,
    set = function(webhook) return webhook:set(HOOK) end,
    set_account = function(webhook) return webhook:set_account(HOOK) end,
    set_destinations = function(webhook) return webhook:set_destinations { enabled = true, destinations = { DESTINATION } } end,
    update_destination = function(webhook) return webhook:update_destination(DESTINATION) end,
  },
}

-- Methods without a call in this spec, because they close the client or send no request.
local WITHOUT = {
  [""] = { call = true, close = true, estimate = true, send_all = true }, templates = { forget = true, keep = true },
}

local function response(status, body, headers)
  return {
    status = status, headers = headers or { ["content-type"] = "application/json" }, body = body, sent = "yes", reused = false,
    protocol = "HTTP/1.1", bytes_sent = 0, bytes_received = #body, timings = {},
  }
end

local function failure(kind, sent)
  return { kind = kind, message = "a message", sent = sent, reused = false }
end

-- What the transport returns for every request: a response, or nil and a failure. `kind` is the kind of the error if
-- all methods return the same kind.
local RESULTS = {
  ["no connection"] = { nil, failure("network", "no"), kind = "network" },
  ["a connection that broke"] = { nil, failure("network", "maybe"), kind = "network" },
  ["no response in time"] = { nil, failure("timeout", "maybe"), kind = "timeout" },
  ["a certificate that is not valid"] = { nil, failure("tls", "no"), kind = "tls" },
  ["an unknown key"] = { response(401, '{"meta":{"success":false,"http_code":401,"developer_message":"Invalid api key"}}'),
    kind = "auth" },
  ["a refusal"] = { response(400, '{"errors":[{"code":1009,"title":"Parameter value is not valid"}],'
    .. '"error":{"code":100,"message":"Invalid parameter"}}'), kind = "invalid" },
  ["a redirect"] = { response(302, "", { location = "https://a.example/" }), kind = "protocol", is_ambiguous = true },
  ["an error of the gateway"] = { response(500, "<html>no</html>", {}), kind = "unavailable", is_ambiguous = true },
  ["a status of another service"] = { response(418, "", {}), kind = "api", is_ambiguous = true },
  -- some methods return an error; for others 404 means that no value is set
  ["an unknown path"] = { response(404, '{"meta":{"success":false,"http_code":404}}') },
  ["a gateway that is down"] = { response(503, "<html>no</html>", {}), is_error = true },
  ["a page instead of JSON"] = { response(200, "<html>welcome</html>", { ["content-type"] = "text/html" }) },
  ["text instead of an object"] = { response(200, '"yes"') },
  ["an empty object"] = { response(200, "{}") },
  ["lists instead of objects"] = { response(200, "[[]]") },
  ["the numbers of something else"] = { response(200, '{"data":1,"contacts":2,"messages":[3],"media":4,"id":[5],"health":6}') },
}

for _, hosting in ipairs { "on_premise", "cloud" } do
  describe("on " .. hosting .. " hosting", function()
    local client, result, requests

    before_each(function()
      requests = {}
      client = waba.client { api_key = "key", hosting = hosting, pace = false, retry = false, transport = {
        send = function(_, request)
          requests[#requests + 1] = request
          local reply = result[1] and response(result[1].status, result[1].body, result[1].headers)
          return reply, result[2]
        end,
      } }
    end)
    after_each(function() client:close() end)

    local function methods_of(name)
      local class = getmetatable(name == "" and client or client[name])
      return type(class.__index) == "table" and class.__index or class
    end

    it("every method is tested", function()
      for name, calls in pairs(CALLS) do
        for method, fn in pairs(methods_of(name)) do
          local is_method = type(fn) == "function" and method:sub(1, 2) ~= "__"
          if is_method and not (WITHOUT[name] and WITHOUT[name][method]) then
            assert.is_function(calls[method], name .. ":" .. method)
          end
        end
      end
    end)

    for what, options in pairs(RESULTS) do
      it("a method returns nil and an error, or only a result, after " .. what, function()
        result = options
        for name, calls in pairs(CALLS) do
          for method, call in pairs(calls) do
            requests = {}
            local place = ("client%s:%s after %s: "):format(name == "" and "" or "." .. name, method, what)
            local fine, found, err = pcall(call, name == "" and client or client[name])
            assert.is_true(fine, place .. tostring(found))
            if errors.is_error(err) then
              assert.is_nil(found, place .. tostring(err))
            elseif not method:find "^each" then
              assert.is_not_nil(found, place)
            end
            if options.is_error and #requests > 0 then
              assert.is_true(errors.is_error(err), place .. "no error")
            elseif options.kind and #requests > 0 then
              assert.is_true(errors.is_error(err), place .. "no error")
              assert.equal(options.kind, err.kind, place .. tostring(err))
              assert.equal(options[1] and options[1].status, err.status, place .. tostring(err))
              local is_uncertain = options[2] and options[2].sent == "maybe" and requests[#requests].head.method ~= "GET"
              if not options.is_ambiguous then assert.equal(is_uncertain or false, err.maybe_sent, place .. tostring(err)) end
            elseif #requests == 0 and method ~= "health" then
              assert.equal("invalid", err and err.kind, place .. tostring(err)) -- only the other hosting supports the method
            end
          end
        end
      end)
    end
  end)
end
