//! Reads a file or stdin, unpacking what is compressed: told by the first bytes, not by the name.
//!
//! Streams: memory does not grow with the file (a zstd window of more than the decoder's own limit is
//! refused). Several gzip members or zstd frames, one after the other, are one text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Stands for stdin.
pub const STREAM: &str = "-";
/// How gzip (RFC 1952) and zstd (RFC 8878, a frame or a skippable one) begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];
/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// The text of a file, or of stdin for [`STREAM`].
///
/// # Errors
/// What the system says. What is wrong inside comes when it is read.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new(STREAM) {
        return unpack(BufReader::with_capacity(BUFFER, io::stdin()));
    }
    unpack(BufReader::with_capacity(BUFFER, File::open(path)?))
}

/// The text of what may be compressed.
///
/// # Errors
/// What the source says of its first bytes.
pub fn unpack(mut source: impl BufRead + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut first = Vec::new();
    source.by_ref().take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let zstd = first == ZSTD || (first.len() == ZSTD.len() && first[0] & 0xf0 == 0x50 && first[1..] == ZSTD_SKIPPED);
    let gzip = first.starts_with(&GZIP);
    let source = Cursor::new(first).chain(source);
    Ok(if gzip {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(source)))
    } else if zstd {
        Box::new(BufReader::with_capacity(BUFFER, Frames { source, decoder: FrameDecoder::new(), open: false }))
    } else {
        Box::new(source)
    })
}

/// Zstd frames, one after the other.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    open: bool,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame; false: there is none.
    fn next(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }

    /// The frame is over; its checksum, where it has one, must be that of what was read.
    fn close(&mut self) -> io::Result<()> {
        self.open = false;
        let said = self.decoder.get_checksum_from_data();
        if said.is_some() && said != self.decoder.get_calculated_checksum() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a zstd checksum does not fit"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.open || self.next()? {
            if self.decoder.can_collect() > 0 || into.is_empty() {
                return self.decoder.read(into);
            }
            if self.decoder.is_finished() {
                self.close()?;
                continue;
            }
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Ok(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn text() -> Vec<u8> {
        (0..20_000).flat_map(|nth| format!("{nth}\t{}\n", nth * 7919 % 1013).into_bytes()).collect()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn zst(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn read(packed: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        unpack(Cursor::new(packed))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn text_comes_out_as_it_went_in_however_it_was_packed() {
        let text = text();
        assert_eq!(read(text.clone()).unwrap(), text);
        let twice = [text.clone(), text.clone()].concat();
        assert_eq!(read([gz(&text), gz(&text)].concat()).unwrap(), twice);
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        assert_eq!(read([skipped, zst(&text), zst(&text)].concat()).unwrap(), twice);
        for short in [&b""[..], b"1", b"1\t2"] {
            assert_eq!(read(short.to_vec()).unwrap(), short);
        }
    }

    #[test]
    fn what_is_cut_or_spoilt_is_an_error_and_no_end() {
        for packed in [gz(&text()), zst(&text())] {
            assert!(read(packed[..packed.len() / 2].to_vec()).is_err());
            let mut spoilt = packed.clone();
            let middle = spoilt.len() / 2;
            spoilt[middle] ^= 0x10;
            assert!(read(spoilt).is_err());
        }
    }
}
