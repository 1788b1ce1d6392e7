-- Geo-fence, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local geo_fence = assert(loadfile("policies/geo-fence/policy.lua"))({ allow = { "GB", "IE" } })
--   setAllow(geo_fence.allow)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("geo-fence", {
    database = "Country", allow = {}, deny = {}, domains = {}, unknown = "pass", wait_seconds = 0,
}, ...)

-- A list of codes as a set; a mistake in it would lock out a whole country, or let it in.
local function countries(list)
    local set = {}
    for _, code in ipairs(list or {}) do
        if not tostring(code):match("^%u%u$") or code == "UK" then
            error("geo-fence: " .. tostring(code) .. " is no country: write two capital letters (ISO 3166-1)")
        end
        set[code] = true
    end
    return set
end

local function fence(from)
    return { allow = countries(from.allow), deny = countries(from.deny) }
end

local general, domains = fence(settings), {}
for domain, own in pairs(settings.domains) do
    domains[domain:lower()] = fence(own)
end

local places = getGeoIP2DB(settings.database)
local private = newNetmaskGroup()
for _, network in ipairs({ "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/32",
    "fc00::/7", "::1/128", "fe80::/10", "::/128" }) do
    private:addMask(network)
end

local policy = {}

function policy.allow(lt)
    if private:match(lt.remote) then
        return "pass"
    end
    local domain = lt.login:match("@([^@]*)$")
    local around = domain and domains[domain:lower()] or general
    local open = next(around.allow) == nil and next(around.deny) == nil
    if open then
        return "pass"
    end
    local country = places:lookupStringValue(lt.remote, { "country", "iso_code" })
    local inside
    if country == "" then
        inside, country = settings.unknown == "pass", "unknown"
    else
        inside = not around.deny[country] and (next(around.allow) == nil or around.allow[country])
    end
    if inside then
        return "pass"
    end
    if settings.wait_seconds > 0 then
        return settings.wait_seconds, "", "geo_fence", { country = country }
    end
    return -1, "Logins from your country are not allowed", "geo_fence", { country = country }
end

return policy
