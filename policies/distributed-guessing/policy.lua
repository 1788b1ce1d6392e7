-- Distributed guessing, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local guessing = assert(loadfile("policies/distributed-guessing/policy.lua"))({ block = 50 })
--   setAllow(guessing.allow)
--   setReport(guessing.report)
--   setReset(guessing.reset)

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("distributed-guessing", { wait = 5, seconds = 5, block = 20 }, ...)

newStringStatsDB("guessing", 7200, 12, { networks = "hll", passwords = "hll" })
local counts = getStringStatsDB("guessing")

local policy = {}

function policy.report(lt)
    if not known.counts(lt) then
        return
    end
    if lt.success then
        known.note(lt)
        return
    end
    if known.here(lt) then
        return
    end
    local network = newNetmaskFromCA(lt.remote, lt.remote:isIPv4() and 24 or 48):toStringNetwork()
    counts:twAdd(lt.login, "networks", network)
    counts:twAdd(lt.login, "passwords", known.password(lt))
end

function policy.allow(lt)
    local networks = counts:twGet(lt.login, "networks")
    local passwords = counts:twGet(lt.login, "passwords")
    -- A phone on the road brings one stale password through many networks; a guesser in one place is another policy's.
    local guesses = math.min(networks, passwords)
    if guesses <= settings.wait or known.here(lt) then
        return "pass"
    end
    local attributes = { networks = networks, different_passwords = passwords }
    if guesses > settings.block and not known.nearby(lt) then
        return -1, "Too many failed logins - try again later", "guessing_block", attributes
    end
    return settings.seconds, "", "guessing_wait", attributes
end

function policy.reset(kind, login)
    if kind == "login" or kind == "ip:login" then
        counts:twReset(login)
    end
    return kind ~= "ja3"
end

return policy
