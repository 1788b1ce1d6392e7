//! Arity and conversions.

use super::*;

#[test]
fn the_number_of_arguments_is_exact() {
    check(
        Role::Config,
        &[
            ("addACL()", "~requires at least 1 parameter(s)"),
            ("addACL('1.2.3.4', 1)", "~at most 1 parameter(s)"),
            ("shutdown(1)", "~at most 0 parameter(s)"),
            ("infoLog('x')", "~requires at least 2 parameter(s)"),
            ("newCA()", "~requires at least 1 parameter(s)"),
            ("newCA('1', nil)", "~at most 1 parameter(s)"),
            // Methods count their object.
            ("newCA('1.2.3.4'):tostring(1)", "~at most 1 parameter(s)"),
            ("local f = newCA('1.2.3.4').tostring; f()", "~requires at least 1 parameter(s)"),
            ("newNetmaskGroup():addMask()", "~requires at least 2 parameter(s)"),
            ("getStringStatsDB('x'):twAdd('k', 'f')", "~requires at least 4 parameter(s)"),
            ("getStringStatsDB('x'):twAdd('k', 'f', 1, 2, 3)", "~at most 5 parameter(s)"),
            ("getStringStatsDB('x'):twGet('k')", "~requires at least 3 parameter(s)"),
            ("return getStringStatsDB('x'):twGet('k', 'f', nil)", "0"),
            ("addListener('127.0.0.1:8084', false, '', '')", "~requires at least 5 parameter(s)"),
            ("blacklistIP(newCA('192.0.2.1'), 10)", "~requires at least 3 parameter(s)"),
            ("siblings(nil)", "~at most 0 parameter(s)"),
        ],
    );
}

#[test]
fn no_ops_check_arguments_and_return_nothing() {
    check(
        Role::Worker,
        &[
            ("return addACL('not a mask')", "none"),
            ("return select('#', addACL('x'))", "0"),
            ("tostring(addACL('x'))", "~bad argument #1 to 'tostring'"),
            ("addACL()", "~requires at least 1 parameter(s)"),
            ("addACL('a', 'b')", "~at most 1 parameter(s)"),
            ("addACL({})", "~Unable to convert parameter from table to string"),
            ("addACL(nil)", "~Unable to convert parameter from nil to string"),
            ("addACL(true)", "~Unable to convert parameter from boolean to string"),
            ("return addACL(5)", "none"),
            ("setACL('x')", "~Unable to convert parameter from string to list of strings"),
            ("return setACL({'x', 5})", "none"),
            ("setACL({'x', true})", "~Unable to convert parameter from table to list of strings"),
            ("setACL({x = 'y'})", "~list of strings"),
            ("return setACL({['1'] = 'y'})", "none"),
            ("setNumLuaStates('x')", TEXT_TO_INT_ERROR),
            ("return setNumLuaStates('12')", "none"),
            ("return setNumLuaStates(2.5)", "none"),
            ("addListener('x', 0, '', '', {})", "~Unable to convert parameter from number to boolean"),
            ("addListener('x', nil, '', '', {})", "~Unable to convert parameter from nil to boolean"),
            ("addListener('x', 'true', '', '', {})", "~Unable to convert parameter from string to boolean"),
            ("return addListener('x', true, '', '', {a = 'b', c = 5})", "none"),
            ("addListener('x', true, '', '', {a = true})", "~map of strings"),
            ("addListener('x', true, '', '')", "~requires at least 5"),
            ("setSiblingsWithKey({'a'})", "~list of lists of strings"),
            ("return setSiblingsWithKey({{'a', 'b'}, {'c', 5}})", "none"),
            ("setSiblingsWithKey({{'a', false}})", "~list of lists of strings"),
            ("newStringStatsDB('x', 1, 2, {a = 'int'})", "none"),
            ("newStringStatsDB('x', 1, 2)", "~requires at least 4"),
            ("showRBL(1, 2, 3)", "~Unable to convert parameter from number to Resolver"),
            ("return stats()", "none"),
            ("return setJA3AttrName('x')", "none"),
            ("return setKey('whatever')", "true"),
        ],
    );
    check(
        Role::Client,
        &[
            ("setAllow(nil)", "~Unable to convert parameter from nil to function"),
            ("setAllow(true)", "~Unable to convert parameter from boolean to function"),
            ("return setAllow(print)", "none"),
            ("setCustomEndpoint('x', print)", "~requires at least 3"),
            ("return setCustomEndpoint('x', false, print)", "none"),
            ("return checkBlacklistIP(newCA('192.0.2.1'))", "none"),
            ("pairs(getIPBlacklist())", "~bad argument #1 to 'pairs'"),
            ("return unblacklistIPLogin(newCA('192.0.2.1'), 'x')", "none"),
            ("addSibling({})", "~Unable to convert parameter from table to string"),
        ],
    );
}

const TEXT_TO_INT_ERROR: &str = "~Unable to convert parameter from string to int";

#[test]
fn errors_are_strings_with_the_callers_position() {
    check(
        Role::Worker,
        &[
            (
                "local ok, e = pcall(function()\n  newCA({})\nend) return type(e), e",
                "string [string \"chunk\"]:2: Unable to convert parameter from table to string",
            ),
            ("local ok, e = pcall(newCA, {}) return e", "Unable to convert parameter from table to string"),
            (
                "local co = coroutine.create(function() newCA() end) local ok, e = coroutine.resume(co) return e",
                "[string \"chunk\"]:1: This function requires at least 1 parameter(s)",
            ),
            (
                "local f = coroutine.wrap(function() newCA() end) local ok, e = pcall(f) return type(e)",
                "string",
            ),
            (
                "local ok, e = xpcall(function() newCA() end, function(e) return 'seen ' .. e end) return e",
                "seen [string \"chunk\"]:1: This function requires at least 1 parameter(s)",
            ),
            (
                "local ok, e = pcall(function() newNetmaskGroup():addMask('x') end) return e",
                "[string \"chunk\"]:1: Caught exception: addMask: Unable to convert presentation address 'x'",
            ),
            ("newCA({})", "~[string \"chunk\"]:1: Unable to convert parameter from table to string"),
        ],
    );
}

#[test]
fn numbers_are_text_and_numeric_text_is_a_number() {
    check(
        Role::Config,
        &[
            ("return newCA(5):tostring()", "0.0.0.5"),
            ("return newCA('192.0.2.1'):tostring()", "192.0.2.1"),
            ("return newNetmaskFromCA(newCA('192.0.2.1'), '24'):toStringNetwork()", "192.0.2.0/24"),
            ("return newNetmaskFromCA(newCA('192.0.2.1'), ' 0x18 '):toStringNetwork()", "192.0.2.0/24"),
            ("return newNetmaskFromCA(newCA('192.0.2.1'), 24.9):toStringNetwork()", "192.0.2.0/24"),
            ("return newNetmaskFromCA(newCA('192.0.2.1'), 280):toStringNetwork()", "192.0.2.0/24"),
            ("return newNetmaskFromCA(newCA('192.0.2.1'), 300):toStringNetwork()", "192.0.2.1/32"),
            ("newNetmaskFromCA(newCA('192.0.2.1'), 'x')", "~from string to unsigned char"),
            ("newNetmaskFromCA('192.0.2.1', 24)", "~Unable to convert parameter from string to ComboAddress"),
            ("newNetmaskFromCA(newNetmask('192.0.2.1'), 24)", "~from userdata to ComboAddress"),
            ("newNetmaskFromCA(io.stdout, 24)", "~from userdata to ComboAddress"),
            ("blacklistIP('192.0.2.1', 1, 'x')", "~from string to ComboAddress"),
            ("setBlacklistIPRetMsg(1e15) return getBlacklistIPRetMsg()", "1e+15"),
            ("setBlacklistIPRetMsg('a\\0b') return #getBlacklistIPRetMsg()", "3"),
            ("return newCA(newCA('1.2.3.4'))", "~from userdata to string"),
        ],
    );
}
