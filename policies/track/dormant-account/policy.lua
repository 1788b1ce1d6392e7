-- Dormant accounts, the Lua twin of the component beside it: the same settings, the same alerts.
--
--   local dormant = assert(loadfile("policies/track/dormant-account/policy.lua"))({ days = 90 })
--   setBackground("dormant-account", dormant.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("dormant-account", {
    scan = recent.scan(), days = 60, memory_days = 365, only_new_network = false,
}, ...)

-- The newest login of somebody in a scan that began with this moment.
local function look(newest, begin)
    local memory = settings.memory_days * recent.DAY
    local span = recent.answer(reportsFirstAndLast(recent.with(recent.before(newest, memory), { before = begin })))
    if span == nil or (newest.t - span.last) / recent.DAY < settings.days then
        return
    end
    -- Those after the first are not the first for long.
    local since = recent.with(recent.before(newest, newest.t - begin), { before = newest.t + recent.MOMENT })
    local all = recent.answer(reportsFind(since, recent.MOST))
    local report = all[#all]
    local days = report and (report.t - span.last) / recent.DAY or 0
    if days < settings.days then
        return
    end
    local history = recent.before(report, memory)
    local known = report.asn ~= 0 and recent.known(recent.with(history, { asn = report.asn }))
    if known and settings.only_new_network then
        return
    end
    local text = string.format("%.0f", days)
    recent.alert(settings.scan, "dormant-account", report, known and "info" or "warning", {
        text = "the first login for " .. text .. " days",
        fields = { days = text, known_network = known },
    })
end

local policy = {}

function policy.background()
    local begin = recent.begin(settings.scan)
    recent.successes(settings.scan, function(report) return report.login end, function(report) look(report, begin) end)
end

return policy
