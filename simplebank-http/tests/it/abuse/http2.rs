//! HTTP/2 by hand: floods that cost their sender little, and frames that no client sends.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, tcp::OwnedReadHalf},
    time::timeout,
};

use crate::support::World;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// More than any of this takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A frame that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET https://x/health/live` as HPACK writes it, and a field more in plain text.
fn get(more: &[(&str, &str)]) -> Vec<u8> {
    let path = b"/health/live";
    let mut block = vec![0x82, 0x86, 0x44, 12];
    block.extend(path);
    block.extend([0x41, 1, b'x']);
    more.iter().for_each(|(name, value)| block.extend(field(name, value)));
    block
}

/// A field that is not to be remembered.
fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &text(name), &text(value)].concat()
}

/// A text with its length before it (RFC 7541 §5.1).
fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.len();
    if rest < 127 {
        bytes.push(u8::try_from(rest).unwrap());
    } else {
        bytes.push(127);
        rest -= 127;
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// Sends frames, and returns what comes back until one that `ends`, or the end of the connection.
async fn attack(
    world: &World,
    frames: Vec<u8>,
    ends: impl Fn(&Frame) -> bool + Send + Sync,
) -> Vec<Frame> {
    let stream = TcpStream::connect(world.base.strip_prefix("http://").unwrap()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sending = tokio::spawn(async move {
        let all = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frames].concat();
        // The server may have closed before everything was sent.
        let _ = writer.write_all(&all).await;
        // It stays open until the answers have been read.
        writer
    });
    let mut seen = Vec::new();
    let reading = async {
        while let Some(frame) = next(&mut reader).await {
            let is_end = ends(&frame) || frame.kind == GOAWAY;
            seen.push(frame);
            if is_end {
                break;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("neither an answer nor an end");
    sending.abort();
    seen
}

async fn next(reader: &mut OwnedReadHalf) -> Option<Frame> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, ..] = head;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
    reader.read_exact(&mut payload).await.ok()?;
    Some(Frame { kind, flags, payload })
}

/// The error of the server's farewell; none if it hung up without.
fn farewell(frames: &[Frame]) -> Option<u32> {
    let last = frames.iter().find(|frame| frame.kind == GOAWAY)?;
    Some(u32::from_be_bytes(last.payload[4..8].try_into().unwrap()))
}

fn is_ok(frame: &Frame) -> bool {
    // `:status: 200` has a byte of its own.
    frame.kind == HEADERS && frame.payload.first() == Some(&0x88)
}

fn is_answer(frame: &Frame) -> bool {
    frame.kind == HEADERS || frame.kind == RST_STREAM
}

async fn check_alive(world: &World) {
    assert_eq!(world.anyone().get("/health/live").await.status, StatusCode::OK);
}

/// What the others would show if these frames were merely wrong.
#[tokio::test]
async fn a_request_by_hand_is_answered() {
    let world = World::new().await;
    let frames = frame(HEADERS, END_STREAM | END_HEADERS, 1, &get(&[("x-more", "y")]));
    let seen = attack(&world, frames, is_answer).await;
    assert!(seen.iter().any(is_ok), "{seen:?}");
}

#[tokio::test]
async fn floods_end_their_connection_and_harm_no_other() {
    const TIMES: u32 = 20_000;
    let world = World::new().await;
    let streams = |count: u32| (0..count).map(|number| 2 * number + 1);
    let rapid_reset = streams(TIMES)
        .flat_map(|id| {
            let cancel = frame(RST_STREAM, 0, id, &8_u32.to_be_bytes());
            [frame(HEADERS, END_STREAM | END_HEADERS, id, &get(&[])), cancel].concat()
        })
        .collect::<Vec<_>>();
    // Streams that are opened and broken by a frame that is none for them (`MadeYouReset`).
    let made_to_reset = streams(TIMES)
        .flat_map(|id| {
            let nothing = frame(WINDOW_UPDATE, 0, id, &0_u32.to_be_bytes());
            [frame(HEADERS, END_HEADERS, id, &get(&[])), nothing].concat()
        })
        .collect();
    let more = field("x-more", &"y".repeat(1000));
    let continued = |payload: &[u8]| {
        let begin = frame(HEADERS, END_STREAM, 1, &get(&[]));
        let rest = frame(CONTINUATION, 0, 1, payload).repeat(TIMES.try_into().unwrap());
        [begin, rest].concat()
    };
    let data = frame(HEADERS, END_HEADERS, 1, &get(&[]));
    let data = [data, frame(DATA, 0, 1, &[]).repeat(100_000)].concat();
    for (what, frames) in [
        ("rapid reset", rapid_reset),
        ("made to reset", made_to_reset),
        ("continuations", continued(&more)),
        ("continuations of nothing", continued(&[])),
        ("data of nothing", data),
    ] {
        // Were the flood read to its end, this would be answered.
        let marker = b"the end!";
        let frames = [frames, frame(PING, 0, 0, marker)].concat();
        let is_read = |frame: &Frame| frame.kind == PING && frame.payload == marker;
        let seen = attack(&world, frames, is_read).await;
        assert!(!seen.iter().any(is_read), "{what}: {seen:?}");
        // PROTOCOL_ERROR or ENHANCE_YOUR_CALM, unless the farewell got lost in the flood.
        assert!([None, Some(1), Some(11)].contains(&farewell(&seen)), "{what}: {seen:?}");
        check_alive(&world).await;
    }
}

#[tokio::test]
async fn long_and_swelling_heads_are_refused() {
    let world = World::new().await;
    let long = get(&[("x-more", &"y".repeat(17_000))]);
    // One field is remembered, and then named by one byte each.
    let mut bomb = get(&[]);
    bomb.extend([&[0x40][..], &text("x-bomb"), &text(&"y".repeat(3900))].concat());
    bomb.extend(vec![0xbe; 12_000]);
    let many: Vec<_> = (0..500).map(|number| (format!("x-{number}"), "y".repeat(40))).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
    for (what, block) in [("long", long), ("a bomb", bomb), ("many", get(&many))] {
        let mut frames = Vec::new();
        let mut parts = block.chunks(16_000).enumerate().peekable();
        while let Some((number, part)) = parts.next() {
            let end = if parts.peek().is_none() { END_HEADERS } else { 0 };
            match number {
                0 => frames.extend(frame(HEADERS, END_STREAM | end, 1, part)),
                _ => frames.extend(frame(CONTINUATION, end, 1, part)),
            }
        }
        let seen = attack(&world, frames, is_answer).await;
        assert!(!seen.iter().any(is_ok), "{what}: {seen:?}");
        check_alive(&world).await;
    }
}

#[tokio::test]
async fn frames_that_no_client_sends_are_refused() {
    let world = World::new().await;
    let request = |more: &[(&str, &str)]| frame(HEADERS, END_STREAM | END_HEADERS, 1, &get(more));
    let with_body = |length: &str, body: &[u8]| {
        let mut block = vec![0x83, 0x86, 0x44, 9];
        block.extend(b"/v1/users");
        block.extend([0x41, 1, b'x']);
        block.extend(field("content-type", "application/json"));
        block.extend(field("content-length", length));
        [frame(HEADERS, END_HEADERS, 1, &block), frame(DATA, END_STREAM, 1, body)].concat()
    };
    let window = frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes());
    for (what, frames) in [
        ("transfer-encoding", request(&[("transfer-encoding", "chunked")])),
        ("connection", request(&[("connection", "close")])),
        ("keep-alive", request(&[("keep-alive", "1")])),
        ("a capital", request(&[("X-More", "y")])),
        ("a line break", request(&[("x-more", "y\r\nx-role: banker")])),
        ("a line feed", request(&[("x-more", "y\nz")])),
        ("NUL", request(&[("x-more", "y\0")])),
        ("a colon", request(&[("x:more", "y")])),
        ("a pseudo-field late", request(&[("x-more", "y"), (":path", "/v1/users/me")])),
        ("a pseudo-field twice", request(&[(":path", "/v1/users/me")])),
        ("an unknown pseudo-field", request(&[(":role", "banker")])),
        ("a shorter body than promised", with_body("60", b"{}")),
        ("a longer body than promised", with_body("1", b"{}")),
        ("two lengths", with_body("2, 2", b"{}")),
        ("an even stream", frame(HEADERS, END_STREAM | END_HEADERS, 2, &get(&[]))),
        ("stream zero", frame(HEADERS, END_STREAM | END_HEADERS, 0, &get(&[]))),
        ("data out of nowhere", frame(DATA, END_STREAM, 1, b"{}")),
        ("a continuation out of nowhere", frame(CONTINUATION, END_HEADERS, 1, &get(&[]))),
        ("a frame too long", frame(DATA, 0, 1, &vec![0; 20_000])),
        ("settings that are short", frame(SETTINGS, 0, 0, &[0; 5])),
        ("a ping that is short", frame(PING, 0, 0, &[0; 7])),
        ("a window that overflows", [window.clone(), window].concat()),
        ("no window", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("HPACK that is none", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 64])),
        ("HTTP/1.1 within", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ] {
        let seen = attack(&world, frames, is_answer).await;
        assert!(!seen.iter().any(is_ok), "{what}: {seen:?}");
    }
    check_alive(&world).await;
}

#[tokio::test]
async fn one_connection_has_so_many_requests_at_a_time() {
    let world = World::new().await;
    // None of them ever sends its body.
    let mut block = vec![0x83, 0x86, 0x44, 9];
    block.extend(b"/v1/users");
    block.extend([0x41, 1, b'x']);
    block.extend(field("content-type", "application/json"));
    let streams = (0..64).flat_map(|number| frame(HEADERS, END_HEADERS, 2 * number + 1, &block));
    let seen = attack(&world, streams.collect(), |frame| frame.kind == RST_STREAM).await;
    // REFUSED_STREAM: it may be sent again.
    let refused = seen.iter().find(|frame| frame.kind == RST_STREAM);
    let refused = refused.map(|frame| frame.payload.clone());
    assert!(refused == Some(7_u32.to_be_bytes().to_vec()) || farewell(&seen).is_some(), "{seen:?}");
    check_alive(&world).await;
}
