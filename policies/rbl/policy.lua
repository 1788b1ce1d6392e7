-- RBL, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local rbl = assert(loadfile("policies/rbl/policy.lua"))({ zones = { { name = "bl.example.org" } } })
--   setAllow(rbl.allow)
--   setReport(rbl.report)
--   setReset(rbl.reset)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("rbl", { resolver = "rbl", retries = 0, zones = {}, seconds = 5, block_failures = 3 }, ...)
if #settings.zones < 1 or #settings.zones > 4 then
    error("rbl: zones: 1 to 4 block lists")
end

newStringStatsDB("rbl_failures", 600, 6, { failures = "int" })
newStringStatsDB("rbl_cache", 300, 3, { asked = "hll", listed = "hll" })
local counts, cache = getStringStatsDB("rbl_failures"), getStringStatsDB("rbl_cache")
counts:twSetv6Prefix(64)
local resolver = getDNSResolver(settings.resolver)

local private = newNetmaskGroup()
for _, network in ipairs({ "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/32",
    "fc00::/7", "::1/128", "fe80::/10", "::/128" }) do
    private:addMask(network)
end

-- Whether an answer means that an address is on the list. Without a list of the zone's own: 127.0.0.2 to 127.0.0.9. Above that,
-- lists name addresses with dial-up, and 127.255.255.x is how they say that they were asked too often.
local function hit(zone, answer)
    if zone.answers == nil or #zone.answers == 0 then
        return answer:match("^127%.0%.0%.[2-9]$") ~= nil
    end
    for _, counted in ipairs(zone.answers) do
        if answer == counted then
            return true
        end
    end
    return false
end

local function listed_in(remote)
    for _, zone in ipairs(settings.zones) do
        local key = remote:tostring() .. " " .. zone.name
        local listed
        if cache:twGet(key, "asked") > 0 then
            listed = cache:twGet(key, "listed") > 0
        else
            listed = false
            for _, answer in ipairs(resolver:lookupRBL(remote, zone.name, settings.retries)) do
                listed = listed or hit(zone, answer)
            end
            cache:twAdd(key, "asked", 1)
            if listed then
                cache:twAdd(key, "listed", 1)
            end
        end
        if listed then
            return zone
        end
    end
end

local policy = {}

function policy.report(lt)
    if not known.counts(lt) then
        return
    end
    if lt.success then
        known.note(lt)
    else
        counts:twAdd(lt.remote, "failures", 1)
    end
end

function policy.allow(lt)
    if private:match(lt.remote) or known.here(lt) then
        return "pass"
    end
    local zone = listed_in(lt.remote)
    if not zone then
        return "pass"
    end
    local failures = counts:twGet(lt.remote, "failures")
    local attributes = { rbl = zone.name, failures = failures }
    if failures >= settings.block_failures then
        return -1, "Your address is on a block list", "rbl_block", attributes
    end
    return settings.seconds, "", "rbl_wait", attributes
end

function policy.reset(kind, login, address)
    if kind ~= "login" and kind ~= "ja3" then
        counts:twReset(address)
        for _, zone in ipairs(settings.zones) do
            cache:twReset(address:tostring() .. " " .. zone.name)
        end
    end
    return kind ~= "ja3"
end

return policy
