-- Adds a number to the table and registers its webhook. If the API key of a number has changed, run this program again.
--   D360_API_KEY=… WEBHOOK_URL=https://bots.example lua5.4 add.lua 4930555019 cloud

local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/?.lua;" .. package.path

local waba = require "waba"
local numbers = require("numbers").open(os.getenv "NUMBERS_DB" or "numbers.db")

local number = assert(arg[1], "usage: add.lua NUMBER [cloud|on_premise]")
local hosting = arg[2] or "cloud"
local key = assert(os.getenv "D360_API_KEY", "D360_API_KEY is not set")

local client = waba.client { api_key = key, hosting = hosting }
assert(client:verify(number))
local row = numbers:add(number, key, hosting)
assert(client.webhook:set {
  url = assert(os.getenv "WEBHOOK_URL", "WEBHOOK_URL is not set") .. row.path, user = number, password = row.password,
})
client:close()
print("added " .. number)
