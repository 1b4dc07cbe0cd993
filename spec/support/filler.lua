-- Texts and lists of a certain length, for tests of limits.

local filler = {}

--- Returns a text of two bytes for each character.
function filler.text(length) return ("\195\164"):rep(length) end

function filler.ascii(length) return ("a"):rep(length) end

--- Returns a list of `count` elements; `make` gets the position of each element and returns the element.
function filler.list(count, make)
  local list = {}
  for i = 1, count do list[i] = make(i) end
  return list
end

return filler
