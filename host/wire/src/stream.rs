//! Packets on a TCP connection: the length of each as two bytes, most significant first, then the packet.

use crate::packet::MAX_STREAM_PACKET_BYTES;

/// Bytes before a packet.
const HEAD: usize = 2;

/// The packet does not fit: wforce would write a wrong length and lose step with its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {0} bytes does not fit in a stream, {MAX_STREAM_PACKET_BYTES} do")]
pub struct PacketTooLong(pub usize);

/// A length of 0: the end of a conversation (wforce compatibility).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream announces a packet of 0 bytes")]
pub struct EmptyPacket;

/// The two bytes before a packet of this length.
///
/// # Errors
/// [`PacketTooLong`]
pub fn stream_head(packet_bytes: usize) -> Result<[u8; HEAD], PacketTooLong> {
    u16::try_from(packet_bytes).map(u16::to_be_bytes).map_err(|_| PacketTooLong(packet_bytes))
}

/// Takes packets out of the bytes of a stream as they arrive. It holds at most one packet and what was read behind it.
#[derive(Debug, Default)]
pub struct StreamReader {
    bytes: Vec<u8>,
    /// Where the bytes begin that were not given out yet.
    from: usize,
}

impl StreamReader {
    /// Appends what was read.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes read so far, to read more behind them; nothing but appending makes sense.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.compact();
        &mut self.bytes
    }

    fn compact(&mut self) {
        if self.from > 0 {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
    }

    /// The next whole packet, to be opened where it lies; `None` until more was read.
    ///
    /// # Errors
    /// [`EmptyPacket`]: there will be no more packets.
    pub fn next_packet(&mut self) -> Result<Option<&mut [u8]>, EmptyPacket> {
        let Some((head, rest)) = self.bytes[self.from..].split_first_chunk_mut::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*head));
        if length == 0 {
            return Err(EmptyPacket);
        }
        let packet = rest.get_mut(..length);
        if packet.is_some() {
            self.from += HEAD + length;
        }
        Ok(packet)
    }

    /// Bytes read that were not given out: more than 0 at the end of a stream is a packet cut off.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.from
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_fits_in_two_bytes_or_is_refused() {
        assert_eq!(stream_head(258), Ok([1, 2]));
        assert_eq!(stream_head(65535), Ok([0xff, 0xff]));
        assert_eq!(stream_head(65536), Err(PacketTooLong(65536)));
    }

    #[test]
    fn a_length_of_0_is_the_end() {
        let mut reader = StreamReader::default();
        reader.extend(&[0, 1, 7, 0]);
        assert_eq!(reader.next_packet(), Ok(Some(&mut [7][..])));
        assert_eq!(reader.next_packet(), Ok(None));
        reader.extend(&[0, 9]);
        assert_eq!(reader.next_packet(), Err(EmptyPacket));
        assert_eq!(reader.next_packet(), Err(EmptyPacket));
        assert_eq!(reader.pending(), 3);
    }

    proptest! {
        #[test]
        fn packets_arrive_however_the_stream_is_cut(
            packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..20),
            piece in 1usize..200,
        ) {
            let mut stream = Vec::new();
            for packet in &packets {
                stream.extend(stream_head(packet.len()).unwrap());
                stream.extend(packet);
            }
            let mut reader = StreamReader::default();
            let mut found = Vec::new();
            for piece in stream.chunks(piece) {
                reader.extend(piece);
                while let Some(packet) = reader.next_packet().unwrap() {
                    found.push(packet.to_vec());
                }
            }
            prop_assert_eq!((found, reader.pending()), (packets, 0));
        }
    }
}
