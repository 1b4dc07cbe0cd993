-- Recognises the addresses of this machine: localhost, 127.0.0.0/8 and ::1.

local loopback = {}

---@param host string  an IPv6 address with or without brackets
function loopback.is_host(host)
  return host == "localhost" or host == "::1" or host == "[::1]" or host:find "^127%.%d+%.%d+%.%d+$" ~= nil
end

function loopback.is_url(url)
  return loopback.is_host(url:match "^%a+://(%[[%x:.]+%])" or url:match "^%a+://([^:/?#]+)" or "")
end

return loopback
