-- Failed passwords: slows down, then stops, whoever tries many *different* wrong passwords.
--
-- Different ones, because a phone that keeps sending last week's password a thousand times is not an attack. The mail
-- server sends a hash of each password (`pwhash`), and the stats DB counts the distinct ones.
--
-- Three views, because attacks differ:
--   an address          one machine works through a list of leaked passwords, for one login or for many
--   a login             a botnet tries one mailbox, each address only a few times
--   an address + login  a person (or a small script) guessing at one mailbox
--
-- To use other limits, set the global `limits` before `dofile`; a limit that is not set keeps its value below.

local limit = {
    address = 100,         -- more different passwords from one address than this: no
    login = 200,           -- more for one login, from anywhere: wait
    login_wait = 5,        -- seconds
    pair = 3,              -- more for one login from one address: wait
    pair_wait = 3,         -- seconds
    pair_block = 20,       -- more for one login from one address than this: no
}
for name, value in pairs(limits or {}) do
    limit[name] = value
end

-- Six windows of ten minutes: every count is about the last hour, and a window's failures are forgotten as a whole.
-- In a state that runs policies this call does nothing: the DB is made once and shared by all.
newStringStatsDB("failed_passwords", 600, 6, {
    different = "hll",     -- how many distinct values: exact up to a few hundred, an estimate beyond
    failures = "int",      -- how many failures of a pair, repeated passwords included; for the support desk
})
local stats = getStringStatsDB("failed_passwords")

-- A customer with IPv6 has at least a /64 to choose addresses from, so all of it counts as one.
stats:twSetv6Prefix(64)

-- The key of an address + login pair. `getDBStats` and `reset` of the REST API use the same spelling.
local function pair_key(address, login)
    return address:tostring() .. ":" .. login
end

-- Called for each login that was tried, with its outcome.
function report(lt)
    if lt.policy_reject then
        -- We refused it ourselves: the password was never looked at.
        return
    end
    if lt.success then
        -- The right person found the right password. Only this pair is forgiven: someone who owns one mailbox must
        -- not be able to clear the record of the address.
        stats:twReset(pair_key(lt.remote, lt.login))
        return
    end
    -- The address itself, not its text, so that the DB can put it under its network.
    local address, login, password = lt.remote, lt.login, lt.pwhash
    stats:twAdd(address, "different", password)
    stats:twAdd(login, "different", password)
    local pair = pair_key(address, login)
    stats:twAdd(pair, "different", password)
    stats:twAdd(pair, "failures", 1)
end

-- Called before a login is tried, and by Dovecot once more after it. Answers four values: what to do (-1 no, 0 yes,
-- N > 0 yes after N seconds), the text for the client, the text for the log, and attributes for both.
function allow(lt)
    local address, login = lt.remote, lt.login
    local by_address = stats:twGet(address, "different")
    if by_address > limit.address then
        return -1, "Too many failed logins from your address - try again later", "address_limit",
            { different_passwords = by_address }
    end

    local by_pair = stats:twGet(pair_key(address, login), "different")
    if by_pair > limit.pair_block then
        return -1, "Too many failed logins - try again later", "pair_block",
            { different_passwords = by_pair }
    end
    if by_pair > limit.pair then
        return limit.pair_wait, "", "pair_wait", { different_passwords = by_pair }
    end

    local by_login = stats:twGet(login, "different")
    if by_login > limit.login then
        return limit.login_wait, "", "login_wait", { different_passwords = by_login }
    end

    return 0, "", "", {}
end

-- Called by the `reset` command, after the entry has been taken off the blacklist. What kind of reset it is tells
-- which of the two others are set.
function reset(kind, login, address)
    if kind == "ip" then
        stats:twReset(address)
    elseif kind == "login" then
        stats:twReset(login)
    elseif kind == "ip:login" then
        stats:twReset(pair_key(address, login))
        stats:twReset(login)
        stats:twReset(address)
    else
        return false
    end
    return true
end
