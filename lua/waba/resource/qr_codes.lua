-- QR codes and short links that open a chat with a text: /message_qrdls (Cloud hosting only; cloud.md, section 8.6).

local outcome = require "waba.resource.outcome"
local values = require "waba.hosting.values"
local errors = require "waba.errors"
local option = require "waba.option"
local pages = require "waba.resource.pages"
local validate = require("waba.schema").validate

---@class waba.QrCodesResource
---@field list fun(self: waba.QrCodesResource, options: waba.PageOptions?): { codes: waba.QrCode[], after: string?, before: string? }|nil, waba.Error?  returns one page of codes: GET /message_qrdls; `after` is nil on the last page
---@field each fun(self: waba.QrCodesResource, options: waba.EachOptions?): (fun(): waba.QrCode|false|nil, waba.Error?)  iterates
---                       over all codes, page after page; reports an error as client.templates:each does
local QrCodes = {}

---@type waba.Rule
local RULE = {
  is = "object",
  fields = {
    prefilled_message = { is = "string", required = true, characters = { 1, 140 } },
    generate_qr_image = { one_of = { "PNG", "SVG" } },
    code = {},
  },
}

--- A QR code with a short link. A business number can have 2000 codes.
---@class waba.QrCode
---@field code string               14 characters
---@field prefilled_message string
---@field deep_link_url string      the short link: "https://wa.me/message/…"
---@field qr_image_url string|nil   the URL of the image; nil if the code was created without `generate_qr_image`

local function read_code(item)
  if not values.some_text(values.dig(item, "code")) then return nil end
  return {
    code = item.code, prefilled_message = values.some_text(item.prefilled_message),
    deep_link_url = values.some_text(item.deep_link_url), qr_image_url = values.some_text(item.qr_image_url),
  }
end

local function add_code(codes, item) codes[#codes + 1] = read_code(item) end

pages.add_methods(QrCodes, "client.qr_codes", "codes", pages.fetcher("list_qr_codes", "codes", add_code))

--- The content of a QR code.
---@options waba.QrCodeOptions
local OPTIONS = {
  prefilled_message = "string",        -- required: the text in the customer's input field, at most 140 characters
  generate_qr_image = '"PNG"|"SVG"',   -- the format of the image of the code; by default no image is created
}

local function check_code(code, what)
  if type(code) ~= "string" then error(what .. ": the code must be a string, not a " .. type(code), 3) end
  if code:find("^%w+$") then return true end
  return nil, errors.invalid("code", ('code must consist of letters and digits, not be "%s"'):format(code))
end

local function write(self, endpoint, body)
  local valid, err = validate(self.client.validate, RULE, body)
  if not valid then return nil, err end
  return outcome.fetch(self.client, endpoint, { json = body }, read_code,
    'the response has no code: expected its field "code"')
end

--- Creates a code: POST /message_qrdls.
---@param fields waba.QrCodeOptions
---@return waba.QrCode|nil
---@return waba.Error? err
function QrCodes:create(fields)
  fields = option.check(fields, OPTIONS, "client.qr_codes:create")
  return write(self, "create_qr_code", fields)
end

--- Returns one code: GET /message_qrdls/{code}.
---@param code string
---@return waba.QrCode|nil
---@return waba.Error? err
function QrCodes:get(code)
  local valid, err = check_code(code, "client.qr_codes:get")
  if not valid then return nil, err end
  return outcome.fetch(self.client, "get_qr_code", { parameters = { code = code } }, read_code,
    "code " .. code .. " does not exist: client.qr_codes:list returns the codes of the number", "not_found")
end

--- Changes the text of a code: POST /message_qrdls.
---@param code string
---@param fields waba.QrCodeOptions
---@return waba.QrCode|nil
---@return waba.Error? err
function QrCodes:edit(code, fields)
  fields = option.check(fields, OPTIONS, "client.qr_codes:edit")
  local valid, err = check_code(code, "client.qr_codes:edit")
  if not valid then return nil, err end
  local body = { code = code }
  for name, value in pairs(fields) do body[name] = value end
  return write(self, "update_qr_code", body)
end

--- Deletes a code: DELETE /message_qrdls/{code}. The image and the link of a deleted code become invalid.
---@param code string
---@return true|nil
---@return waba.Error? err
function QrCodes:delete(code)
  local valid, err = check_code(code, "client.qr_codes:delete")
  if not valid then return nil, err end
  return outcome.success(self.client:call("delete_qr_code", { parameters = { code = code } }))
end

return QrCodes
