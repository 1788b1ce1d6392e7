-- Brute force, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local brute_force = assert(loadfile("policies/brute-force/policy.lua"))({ pair_block = 10 })
--   setAllow(brute_force.allow)
--   setReport(brute_force.report)
--   setReset(brute_force.reset)

local settings = {
    address_wait = 25, address_seconds = 2, address_block = 100,
    pair_wait = 3, pair_seconds = 3, pair_block = 20,
    login_wait = 50, login_seconds = 5,
}
for name, value in pairs(... or {}) do
    if settings[name] == nil then
        error("brute-force: there is no setting " .. tostring(name))
    end
    settings[name] = value
end

newStringStatsDB("brute_force", 600, 6, { different = "hll" })
newStringStatsDB("known_good", 86400, 14, { good = "hll" })
local counts, known = getStringStatsDB("brute_force"), getStringStatsDB("known_good")
counts:twSetv6Prefix(64)

local function pair_key(address, login)
    return address:tostring() .. ":" .. login
end

-- Wider than an address: dial-up customers change theirs daily.
local function known_key(address, login)
    return newNetmaskFromCA(address, address:isIPv4() and 24 or 48):toStringNetwork() .. ":" .. login
end

local policy = {}

function policy.report(lt)
    if lt.policy_reject then
        return
    end
    local pair = pair_key(lt.remote, lt.login)
    if lt.success then
        counts:twReset(pair)
        known:twAdd(known_key(lt.remote, lt.login), "good", 1)
        return
    end
    counts:twAdd(lt.remote, "different", lt.pwhash)
    counts:twAdd(pair, "different", lt.pwhash)
    counts:twAdd(lt.login, "different", lt.pwhash)
end

function policy.allow(lt)
    local by_pair = counts:twGet(pair_key(lt.remote, lt.login), "different")
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
    if known:twGet(known_key(lt.remote, lt.login), "good") > 0 then
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
    if kind == "ip" then
        counts:twReset(address)
    elseif kind == "login" then
        counts:twReset(login)
    elseif kind == "ip:login" then
        counts:twReset(pair_key(address, login))
        counts:twReset(address)
        counts:twReset(login)
        known:twReset(known_key(address, login))
    else
        return false
    end
    return true
end

return policy
