-- The products a message names, against the option `catalogs`.

local products = {}

local function has_product(catalog, wanted)
  for _, product in ipairs(catalog) do
    if product == wanted then return true end
  end
  return false
end

--- Makes what a rule asks of products: a fault when none of them exists; `context.missing` is set when only
--- some do.
---@param gateway table
---@param fault fun(code: integer, text: string, ...): waba.emulator.Fault
---@param codes { no_catalog: integer, no_product: integer }
---@param context table
---@return fun(action: table, path: string): waba.emulator.Fault|nil
function products.finder(gateway, fault, codes, context)
  return function(action, path)
    local catalogs = gateway.options.catalogs
    if not catalogs then return nil end
    local catalog = catalogs[action.catalog_id]
    if not catalog then
      return fault(codes.no_catalog, "Parameter '%s.catalog_id': there is no such catalog", path)
    end
    local wanted = { action.product_retailer_id }
    for _, section in ipairs(action.sections or {}) do
      for _, item in ipairs(section.product_items) do
        wanted[#wanted + 1] = item.product_retailer_id
      end
    end
    local found = 0
    for _, product in ipairs(wanted) do
      found = found + (has_product(catalog, product) and 1 or 0)
    end
    if found == 0 then
      return fault(codes.no_product, "none of the products exists in catalog %s", action.catalog_id)
    end
    context.missing = found < #wanted
  end
end

return products
