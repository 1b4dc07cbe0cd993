-- Counts billed messages by number, category, type and country. The statuses of a message contain its price (cloud.md,
-- sections 4.7 and 11.4).

local costs = {}

-- Calling codes and countries (ITU E.164). If several countries share a calling code, the country with the most
-- subscribers is listed.
local CODES = [[
1US 7RU 20EG 27ZA 30GR 31NL 32BE 33FR 34ES 36HU 39IT 40RO 41CH 43AT 44GB 45DK 46SE 47NO 48PL 49DE 51PE 52MX 53CU
54AR 55BR 56CL 57CO 58VE 60MY 61AU 62ID 63PH 64NZ 65SG 66TH 81JP 82KR 84VN 86CN 90TR 91IN 92PK 93AF 94LK 95MM 98IR
211SS 212MA 213DZ 216TN 218LY 220GM 221SN 222MR 223ML 224GN 225CI 226BF 227NE 228TG 229BJ 230MU 231LR 232SL 233GH
234NG 235TD 236CF 237CM 238CV 239ST 240GQ 241GA 242CG 243CD 244AO 245GW 248SC 249SD 250RW 251ET 252SO 253DJ 254KE
255TZ 256UG 257BI 258MZ 260ZM 261MG 262RE 263ZW 264NA 265MW 266LS 267BW 268SZ 269KM 291ER 297AW 298FO 299GL 350GI
351PT 352LU 353IE 354IS 355AL 356MT 357CY 358FI 359BG 370LT 371LV 372EE 373MD 374AM 375BY 376AD 377MC 378SM 380UA
381RS 382ME 383XK 385HR 386SI 387BA 389MK 420CZ 421SK 423LI 501BZ 502GT 503SV 504HN 505NI 506CR 507PA 508PM 509HT
590GP 591BO 592GY 593EC 594GF 595PY 596MQ 597SR 598UY 599CW 670TL 673BN 674NR 675PG 676TO 677SB 678VU 679FJ 680PW
682CK 685WS 686KI 687NC 688TV 689PF 691FM 692MH 850KP 852HK 853MO 855KH 856LA 880BD 886TW 960MV 961LB 962JO 963SY
964IQ 965KW 966SA 967YE 968OM 970PS 971AE 972IL 973BH 974QA 975BT 976MN 977NP 992TJ 993TM 994AZ 995GE 996KG 998UZ]]

local country_of_code

local function country_of(event)
  local id, phone = event.recipient_user_id, event.recipient
  if event.group_id then id, phone = event.participant_user_id, event.participant end
  local country = id and id:match "^(%u%u)%."
  if country then return country end
  if not country_of_code then
    country_of_code = {}
    for code, name in CODES:gmatch "(%d+)(%u%u)" do country_of_code[code] = name end
  end
  for length = 1, 3 do
    country = country_of_code[(phone or ""):sub(1, length)]
    if country then return country end
  end
  return "unknown"
end

-- Returns whether a status has the price of a billed message. Only one of the statuses `delivered` and `read` has the
-- price.
local function is_billed(event)
  local pricing = event.pricing
  if type(pricing) ~= "table" or event.status ~= "delivered" and event.status ~= "read" then return false end
  if pricing.billable ~= nil then return pricing.billable end
  return pricing.type == "regular"
end

--- Adds the message of an event to the counts, if the event is a status with a price.
function costs.add(counts, event)
  if event.kind ~= "status" or event.type or not is_billed(event) then return end
  local number, category = event.number or "", event.pricing.category or "unknown"
  local kind, country = event.pricing.type or "unknown", country_of(event)
  local name = number .. "\n" .. category .. "\n" .. kind .. "\n" .. country
  local row = counts[name]
  if not row then
    row = { number = event.number, category = category, type = kind, country = country, count = 0 }
    counts[name] = row
  end
  row.count = row.count + 1
end

--- Returns the counts as a list in the order of number, category, type and country.
function costs.list(counts)
  local names, list = {}, {}
  for name in pairs(counts) do names[#names + 1] = name end
  table.sort(names)
  for index, name in ipairs(names) do list[index] = counts[name] end
  return list
end

return costs
