-- Compromised accounts, the Lua twin of the component beside it: the same settings, the same alerts.
--
--   local compromised = assert(loadfile("policies/track/compromised-account/policy.lua"))({ failures = 50 })
--   setBackground("compromised-account", compromised.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("compromised-account", {
    scan = recent.scan(), hours = 48, failures = 20, networks = 5, known_days = 60,
    burst_hours = 6, burst_networks = 4, burst_countries = 3,
}, ...)

local walk, looked = recent.walk(settings.scan, {}), recent.looked(settings.scan)

local function is_known(report)
    local filter = recent.before(report, settings.known_days * recent.DAY)
    return recent.known(recent.with(filter, {
        before = report.t - settings.hours * 3600, network = report.network,
    }))
end

-- Failures of the user before a login.
local function failed_before(report)
    return { since = report.t - settings.hours * 3600, before = report.t, login = report.login, success = false,
        policy_reject = false }
end

-- Successes of the user in a short time, a login included.
local function good_until(report)
    return recent.with(recent.before(report, settings.burst_hours * 3600), { before = report.t + 0.001 })
end

-- Before which logins there were few failures and few networks.
local function usual(reports)
    local failures = recent.answer(reportsCountEach(recent.each(reports, failed_before)))
    local networks = recent.answer(reportsDistinctEach(recent.each(reports, good_until), "asn"))
    for place, count in ipairs(failures) do
        failures[place] = count < settings.failures and networks[place] < settings.burst_networks
    end
    return failures
end

local function guessed(report)
    local failed = failed_before(report)
    local failures = recent.answer(reportsCount(failed))
    if failures < settings.failures then
        return false
    end
    local networks = recent.answer(reportsDistinct(failed, "network"))
    if networks < settings.networks or is_known(report) then
        return false
    end
    recent.alert(settings.scan, "compromised-account", report, "critical", {
        text = string.format("a login succeeded after %d failures from %d networks", failures, networks),
        fields = { failures = failures, networks = networks },
    })
    return true
end

local function everywhere(report)
    local good = good_until(report)
    local networks = recent.answer(reportsDistinct(good, "asn"))
    if networks < settings.burst_networks then
        return false
    end
    local countries = recent.answer(reportsDistinct(good, "country"))
    if countries < settings.burst_countries then
        return false
    end
    recent.alert(settings.scan, "account-everywhere", report, "critical", {
        text = string.format("logins from %d providers in %d countries in %d hours", networks, countries,
            settings.burst_hours),
        fields = { networks = networks, countries = countries },
    })
    return true
end

-- Whether the login was told of.
local function look(report)
    local told = guessed(report)
    return everywhere(report) or told
end

local function apart(report)
    return report.login .. "\0" .. report.network
end

local policy = {}

function policy.background()
    looked.begin()
    walk.successes(function(reports)
        looked.at(reports, apart, usual, look)
    end)
end

return policy
