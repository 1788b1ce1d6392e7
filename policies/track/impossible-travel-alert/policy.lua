-- Impossible travel over the long memory, the Lua twin of the component beside it: the same settings, the same alerts.
--
--   local travel = assert(loadfile("policies/track/impossible-travel-alert/policy.lua"))({ kmh = 1000 })
--   setBackground("impossible-travel-alert", travel.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("impossible-travel-alert", {
    scan = recent.scan(), kmh = 900, min_km = 500, hours = 24, known_days = 30,
}, ...)

local function is_known(report)
    if report.asn == 0 then
        return false
    end
    local filter = recent.before(report, (settings.known_days + 1) * recent.DAY)
    return recent.known(recent.with(filter, {
        before = report.t - recent.DAY, asn = report.asn, country = report.country,
    }))
end

-- Where a user may have been before a login.
local function history_of(report)
    return recent.before(report, settings.hours * 3600)
end

-- Whether the login was told of; `newest`: the one before it (false: none), if it is known.
local function look(report, newest)
    local history = history_of(report)
    local latest
    if newest == nil then
        latest = recent.answer(reportsFind(history, 1))
    else
        latest = { newest or nil }
    end
    if latest[1] and not recent.located(latest[1]) then
        latest = recent.answer(reportsFind(history, 20))
    end
    local last
    for _, earlier in ipairs(latest) do
        if recent.located(earlier) then
            last = earlier
            break
        end
    end
    if last == nil then
        return false
    end
    local km = recent.kilometres(last, report)
    local hours = math.max((report.t - last.t) / 3600, 1 / 60)
    if km < settings.min_km or km / hours <= settings.kmh or is_known(report) then
        return false
    end
    local minutes = string.format("%.0f", hours * 60)
    recent.alert(settings.scan, "impossible-travel", report, "warning", {
        text = string.format("%.0f km in %s minutes", km, minutes),
        fields = { from = last.country, to = report.country, km = string.format("%.0f", km), minutes = minutes,
            before = last.remote },
    })
    return true
end

-- Where users were last, so that the store need not be asked about each login; see src/places.rs. Whole seconds (of some twelve
-- days), and degrees to a third of a kilometre, as one number of 53 bits.
local SECONDS, NORTH, EAST = 1048576, 65536, 131072
-- Kilometres by which a remembered place may be off, twice.
local SLACK = 2

local function packed(report)
    local north = math.floor((report.latitude + 90) / 180 * (NORTH - 1))
    local east = math.floor((report.longitude + 180) / 360 * (EAST - 1))
    return (north * EAST + east) * SECONDS + math.floor(report.t) % SECONDS
end

-- Seconds from a remembered login to one, below 0 if that is older; and the remembered place.
local function unpacked(last, report)
    local seconds = (report.t - last % SECONDS) % SECONDS
    if seconds >= SECONDS / 2 then
        seconds = seconds - SECONDS
    end
    local place = math.floor(last / SECONDS)
    return seconds, {
        latitude = math.floor(place / EAST) / (NORTH - 1) * 180 - 90,
        longitude = place % EAST / (EAST - 1) * 360 - 180,
    }
end

local walk, places, told = recent.walk(settings.scan, { "country", "city", "asn" }), recent.memory(settings.scan), recent.told(settings.scan)

-- Whether the exact times and places may be those of an impossible journey.
local function may_be_impossible(seconds, place, report)
    if seconds > settings.hours * 3600 + 1 then
        return false
    end
    local km = recent.kilometres(place, report) + SLACK
    local hours = math.max((seconds - 1) / 3600, 1 / 60)
    return km >= settings.min_km and km / hours > settings.kmh
end

-- The logins before the first one of each user whose last one is not known, by the ids of those.
local function unknown(reports)
    local users, first = {}, {}
    for _, report in ipairs(reports) do
        if recent.located(report) and not users[report.login] and not places.get(places.key(report.login)) then
            users[report.login], first[#first + 1] = true, report
        end
    end
    local known = {}
    if #first == 0 then
        return known
    end
    -- If one of them takes too long they are asked about one by one.
    for place, newest in ipairs(reportsNewestEach(recent.each(first, history_of)) or {}) do
        known[first[place].id] = newest
    end
    return known
end

-- Has a login looked at that may be impossible, or whose user's last one is not known.
local function at(report, newest)
    if not recent.located(report) then
        return
    end
    local key, here = places.key(report.login), packed(report)
    local last = places.get(key)
    local is_older = false
    if last then
        local seconds, place = unpacked(last, report)
        if seconds < 0 then
            -- It was looked at already, or showed in the store late.
            is_older = true
            if math.floor(last / SECONDS) == math.floor(here / SECONDS) then
                return
            end
        elseif not may_be_impossible(seconds, place, report) then
            places.update(key, here)
            return
        end
    end
    local address = places.key(report.login .. "\0" .. report.remote)
    if not told.has(report, address) and look(report, newest) then
        told.add(report, address)
    end
    if not is_older then
        -- What the store said is not asked again for a while.
        places.put(key, here)
    end
end

local policy = {}

function policy.background()
    places.set_time(os.time())
    if walk.skips() then
        places.clear()
    end
    walk.successes(function(reports)
        local known = unknown(reports)
        for _, report in ipairs(reports) do
            at(report, known[report.id])
        end
    end)
end

return policy
