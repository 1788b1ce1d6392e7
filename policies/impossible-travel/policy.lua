-- Impossible travel, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local impossible_travel = assert(loadfile("policies/impossible-travel/policy.lua"))({ wait_seconds = 30 })
--   setAllow(impossible_travel.allow)
--   setReport(impossible_travel.report)
--   setReset(impossible_travel.reset)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("impossible-travel", {
    database = "City", kmh = 1000, min_km = 500, same_country = true, wait_seconds = 0, precision_minutes = 10,
}, ...)

newStringStatsDB("tracks", 86400, 30, { place = "int", minute = "int", country = "int" })
local tracks = getStringStatsDB("tracks")
local places = getGeoIP2DB(settings.database)

local private = newNetmaskGroup()
for _, network in ipairs({ "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/32",
    "fc00::/7", "::1/128", "fe80::/10", "::/128" }) do
    private:addMask(network)
end

-- Minutes since 2020; at least 1, because 0 is a field without a value.
local function minute(t)
    return math.max(math.floor(t / 60) - 26297280, 1)
end

-- Where the database sees an address: a place to a tenth of a degree as one number, and the country; nil if it does not know.
local function locate(lt)
    if private:match(lt.remote) then
        return nil
    end
    local country = places:lookupStringValue(lt.remote, { "country", "iso_code" })
    local latitude = places:lookupDoubleValue(lt.remote, { "location", "latitude" })
    local longitude = places:lookupDoubleValue(lt.remote, { "location", "longitude" })
    if not country:match("^%u%u$") or (latitude == 0 and longitude == 0) then
        return nil
    end
    local north = math.floor((latitude + 90) * 10 + 0.5)
    local east = math.floor((longitude + 180) * 10 + 0.5)
    return north * 3601 + east + 1, (country:byte(1) - 65) * 26 + country:byte(2) - 65 + 1
end

local function letters(country)
    return string.char(65 + math.floor((country - 1) / 26), 65 + (country - 1) % 26)
end

local function distance(from, to)
    local function radians(place)
        return math.rad(math.floor((place - 1) / 3601) * 0.1 - 90), (place - 1) % 3601
    end
    local here, east = radians(from)
    local there, farther = radians(to)
    local half = math.sin((there - here) / 2) ^ 2
        + math.cos(here) * math.cos(there) * math.sin(math.rad((farther - east) * 0.1) / 2) ^ 2
    return 2 * 6371 * math.asin(math.min(math.sqrt(half), 1))
end

local function last_seen(key)
    local place = tracks:twGet(key, "place")
    if place == 0 then
        return nil
    end
    return { place = place, minute = tracks:twGet(key, "minute"), country = tracks:twGet(key, "country") }
end

-- The sum of a field over all windows is the value it was set to last, because all of the key is set to nothing before.
local function put(key, place, country, now)
    local seen = last_seen(key)
    if seen and seen.place == place and now - seen.minute < settings.precision_minutes then
        return
    end
    tracks:twReset(key)
    tracks:twAdd(key, "place", place)
    tracks:twAdd(key, "minute", now)
    tracks:twAdd(key, "country", country)
end

local function device_key(lt)
    return lt.login .. "//" .. lt.device_id
end

local policy = {}

function policy.report(lt)
    if not lt.success or lt.policy_reject then
        return
    end
    local place, country = locate(lt)
    if place then
        local now = minute(lt.t)
        put(lt.login, place, country, now)
        if lt.device_id ~= "" then
            put(device_key(lt), place, country, now)
        end
    end
    known.note(lt)
end

function policy.allow(lt)
    local place, country = locate(lt)
    if not place then
        return "pass"
    end
    -- A device that is known has its own track: a machine that stays at home does not hold back the phone that travels.
    local seen = lt.device_id ~= "" and last_seen(device_key(lt)) or last_seen(lt.login)
    if not seen or (settings.same_country and seen.country == country) then
        return "pass"
    end
    local km = distance(seen.place, place)
    if km < settings.min_km then
        return "pass"
    end
    local minutes = math.max(minute(lt.t) - seen.minute, 1)
    if km / (minutes / 60) <= settings.kmh or known.here(lt) then
        return "pass"
    end
    local attributes = {
        from = letters(seen.country), to = letters(country),
        km = string.format("%.0f", km), minutes = string.format("%.0f", minutes),
    }
    if settings.wait_seconds > 0 then
        return settings.wait_seconds, "", "impossible_travel", attributes
    end
    return -1, "You logged in from far away a short time ago - try again later", "impossible_travel", attributes
end

function policy.reset(kind, login)
    if kind == "login" or kind == "ip:login" then
        tracks:twReset(login)
    end
    return kind ~= "ja3"
end

return policy
