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

local function look(report)
    if not recent.located(report) then
        return
    end
    local last
    for _, earlier in ipairs(recent.answer(reportsFind(recent.before(report, settings.hours * 3600), 20))) do
        if recent.located(earlier) then
            last = earlier
            break
        end
    end
    if last == nil then
        return
    end
    local km = recent.kilometres(last, report)
    local hours = math.max((report.t - last.t) / 3600, 1 / 60)
    if km < settings.min_km or km / hours <= settings.kmh or is_known(report) then
        return
    end
    local minutes = string.format("%.0f", hours * 60)
    recent.alert(settings.scan, "impossible-travel", report, "warning", {
        text = string.format("%.0f km in %s minutes", km, minutes),
        fields = { from = last.country, to = report.country, km = string.format("%.0f", km), minutes = minutes,
            before = last.remote },
    })
end

local policy = {}

function policy.background()
    local apart = function(report) return report.login .. "\0" .. report.remote end
    recent.successes(settings.scan, apart, look)
end

return policy
