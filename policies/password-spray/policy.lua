-- Password spray, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local password_spray = assert(loadfile("policies/password-spray/policy.lua"))({ address_block = 50 })
--   setAllow(password_spray.allow)
--   setReport(password_spray.report)
--   setReset(password_spray.reset)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("password-spray", {
    address_wait = 8, address_seconds = 3, address_block = 25, credit = 2,
    hash_wait = 15, hash_seconds = 5, hash_block = 40, hash_bits = 12,
}, ...)

newStringStatsDB("password_spray", 3600, 6, { failed = "hll", good = "hll" })
local counts = getStringStatsDB("password_spray")
counts:twSetv6Prefix(64)

local policy = {}

function policy.report(lt)
    if not known.counts(lt) then
        return
    end
    if lt.success then
        counts:twAdd(lt.remote, "good", lt.login)
        known.note(lt)
        return
    end
    if known.here(lt) then
        return
    end
    counts:twAdd(lt.remote, "failed", lt.login)
    counts:twAdd("everybody", "failed", lt.login)
    if lt.pwhash ~= "" then
        counts:twAdd("hash " .. lt.pwhash, "failed", lt.login)
    end
end

function policy.allow(lt)
    local failed = counts:twGet(lt.remote, "failed")
    local good = counts:twGet(lt.remote, "good")
    -- Behind an address from which many logins succeed, some always fail.
    local by_address = failed - good * settings.credit
    -- Short hashes are the same for different passwords: so many of everybody's failures fall on this one by chance.
    local chance = counts:twGet("everybody", "failed") / 2 ^ settings.hash_bits
    local by_hash = counts:twGet("hash " .. lt.pwhash, "failed") - 4 * chance

    local address_waits = by_address > settings.address_wait
    local hash_waits = lt.pwhash ~= "" and by_hash > settings.hash_wait
    if not (address_waits or hash_waits) or known.here(lt) then
        return "pass"
    end
    local attributes = { failed_logins = failed, good_logins = good }
    if by_address > settings.address_block then
        return -1, "Too many failed logins from your address - try again later", "spray_address_block", attributes
    end
    if hash_waits and by_hash > settings.hash_block then
        return -1, "Too many failed logins - try again later", "spray_hash_block", attributes
    end
    if address_waits then
        return settings.address_seconds, "", "spray_address_wait", attributes
    end
    return settings.hash_seconds, "", "spray_hash_wait", attributes
end

function policy.reset(kind, login, address)
    if kind ~= "login" and kind ~= "ja3" then
        counts:twReset(address)
    end
    return kind ~= "ja3"
end

return policy
