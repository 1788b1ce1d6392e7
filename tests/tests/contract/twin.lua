-- The functions of the contract by the names they have there, with arguments in text and answers in text: what
-- guest-sdk/guests/everything does by its imports.

local function address(a) return newCA(a.ip) end
local function key(a) return a.ip and address(a) or a.key or "" end
local function value(a)
    if a.number then return tonumber(a.number) end
    if a["value-ip"] then return newCA(a["value-ip"]) end
    return a.value
end
local function db(a) return getStringStatsDB(a.db or "db") end
local function words(text)
    local found = {}
    for word in (text or ""):gmatch("%S+") do found[#found + 1] = word end
    return found
end
local function pairs_of(t, text)
    local found = {}
    for name, content in pairs(t) do found[#found + 1] = name .. "=" .. text(content) end
    table.sort(found)
    return table.concat(found, " ")
end

local kinds = { ip = "IP", netmask = "Netmask", login = "Login", ["ip-login"] = "IPLogin", ja3 = "JA3", ["ip-ja3"] = "IPJA3" }
local function subject(a)
    if a.kind == "netmask" then return newNetmask(a.netmask) end
    local second = a.login or a.ja3
    if a.kind == "ip" then return address(a) end
    if a.kind:sub(1, 3) == "ip-" then return address(a), second end
    return second
end
-- With what follows behind the one or two values of a subject.
local function list(name, a, ...)
    local first, second = subject(a)
    if second then return _G[name](first, second, ...) end
    return _G[name](first, ...)
end
local colours = { black = "Black", white = "White" }

local calls = {
    ["addresses.parse"] = function(a) return newCA(a.text):tostring() end,
    ["addresses.text"] = function(a) return address(a):tostring() end,
    ["addresses.parse-netmask"] = function(a) return newNetmask(a.text):toStringNetwork() end,
    ["addresses.netmask-text"] = function(a) return newNetmaskFromCA(address(a), tonumber(a.bits)):toStringNetwork() end,
    ["addresses.is-in"] = function(a)
        local group = newNetmaskGroup()
        for _, network in ipairs(words(a.networks)) do group:addMask(network) end
        return group:match(address(a))
    end,

    ["stats.db.name"] = function(a) return db(a):twGetName() end,
    ["stats.db.add"] = function(a) db(a):twAdd(key(a), a.field, value(a)) end,
    ["stats.db.add-count"] = function(a) db(a):twAdd(key(a), a.field, value(a), tonumber(a.count)) end,
    ["stats.db.sub"] = function(a) db(a):twSub(key(a), a.field, value(a)) end,
    ["stats.db.get"] = function(a) return db(a):twGet(key(a), a.field) end,
    ["stats.db.get-value"] = function(a) return db(a):twGet(key(a), a.field, value(a)) end,
    ["stats.db.current"] = function(a)
        if value(a) == nil then return db(a):twGetCurrent(key(a), a.field) end
        return db(a):twGetCurrent(key(a), a.field, value(a))
    end,
    ["stats.db.windows"] = function(a)
        if value(a) == nil then return table.concat(db(a):twGetWindows(key(a), a.field), " ") end
        return table.concat(db(a):twGetWindows(key(a), a.field, value(a)), " ")
    end,
    ["stats.db.batch"] = function(a)
        local found = {}
        for _, step in ipairs(words(a.steps)) do
            local what, field, with = step:match("^(%w+):(%w+):?(%w*)$")
            if with == "" then with = nil end
            with = tonumber(with) or with
            local of, answer = key(a), 0
            if what == "add" then db(a):twAdd(of, field, with or 1)
            elseif what == "sub" then db(a):twSub(of, field, with or 1)
            elseif what == "get" then answer = with and db(a):twGet(of, field, with) or db(a):twGet(of, field)
            else answer = with and db(a):twGetCurrent(of, field, with) or db(a):twGetCurrent(of, field) end
            found[#found + 1] = answer
        end
        return table.concat(found, " ")
    end,
    ["stats.db.reset"] = function(a) db(a):twReset(key(a)) end,
    ["stats.db.reset-field"] = function(a) db(a):twResetField(key(a), a.field) end,
    ["stats.db.size"] = function(a) return db(a):twGetSize() end,
    ["stats.db.address-key"] = function(a)
        local ip = address(a)
        local bits = ip:isIPv4() and db(a):twGetv4Prefix() or db(a):twGetv6Prefix()
        return newNetmaskFromCA(ip, bits):toStringNetwork()
    end,

    ["lists.add"] = function(a) list(a.which .. "list" .. kinds[a.kind], a, tonumber(a.seconds), a.reason) end,
    ["lists.delete"] = function(a) list("un" .. a.which .. "list" .. kinds[a.kind], a) end,
    ["lists.check"] = function(a) return list("check" .. colours[a.which] .. "list" .. kinds[a.kind], a) end,
    ["lists.entries"] = function(a)
        local found = {}
        for at, entry in ipairs(_G["get" .. kinds[a.kind] .. colours[a.which] .. "list"]()) do
            if at > tonumber(a.limit) then break end
            found[at] = pairs_of(entry, function(text) return text:match("^%d+%-%a+%-%d+ ") and "later" or text end)
        end
        return table.concat(found, ", ")
    end,

    ["geoip.database.country"] = function(a) return getGeoIP2DB(a.db):lookupCountry(address(a)) end,
    ["geoip.database.isp"] = function(a) return getGeoIP2DB(a.db):lookupISP(address(a)) end,
    ["geoip.database.city"] = function(a)
        local place = getGeoIP2DB(a.db):lookupCity(address(a))
        return ("%s|%s|%s|%s|%s|%s|%.3f|%.3f"):format(place.country_code, place.country_name, place.region, place.city,
            place.postal_code, place.continent_code, place.latitude, place.longitude)
    end,
    ["geoip.database.text"] = function(a) return getGeoIP2DB(a.db):lookupStringValue(address(a), words(a.path)) end,
    ["geoip.database.unsigned"] = function(a) return getGeoIP2DB(a.db):lookupUIntValue(address(a), words(a.path)) end,
    ["geoip.database.flag"] = function(a) return getGeoIP2DB(a.db):lookupBoolValue(address(a), words(a.path)) end,
    ["geoip.database.double"] = function(a)
        return ("%.3f"):format(getGeoIP2DB(a.db):lookupDoubleValue(address(a), words(a.path)))
    end,

    ["webhooks.run"] = function(a) runCustomWebHook(a.name, a.body) end,
    ["metrics.increment"] = function(a) incCustomStat(a.name) end,
    ["log.write"] = function(a)
        local names = { debug = "debugLog", verbose = "vinfoLog", info = "infoLog", warning = "warnLog", error = "errorLog" }
        _G[names[a.level]](a.message, { from = "here" })
    end,
    ["clock.now"] = function() return os.time() end,
}

-- Questions to the report store.

local function filter(a)
    local which = {}
    for _, name in ipairs({ "login", "network", "country", "city", "device", "protocol", "pwhash" }) do which[name] = a[name] end
    for _, name in ipairs({ "since", "before", "asn" }) do which[name] = tonumber(a[name]) end
    for _, name in ipairs({ "success", "policy_reject" }) do
        if a[name] then which[name] = a[name] == "true" end
    end
    if a.confirmation then which.confirmations = { a.confirmation } end
    if a.realm then which.attrs = { realm = a.realm } end
    return which
end
-- That one, and one that fits nothing.
local function both(a)
    local nothing = filter(a)
    nothing.login = "nobody at all"
    return { filter(a), nothing }
end
local function lines(found, text)
    for at, one in ipairs(found) do found[at] = text(one) end
    return table.concat(found, ", ")
end

local function shown(r)
    return ("%s %s %s %s %s %s %s|%s|%s|%.3f|%.3f|%s|%s|%s|%s"):format(r.t, r.login, r.remote, tostring(r.success),
        tostring(r.policy_reject), r.protocol or "", r.fail_type or "", r.country or "", r.city or "", r.latitude or 0,
        r.longitude or 0, r.asn or 0, r.device or "", r.pwhash or "", r.confirmation)
end

local questions = {
    find = function(a) return lines(reportsFind(filter(a), tonumber(a.limit)), shown) end,
    -- Behind the first one, if that is wanted: what the next page would have.
    ["find-oldest"] = function(a)
        local first = a.next and reportsFindOldest(filter(a), 1)[1]
        if first then return lines(reportsFindOldest(filter(a), tonumber(a.limit), first), shown) end
        return lines(reportsFindOldest(filter(a), tonumber(a.limit), nil, a.field and { a.field }), shown)
    end,
    any = function(a) return reportsAny(filter(a)) end,
    ["any-each"] = function(a) return lines(reportsAnyEach(both(a)), tostring) end,
    ["newest-each"] = function(a)
        return lines(reportsNewestEach(both(a)), function(one) return one and shown(one) or "none" end)
    end,
    ["count-each"] = function(a) return lines(reportsCountEach(both(a)), tostring) end,
    ["distinct-each"] = function(a) return lines(reportsDistinctEach(both(a), a.field), tostring) end,
    seen = function(a) return reportsSeen(a.login, a.field, a.value, tonumber(a.since)) end,
    ["first-and-last"] = function(a)
        local span = reportsFirstAndLast(filter(a))
        return span and span.first .. " " .. span.last
    end,
    count = function(a) return reportsCount(filter(a)) end,
    distinct = function(a) return reportsDistinct(filter(a), a.field) end,
    top = function(a)
        return lines(reportsTop(filter(a), a.field, a.by, tonumber(a.limit)), function(one)
            return one.value .. " " .. one.count
        end)
    end,
    significant = function(a)
        local found = reportsSignificant(filter(a), a.field, tonumber(a.baseline), tonumber(a.limit))
        return lines(found, function(one)
            return ("%s %s %s %s"):format(one.value, one.count, one.baseline, tostring(one.score > 0))
        end)
    end,
    histogram = function(a)
        return lines(reportsHistogram(filter(a), tonumber(a.seconds)), function(slot)
            return ("%s %s %s"):format(slot.t, slot.count, slot.failures)
        end)
    end,
    confirm = function(a) return reportsConfirm(a.id or reportsFind(filter(a), 1)[1].id, a.said) end,
    search = function(a) return elasticSearch(a.index, a.query) end,
}
for name, question in pairs(questions) do calls["reports." .. name] = question end

local function answer(args)
    local call = calls[args.attrs.call]
    if not call then error("no call " .. args.attrs.call) end
    local answer = call(args.attrs)
    -- What answers nothing is the empty text; what there is not is "nil".
    if answer == nil then answer = questions[args.attrs.call:match("^reports%.(.*)")] and "nil" or "" end
    return true, { value = tostring(answer) }
end
-- trackalert has no report sinks for an endpoint's requests to go to.
if getStringStatsDB then setCustomEndpoint("lua", false, answer) else setCustomEndpoint("lua", answer) end

-- What a login brings along.
function seen(lt)
    local function same(text) return text end
    local function joined(texts) return table.concat(texts, "+") end
    return {
        t = tostring(lt.t), remote = lt.remote:tostring(), login = lt.login, pwhash = lt.pwhash, device_id = lt.device_id,
        protocol = lt.protocol, session_id = lt.session_id, fail_type = lt.fail_type, success = tostring(lt.success),
        policy_reject = tostring(lt.policy_reject), tls = tostring(lt.tls), one = lt.attrs.one, none = "nil",
        many = table.concat(lt.attrs_mv.many, " "), attributes = pairs_of(lt.attrs, same),
        multi_attributes = pairs_of(lt.attrs_mv, joined), family = lt.device_attrs["imapc.family"],
        device_attributes = pairs_of(lt.device_attrs, same),
    }
end
