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
local MOST_LEARNING = 50

local walk, looked = recent.walk(settings.scan, { "country", "asn", "device" }), recent.looked(settings.scan)

-- Whether there is too little before this login to know what is new.
local function is_learning(report, history)
    if not recent.known(recent.with(history, { before = report.t - settings.learning_days * recent.DAY })) then
        return true
    end
    local wanted = math.min(settings.learning_logins, MOST_LEARNING)
    return wanted > 0 and #recent.answer(reportsFind(history, wanted)) < wanted
end

-- What a login has that is told if it is new: all of it, and part by part.
local function traits(report)
    local all, parts = {}, {}
    for _, kind in ipairs({ { "country", "country" }, { "device", "device" }, { "network", "asn" } }) do
        local part, field = kind[1], kind[2]
        local value = report[field]
        if settings[part] and value ~= nil and value ~= "" and value ~= 0 then
            all[field] = value
            parts[#parts + 1] = { part, field }
        end
    end
    return all, parts
end

local function history_of(report)
    return recent.before(report, settings.memory_days * recent.DAY)
end

-- Of which logins nothing is new: nearly always the store finds one just like it, and quickly, from the newest day on.
local function usual(reports)
    local is_usual, asked, places = {}, {}, {}
    for place, report in ipairs(reports) do
        local all, parts = traits(report)
        is_usual[place] = #parts == 0
        if #parts > 0 then
            asked[#asked + 1], places[#places + 1] = recent.with(history_of(report), all), place
        end
    end
    for number, seen in ipairs(recent.answer(reportsAnyEach(asked))) do
        is_usual[places[number]] = seen
    end
    return is_usual
end

-- What is new about a login that is like none before it.
local function news(report, history)
    local new = {}
    local _, parts = traits(report)
    for _, kind in ipairs(parts) do
        if not recent.known(recent.with(history, { [kind[2]] = report[kind[2]] })) then
            new[#new + 1] = kind[1]
        end
    end
    return new
end

-- Whether the login was told of.
local function look(report)
    local history = history_of(report)
    local new = news(report, history)
    if #new == 0 or is_learning(report, history) then
        return false
    end
    recent.alert(settings.scan, "new-" .. new[1], report, #new > 1 and "warning" or "info",
        { fields = { new = table.concat(new, ", ") } })
    return true
end

local function apart(report)
    return table.concat({ report.login, report.country, report.asn, report.device }, "\0")
end

local policy = {}

function policy.background()
    looked.begin()
    walk.successes(function(reports)
        looked.at(reports, apart, usual, look)
    end)
end

return policy
