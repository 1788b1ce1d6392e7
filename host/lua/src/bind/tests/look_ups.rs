//! Resolvers: blocking where a call cannot be suspended, suspending where it can.

use super::*;

/// Answers every A question with 192.0.2.55 and everything else with nothing.
fn dns_server() -> std::net::SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let serve = move || {
        let mut packet = [0u8; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut packet) {
            let question = &packet[..length];
            let name_end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
            let is_a = question[name_end..name_end + 2] == [0, 1];
            let mut answer = question[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            answer.extend(&question[12..name_end + 4]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 55]);
            }
            let _ = socket.send_to(&answer, peer);
        }
    };
    std::thread::Builder::new().name("test DNS".to_owned()).spawn(serve).unwrap();
    addr
}

fn with_server() -> (World, mlua::Lua) {
    let world = World::new();
    let port = dns_server().port();
    let setup = format!("newDNSResolver('r') getDNSResolver('r'):addResolver('127.0.0.1', {port})");
    assert_eq!(run(&world.lua(Role::Config), &setup), "none");
    let lua = world.lua(Role::Worker);
    assert_eq!(run(&lua, &setup), "none");
    (world, lua)
}

#[test]
fn blocking() {
    let (_world, lua) = with_server();
    assert_eq!(run(&lua, "return getDNSResolver('r'):lookupAddrByName('a.example')[1]"), "192.0.2.55");
    assert_eq!(
        run(&lua, "return getDNSResolver('r'):lookupRBL(newCA('192.0.2.1'), 'rbl.example', 1)[1]"),
        "192.0.2.55"
    );
    assert_eq!(run(&lua, "return #getDNSResolver('r'):lookupNameByAddr(newCA('192.0.2.1'))"), "0");
    assert_eq!(run(&lua, "return #getDNSResolver('unknown'):lookupAddrByName('a.example')"), "0");
    let inside = "local f = coroutine.wrap(function() return getDNSResolver('r'):lookupAddrByName('b.example')[1] end) return f()";
    assert_eq!(run(&lua, inside), "192.0.2.55");
    let sorting = "local r = getDNSResolver('r') local n = 0 local t = {2, 1}
        table.sort(t, function(a, b) n = n + #r:lookupAddrByName('c.example') return a < b end) return n > 0";
    assert_eq!(run(&lua, sorting), "true");
    assert!(
        run(&lua, "getDNSResolver('r'):addResolver('bad', 53)").contains("Caught exception: addResolver")
    );
    assert!(run(&lua, "getDNSResolver('r'):lookupAddrByName()").contains("requires at least 2"));
}

#[test]
fn suspending() {
    let (_world, lua) = with_server();
    let code = "return function(name)
        local r = getDNSResolver('r')
        local t = {name}
        local inner
        string.gsub('x', 'x', function() inner = r:lookupAddrByName('inner.example')[1] end)
        local ok, found = pcall(function() return r:lookupAddrByName(name)[1] end)
        return inner, ok, found, r:lookupAddrByName(name)[1]
    end";
    let function: mlua::Function = lua.load(code).eval().unwrap();
    let thread = lua.create_thread(function).unwrap();
    wait::set_suspendable(&lua, Some(&thread));
    let mut values: mlua::MultiValue = thread.resume("a.example").unwrap();
    let mut suspended = 0;
    while thread.is_resumable() {
        suspended += 1;
        let query = wait::take(&lua, values.front().unwrap()).unwrap();
        let answer = RUNTIME.block_on(query.answer());
        values = thread.resume(answer.values(&lua).unwrap()).unwrap();
    }
    wait::set_suspendable(&lua, None);
    assert_eq!(suspended, 2, "not inside gsub");
    let texts: Vec<String> = values.iter().map(|value| value.to_string().unwrap()).collect();
    assert_eq!(texts, ["192.0.2.55", "true", "192.0.2.55", "192.0.2.55"]);
}

#[test]
fn console() {
    let (world, _) = with_server();
    let lua = world.lua(Role::Config);
    run(
        &lua,
        "showAddrByName(getDNSResolver('r'), 'a.example') showRBL(getDNSResolver('r'), newCA('192.0.2.1'), 'rbl.example')",
    );
    assert_eq!(world.printed(), "a.example 192.0.2.55\n192.0.2.55\n");
}
