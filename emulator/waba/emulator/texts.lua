-- What texts can be: WhatsApp's markup, emojis, web addresses. Both gateways forbid them in places.

local texts = {}

local MARKUP = { "%*", "_", "~" }

--- Whether a text has WhatsApp's markup: what stands between two equal signs that touch it and touch no
--- other word.
---@param text string
---@return boolean
function texts.has_markup(text)
  if text:find("```", 1, true) then return true end
  for _, sign in ipairs(MARKUP) do
    if (" " .. text .. " "):find("[%s%p]" .. sign .. "[^%s" .. sign .. "][^" .. sign .. "\n]-" .. sign .. "[%s%p]")
      and (" " .. text .. " "):find("[^%s]" .. sign .. "[%s%p]") then
      return true
    end
  end
  return false
end

--- Whether a text has pictographs, or dingbats that phones show in colour.
---@param text string
---@return boolean
function texts.has_emoji(text)
  return (text:find("\240\159[\128-\191][\128-\191]") or text:find("\226[\152-\158][\128-\191]")
    or text:find("\239\184\143")) ~= nil
end

--- Whether a text is an http or https address.
---@param text string
---@return boolean
function texts.is_web_address(text)
  return text:find("^[hH][tT][tT][pP][sS]?://[^%s/]+") ~= nil and not text:find("%s")
end

return texts
