-- Dormant accounts, the Lua twin of the component beside it: the same settings, the same alerts.
--
--   local dormant = assert(loadfile("policies/track/dormant-account/policy.lua"))({ days = 90 })
--   setBackground("dormant-account", dormant.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("dormant-account", {
    scan = recent.scan(), days = 60, memory_days = 365, only_new_network = false,
}, ...)

local walk, looked = recent.walk(settings.scan, { "asn" }), recent.looked(settings.scan)

-- Whose logins are not the first for long. Nearly everybody was there a few days ago; and the store finds that quickly, from the
-- newest day on.
local function usual(reports)
    return recent.answer(reportsAnyEach(recent.each(reports, function(report)
        return recent.before(report, settings.days * recent.DAY - recent.MOMENT)
    end)))
end

-- Whether the login was told of. It is the oldest of somebody's in a while: those after it are not the first for long.
local function look(report)
    local history = recent.before(report, settings.memory_days * recent.DAY)
    local span = recent.answer(reportsFirstAndLast(history))
    if span == nil then
        return false
    end
    local days = (report.t - span.last) / recent.DAY
    if days < settings.days then
        return false
    end
    local known = report.asn ~= 0 and recent.known(recent.with(history, { asn = report.asn }))
    if known and settings.only_new_network then
        return false
    end
    local text = string.format("%.0f", days)
    recent.alert(settings.scan, "dormant-account", report, known and "info" or "warning", {
        text = "the first login for " .. text .. " days",
        fields = { days = text, known_network = known },
    })
    return true
end

local function apart(report)
    return report.login
end

local policy = {}

function policy.background()
    looked.begin()
    walk.successes(function(reports)
        looked.at(reports, apart, usual, look)
    end)
end

return policy
