-- New logins, the Lua twin of the component beside it: the same settings, the same alerts. README.md explains both.
--
--   local new_login = assert(loadfile("policies/track/new-login-alert/policy.lua"))({ network = true })
--   setBackground("new-login-alert", new_login.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("new-login-alert", {
    scan = recent.scan(), country = true, device = true, network = false,
    memory_days = 90, learning_days = 14, learning_logins = 10,
}, ...)
local LATEST = 50

local function is_learning(report, history, latest)
    if #latest < math.min(settings.learning_logins, LATEST) then
        return true
    end
    local long_ago = report.t - settings.learning_days * recent.DAY
    if #latest > 0 and latest[#latest].t <= long_ago then
        return false
    end
    return not recent.known(recent.with(history, { before = long_ago }))
end

local function is_new(report, history, latest, field)
    local value = report[field]
    if value == nil or value == "" or value == 0 then
        return false
    end
    for _, old in ipairs(latest) do
        if old[field] == value then
            return false
        end
    end
    return not recent.known(recent.with(history, { [field] = value }))
end

local function look(report)
    local history = recent.before(report, settings.memory_days * recent.DAY)
    local latest = recent.answer(reportsFind(history, LATEST))
    if is_learning(report, history, latest) then
        return
    end
    local new = {}
    for _, kind in ipairs({ { "country", "country" }, { "device", "device" }, { "network", "asn" } }) do
        if settings[kind[1]] and is_new(report, history, latest, kind[2]) then
            new[#new + 1] = kind[1]
        end
    end
    if #new > 0 then
        recent.alert(settings.scan, "new-" .. new[1], report, #new > 1 and "warning" or "info",
            { fields = { new = table.concat(new, ", ") } })
    end
end

local policy = {}

function policy.background()
    local apart = function(report)
        return table.concat({ report.login, report.country, report.asn, report.device }, "\0")
    end
    recent.successes(settings.scan, apart, look)
end

return policy
