-- Credential stuffing, the Lua twin of the component beside it: the same settings, the same alerts.
--
--   local stuffing = assert(loadfile("policies/track/credential-stuffing/policy.lua"))({ logins = 100 })
--   setBackground("credential-stuffing", stuffing.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("credential-stuffing", {
    hours = 24, logins = 40, max_success = 0.1, attempts = 2, list_order = 0.85, list_logins = 15, most = 200,
    channels = {}, entered_channels = {}, block_seconds = 86400,
}, ...)
local LATEST, LONG = 2000, 12

local function in_order(logins)
    if #logins < LONG then
        return 0
    end
    local rising = 0
    for place = 2, #logins do
        if logins[place - 1] < logins[place] then
            rising = rising + 1
        end
    end
    return rising / (#logins - 1)
end

local function tell(told, channels)
    if #channels > 0 then
        told.channels = channels
    end
    alert(told)
end

local function look(address)
    local found = recent.answer(reportsFind({ since = os.time() - settings.hours * 3600, ip = address }, LATEST))
    local logins, known, entered = {}, {}, {}
    for place = #found, 1, -1 do
        local report = found[place]
        if not known[report.login] then
            known[report.login] = true
            logins[#logins + 1] = report.login
        end
        if report.success then
            entered[#entered + 1] = report
        end
    end
    local listed = in_order(logins) >= settings.list_order
    local enough = #logins >= settings.logins or (listed and #logins >= math.max(settings.list_logins, LONG))
    if not enough or #entered / math.max(#found, 1) > settings.max_success
        or #found / math.max(#logins, 1) > settings.attempts then
        return
    end
    tell({
        reason = "credential-stuffing", ip = address, severity = "warning", block = "ip",
        block_seconds = settings.block_seconds,
        text = string.format("%d logins tried in %d hours, %d attempts succeeded", #logins, settings.hours, #entered),
        fields = { logins = #logins, succeeded = #entered, list_order = listed },
    }, settings.channels)
    for _, report in ipairs(entered) do
        tell({
            reason = "stuffed-account", login = report.login, ip = report.remote, time = report.t, severity = "critical",
            text = "somebody with a list of passwords got in", confirm = true,
        }, settings.entered_channels)
    end
end

local policy = {}

function policy.background()
    local failed = { since = os.time() - settings.hours * 3600, success = false }
    local least = math.min(settings.logins, settings.list_logins)
    for _, ranked in ipairs(recent.answer(reportsTop(failed, "address", "login", settings.most))) do
        if ranked.count < least * (1 - settings.max_success) then
            break
        end
        look(ranked.value)
    end
end

return policy
