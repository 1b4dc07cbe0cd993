-- Recognises addresses of this machine (loopback).

local loopback = {}

--- Returns whether a host is this machine: localhost, 127.0.0.0/8 or ::1.
---@param host string  an IPv6 address with or without brackets
---@return boolean
function loopback.is_host(host)
  return host == "localhost" or host == "::1" or host == "[::1]" or host:find "^127%.%d+%.%d+%.%d+$" ~= nil
end

--- Returns whether the host of a URL is this machine.
---@param url string
---@return boolean
function loopback.is_url(url)
  return loopback.is_host(url:match "^%a+://(%[[%x:.]+%])" or url:match "^%a+://([^:/?#]+)" or "")
end

return loopback
