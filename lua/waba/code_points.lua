-- Code points of texts in UTF-8, and sets of code points.

local code_points = {}

--- The pattern of a character in valid UTF-8.
code_points.CHARACTER = "[%z\1-\127\194-\244][\128-\191]*"

function code_points.of(character)
  local lead = character:byte()
  local point = lead < 192 and lead or lead % (lead >= 240 and 8 or 32)
  for i = 2, #character do point = point * 64 + character:byte(i) % 64 end
  return point
end

--- Creates a function that returns whether a code point is in a set. The first call of the function parses `ranges`.
---@param ranges string  hexadecimal code points and ranges in ascending order: "20e3 231a-231b"
function code_points.set(ranges)
  local first, last
  return function(point)
    if not first then
      first, last = {}, {}
      for from, to in ranges:gmatch "(%x+)%-?(%x*)" do
        first[#first + 1] = tonumber(from, 16)
        last[#last + 1] = to ~= "" and tonumber(to, 16) or first[#first]
      end
    end
    local low, high = 1, #first
    while low < high do
      local middle = math.floor((low + high + 1) / 2)
      if first[middle] <= point then low = middle else high = middle - 1 end
    end
    return point >= first[low] and point <= last[low]
  end
end

return code_points
