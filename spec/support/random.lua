-- Random values for property tests. A seed gives the same values on every interpreter.

local random = {}

--- Returns a generator of random integers.
---@return fun(least: integer, most: integer): integer  returns an integer from `least` to `most`
function random.rng(seed)
  local state = seed % 2147483646 + 1
  local function step()
    state = state * 16807 % 2147483647
    return state
  end
  for _ = 1, 5 do step() end -- removes the first values, which are similar for adjacent seeds
  return function(least, most) return least + step() % (most - least + 1) end
end

function random.pick(rng, list) return list[rng(1, #list)] end

function random.maybe(rng, build, ...)
  if rng(1, 2) == 1 then return build(rng, ...) end
end

local letters = {
  "a", "b", "K", "z", "0", "7", ".", ",", "?", "!", "\195\164", "\195\159", "\206\169", "\208\150", "\217\133",
  "\233\129\184", "\224\164\149", "\226\130\172",
}
local emoji = { "\240\159\145\141", "\226\156\133", "\240\159\135\169\240\159\135\170" }

-- Returns a text of 1 to `most` characters; one of four texts has `most` characters.
function random.words(rng, most, with_emoji)
  local length = rng(1, 4) == 1 and most or rng(1, math.min(most, 40))
  local text = {}
  for i = 1, length do
    local inside = i > 1 and i < length
    if inside and i % 6 == 0 then
      text[i] = " "
    elseif with_emoji and rng(1, 12) == 1 then
      text[i] = emoji[rng(1, 2)]
    else
      text[i] = random.pick(rng, letters)
    end
  end
  return table.concat(text)
end

function random.plain(rng, most) return random.words(rng, most or 60, false) end

function random.lively(rng, most) return random.words(rng, most or 60, true) end

function random.identifier(rng, most)
  local text = {}
  for i = 1, rng(1, 4) == 1 and most or rng(1, math.min(most, 30)) do
    text[i] = random.pick(rng, { "a", "x", "B", "7", "0", "-", "_", ":" })
  end
  return table.concat(text)
end

-- Returns the text with a number at its end, so that the texts in a list differ.
function random.distinct(text, i, most)
  local suffix = tostring(i)
  return text:sub(1, math.min(#text, most - #suffix)) .. suffix
end

function random.link(rng, extension)
  return ("https://cdn.example/%s%s"):format(random.identifier(rng, 40), extension or "")
end

--- Returns a list of 1 to `most` values of `build(rng, position)`.
function random.several(rng, most, build)
  local list = {}
  for i = 1, rng(1, most) do list[i] = build(rng, i) end
  return list
end

return random
