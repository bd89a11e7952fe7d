#pragma once

// Sources that need no file: a pipe, and compressed bytes that arrive in pieces (gzip, bzip2, xz,
// zstd). One thread decompresses.

#include <memory>
#include <string_view>

#include "io/archive/byte_source.h"

namespace bertha::io {

/// The bytes of a file descriptor, which stays open.
std::unique_ptr<ByteSource> open_descriptor(int descriptor);

/// Decompresses what `source` gives when its first bytes are those of a compressed file; else the
/// bytes are given as they are. Streams end to end are one. Throws Error for an archive that is not
/// read (7z, zip, …); messages use `name`.
std::unique_ptr<ByteSource> decode(std::unique_ptr<ByteSource> source, const char* name);

/// True for the first bytes of an xz or zstd file.
bool is_xz_or_zstd(std::string_view bytes);

/// Throws Error when the file is an archive that is not read, with the command that unpacks it.
void refuse_archive(std::string_view bytes, const char* name);

}  // namespace bertha::io
