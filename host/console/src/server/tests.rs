#![allow(clippy::unwrap_used, clippy::expect_used)]

use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use wire::{Cipher, Conversation, Nonce, decode_frame};

use super::*;
use crate::testing::{Recorder, Server, config, connect, key};

/// A console on a pipe, so that tests may stop the clock.
struct Pipe {
    stream: DuplexStream,
    recorder: Arc<Recorder>,
    task: tokio::task::JoinHandle<End>,
}

impl Pipe {
    fn new(choice: CipherChoice) -> Self {
        let (stream, mut far) = duplex(1 << 20);
        let recorder = Arc::new(Recorder::default());
        let executor = Arc::clone(&recorder);
        let task = tokio::spawn(async move {
            let (mut config, _) = config(&Arc::new(Mutex::new(Some(key()))));
            config.cipher = choice;
            let place = Arc::new(Places::new(1)).take().unwrap();
            converse(&mut far, &config, &*executor, &place).await
        });
        Self { stream, recorder, task }
    }

    /// Shakes hands as a client of this build.
    async fn greet(&mut self, cipher: Cipher) -> Conversation {
        let ours = Nonce::generate(cipher).unwrap();
        self.stream.write_all(ours.as_bytes()).await.unwrap();
        let mut theirs = vec![0; cipher.nonce_bytes()];
        self.stream.read_exact(&mut theirs).await.unwrap();
        Conversation::new(&key(), &ours, &Nonce::from_bytes(cipher, &theirs).unwrap())
    }

    /// Everything the server still says before it closes the connection, and why it did.
    async fn rest(mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).await.unwrap();
        (bytes, self.task.await.unwrap())
    }
}

async fn response(stream: &mut DuplexStream, conversation: &mut Conversation) -> Vec<u8> {
    let length = stream.read_u16().await.unwrap();
    let mut sealed = vec![0; length.into()];
    stream.read_exact(&mut sealed).await.unwrap();
    conversation.responses.open_box(&sealed).unwrap()
}

#[tokio::test(start_paused = true)]
async fn twelve_bytes_and_then_nothing_is_the_openssl_build() {
    let mut pipe = Pipe::new(CipherChoice::Auto);
    let mut conversation = pipe.greet(Cipher::ChaCha).await;
    let frame = conversation.commands.seal_frame(b"stats()").unwrap();
    pipe.stream.write_all(&frame).await.unwrap();
    assert_eq!(response(&mut pipe.stream, &mut conversation).await, b"stats()!");
}

#[tokio::test(start_paused = true)]
async fn twelve_bytes_and_soon_twelve_more_is_the_libsodium_build() {
    let mut pipe = Pipe::new(CipherChoice::Auto);
    let ours = Nonce::generate(Cipher::Secretbox).unwrap();
    pipe.stream.write_all(&ours.as_bytes()[..12]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    pipe.stream.write_all(&ours.as_bytes()[12..]).await.unwrap();
    let mut theirs = [0; 24];
    pipe.stream.read_exact(&mut theirs).await.unwrap();
    let theirs = Nonce::from_bytes(Cipher::Secretbox, &theirs).unwrap();
    let mut conversation = Conversation::new(&key(), &ours, &theirs);
    let frame = conversation.commands.seal_frame(b"stats()").unwrap();
    pipe.stream.write_all(&frame).await.unwrap();
    assert_eq!(response(&mut pipe.stream, &mut conversation).await, b"stats()!");
}

#[tokio::test(start_paused = true)]
async fn a_server_for_one_build_waits_for_its_nonce_and_no_other() {
    let mut pipe = Pipe::new(CipherChoice::Secretbox);
    pipe.stream.write_all(&[1; 12]).await.unwrap();
    let (said, end) = pipe.rest().await;
    assert!(said.is_empty());
    assert!(matches!(end, End::Handshake));

    let mut pipe = Pipe::new(CipherChoice::ChaCha);
    let mut conversation = pipe.greet(Cipher::ChaCha).await;
    let frame = conversation.commands.seal_frame(b"a").unwrap();
    pipe.stream.write_all(&frame).await.unwrap();
    assert_eq!(response(&mut pipe.stream, &mut conversation).await, b"a!");
}

#[tokio::test(start_paused = true)]
async fn a_slow_handshake_is_closed() {
    for sent in [0, 5, 13, 23] {
        let mut pipe = Pipe::new(CipherChoice::Auto);
        pipe.stream.write_all(&vec![1; sent]).await.unwrap();
        let (said, end) = pipe.rest().await;
        assert!(said.is_empty(), "after {sent} bytes");
        assert!(matches!(end, End::Handshake), "after {sent} bytes: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_console_is_closed_also_within_a_frame() {
    for sent in [&b""[..], b"\0", b"\0\x20abc"] {
        let mut pipe = Pipe::new(CipherChoice::Auto);
        pipe.greet(Cipher::Secretbox).await;
        pipe.stream.write_all(sent).await.unwrap();
        let (said, end) = pipe.rest().await;
        assert!(said.is_empty());
        assert!(matches!(end, End::Left), "after {sent:?}: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_without_room_for_a_tag_closes_silently() {
    for length in [0_u16, 15] {
        let mut pipe = Pipe::new(CipherChoice::Auto);
        pipe.greet(Cipher::Secretbox).await;
        pipe.stream.write_u16(length).await.unwrap();
        let (said, end) = pipe.rest().await;
        assert!(said.is_empty());
        assert!(matches!(end, End::BadBox), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_sent_at_once_are_answered_one_after_the_other() {
    let mut pipe = Pipe::new(CipherChoice::Auto);
    let mut conversation = pipe.greet(Cipher::Secretbox).await;
    let lines = [&b"first"[..], b"nothing", b"second\0third", b"\0", b"long", b"last"];
    let frames = lines.map(|line| conversation.commands.seal_frame(line).unwrap()).concat();
    pipe.stream.write_all(&frames).await.unwrap();
    for expected in [&b"first!"[..], b"", b"second!", b"!"] {
        assert_eq!(response(&mut pipe.stream, &mut conversation).await, expected);
    }
    let long = response(&mut pipe.stream, &mut conversation).await;
    assert!(long.ends_with(b"[cut here: the response has 200000 bytes, a console shows 65519]\n"));
    assert_eq!(response(&mut pipe.stream, &mut conversation).await, b"last!");
    assert_eq!(*pipe.recorder.seen.lock(), [&b"first"[..], b"nothing", b"second", b"", b"long", b"last"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_sent_again_closes() {
    let mut pipe = Pipe::new(CipherChoice::Auto);
    let mut conversation = pipe.greet(Cipher::ChaCha).await;
    let frame = conversation.commands.seal_frame(b"a").unwrap();
    pipe.stream.write_all(&frame.repeat(2)).await.unwrap();
    let recorder = Arc::clone(&pipe.recorder);
    let (said, end) = pipe.rest().await;
    let (sealed, rest) = decode_frame(&said).unwrap().unwrap();
    assert_eq!(conversation.responses.open_box(sealed).unwrap(), b"a!");
    assert!(rest.is_empty());
    assert!(matches!(end, End::BadBox), "{end:?}");
    assert_eq!(*recorder.seen.lock(), [b"a"]);
}

#[tokio::test]
async fn connections_that_prove_nothing_keep_nobody_out() {
    let mut server = Server::start(|_| {}).await;
    let mut strangers = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(&[1; 24]).await.unwrap();
        stream.read_exact(&mut [0; 24]).await.unwrap();
        strangers.push(stream);
    }
    for stream in &mut strangers[..8] {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "the oldest were closed");
        assert_eq!(server.notice().await.0, "console-displaced");
    }
    let response = server.with(|addr| connect(addr, CipherChoice::Auto)?.run(b"a")).await;
    assert_eq!(response.unwrap(), b"a!");
}

#[tokio::test]
async fn of_forty_good_consoles_thirty_two_are_served() {
    let mut server = Server::start(|_| {}).await;
    let (answered, refused) = server
        .with(|addr| {
            let mut consoles = Vec::new();
            let mut refused = 0;
            for _ in 0..40 {
                match connect(addr, CipherChoice::Auto) {
                    Ok(mut client) => {
                        client.run(b"a").unwrap();
                        consoles.push(client);
                    }
                    Err(_) => refused += 1,
                }
            }
            let answers = consoles.iter_mut().map(|client| client.run(b"b").unwrap());
            (answers.filter(|answer| answer == b"b!").count(), refused)
        })
        .await;
    assert_eq!((answered, refused), (32, 8));
    let (kind, text) = server.notice().await;
    assert_eq!(kind, "console-full");
    assert!(text.contains("32 consoles"), "{text}");
}

#[tokio::test]
async fn forty_consoles_at_once_get_their_own_answers() {
    let server = Server::start(|config| config.max_connections = 40).await;
    let consoles: Vec<_> = (0..40)
        .map(|number| {
            let addr = server.addr;
            tokio::task::spawn_blocking(move || {
                let choice = if number % 2 == 0 { CipherChoice::Secretbox } else { CipherChoice::ChaCha };
                let mut client = connect(addr, choice).unwrap();
                for turn in 0..20 {
                    let line = format!("{number} {turn}");
                    assert_eq!(client.run(line.as_bytes()).unwrap(), format!("{line}!").as_bytes());
                }
            })
        })
        .collect();
    for console in consoles {
        console.await.unwrap();
    }
    assert_eq!(server.recorder.seen.lock().len(), 800);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn without_the_key_no_bytes_execute_anything(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        choice in prop_oneof![Just(CipherChoice::Auto), Just(CipherChoice::Secretbox), Just(CipherChoice::ChaCha)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut pipe = Pipe::new(choice);
            // The server may have closed the pipe by then.
            let _ = pipe.stream.write_all(&bytes).await;
            let recorder = Arc::clone(&pipe.recorder);
            let (said, _) = pipe.rest().await;
            assert!(matches!(said.len(), 0 | 12 | 24), "nothing but a nonce: {said:?}");
            assert!(recorder.seen.lock().is_empty());
        });
    }
}
