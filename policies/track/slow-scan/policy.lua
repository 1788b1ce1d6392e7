-- Slow scans, the Lua twin of the component beside it: the same settings, the same alerts.
--
--   local slow_scan = assert(loadfile("policies/track/slow-scan/policy.lua"))({ days = 14 })
--   setBackground("slow-scan", slow_scan.background)

local folder = track_folder or "policies/track"
local recent = assert(loadfile(folder .. "/recent.lua"))()
local settings = recent.settings("slow-scan", {
    days = 7, logins = 20, network_logins = 60, max_success = 0.05, most = 200, channels = {}, block_seconds = 86400,
}, ...)

local function network_of(address)
    local ca = newCA(address)
    return newNetmaskFromCA(ca, ca:isIPv4() and 24 or 64):toStringNetwork()
end

-- Tells of those above the limit; not of networks with an address that was told of.
local function scan(field, limit, reason, told_networks)
    local since = os.time() - settings.days * recent.DAY
    local failed = { since = since, success = false }
    for _, ranked in ipairs(recent.answer(reportsTop(failed, field, "login", settings.most))) do
        if ranked.count < limit then
            break
        end
        local attempts = recent.answer(reportsCount({ since = since, network = ranked.value }))
        local good = recent.answer(reportsCount({ since = since, network = ranked.value, success = true }))
        if good / math.max(attempts, 1) <= settings.max_success and not told_networks[ranked.value] then
            told_networks[network_of(ranked.value:match("^[^/]+"))] = true
            local told = {
                reason = reason, ip = ranked.value:match("^[^/]+"), severity = "warning",
                block = "ip", block_seconds = settings.block_seconds,
                text = string.format("%s failed at %d logins in %d days, %d attempts", ranked.value, ranked.count,
                    settings.days, attempts),
                fields = { source = ranked.value, logins = ranked.count, attempts = attempts },
            }
            if #settings.channels > 0 then
                told.channels = settings.channels
            end
            alert(told)
        end
    end
end

local policy = {}

function policy.background()
    local told_networks = {}
    scan("address", settings.logins, "slow-scan", told_networks)
    scan("network", settings.network_logins, "slow-scan-network", told_networks)
end

return policy
