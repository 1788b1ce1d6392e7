-- What the Lua twins of the shipped policies share; the same as the crate beside it.
--
--   local known = dofile("policies/known-good/policy.lua")

-- 14 windows of a day. A DB that is there already stays as it is, so every policy may ask for it.
newStringStatsDB("known_good", 86400, 14, { good = "hll" })
local db = getStringStatsDB("known_good")

local function key(lt, v4_bits, v6_bits)
    local bits = lt.remote:isIPv4() and v4_bits or v6_bits
    return newNetmaskFromCA(lt.remote, bits):toStringNetwork() .. ":" .. lt.login
end

local known = {}

-- Notes that a login succeeded.
function known.note(lt)
    db:twAdd(key(lt, 24, 48), "good", 1)
    db:twAdd(key(lt, 16, 32), "good", 1)
end

-- Whether this login succeeded from this network within the last 14 days.
function known.here(lt)
    return db:twGet(key(lt, 24, 48), "good") > 0
end

-- Whether it succeeded from this part of its provider.
function known.nearby(lt)
    return db:twGet(key(lt, 16, 32), "good") > 0
end

-- Whether a report says anything about who tried: not if a policy refused the login, so that nobody looked at the password,
-- and not if it failed because of the server, or an outage would lock everybody out.
function known.counts(lt)
    return not lt.policy_reject and (lt.success or lt.fail_type ~= "internal")
end

-- What tells two passwords apart. Of a client that sends no hash every failure counts as another password.
function known.password(lt)
    if lt.pwhash == "" then
        return string.format("at %.0f", math.floor(lt.t * 1000))
    end
    return lt.pwhash
end

-- The key under which a login at an address is counted.
function known.pair(address, login)
    return address:tostring() .. ":" .. login
end

-- The settings of a policy: what it has, with what the operator gave instead. A name that it does not have is a mistake.
function known.settings(policy, has, given)
    for name, value in pairs(given or {}) do
        if has[name] == nil then
            error(policy .. ": there is no setting " .. tostring(name))
        end
        has[name] = value
    end
    return has
end

return known
