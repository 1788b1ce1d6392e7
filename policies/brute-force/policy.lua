-- Brute force, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local brute_force = assert(loadfile("policies/brute-force/policy.lua"))({ pair_block = 10 })
--   setAllow(brute_force.allow)
--   setReport(brute_force.report)
--   setReset(brute_force.reset)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("brute-force", {
    address_wait = 25, address_seconds = 2, address_block = 100,
    pair_wait = 3, pair_seconds = 3, pair_block = 20,
    login_wait = 50, login_seconds = 5,
}, ...)

newStringStatsDB("brute_force", 600, 6, { different = "hll" })
local counts = getStringStatsDB("brute_force")
counts:twSetv6Prefix(64)

local policy = {}

function policy.report(lt)
    if not known.counts(lt) then
        return
    end
    local pair = known.pair(lt.remote, lt.login)
    if lt.success then
        counts:twReset(pair)
        known.note(lt)
        return
    end
    local tried = known.password(lt)
    counts:twAdd(pair, "different", tried)
    -- Mistakes of an owner count for the pair, but not against colleagues behind the same address.
    if not known.here(lt) then
        counts:twAdd(lt.remote, "different", tried)
        counts:twAdd(lt.login, "different", tried)
    end
end

function policy.allow(lt)
    local by_pair = counts:twGet(known.pair(lt.remote, lt.login), "different")
    if by_pair > settings.pair_block then
        return -1, "Too many failed logins - try again later", "pair_block", { different_passwords = by_pair }
    end
    if by_pair > settings.pair_wait then
        return settings.pair_seconds, "", "pair_wait", { different_passwords = by_pair }
    end
    local by_address = counts:twGet(lt.remote, "different")
    local by_login = counts:twGet(lt.login, "different")
    if by_address <= settings.address_wait and by_login <= settings.login_wait then
        return "pass"
    end
    if known.here(lt) then
        return "pass"
    end
    if by_address > settings.address_block then
        return -1, "Too many failed logins from your address - try again later", "address_block",
            { different_passwords = by_address }
    end
    if by_address > settings.address_wait then
        return settings.address_seconds, "", "address_wait", { different_passwords = by_address }
    end
    return settings.login_seconds, "", "login_wait", { different_passwords = by_login }
end

function policy.reset(kind, login, address)
    if kind == "ip" or kind == "ip:ja3" then
        counts:twReset(address)
    elseif kind == "login" then
        counts:twReset(login)
    elseif kind == "ip:login" then
        counts:twReset(known.pair(address, login))
        counts:twReset(address)
        counts:twReset(login)
    else
        return false
    end
    return true
end

return policy
