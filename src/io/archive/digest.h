#pragma once

// Checksums of files, computed by libcrypto.

#include <cstddef>
#include <span>
#include <string>

namespace bertha::io {

/// The name of the checksum with as many hexadecimal digits as `expected`: md5, sha1 or sha256.
/// Throws LogicError for another length.
const char* digest_name(const std::string& expected);

/// The checksum of a file in lower-case hexadecimal digits; `name` is "md5", "sha1" or "sha256".
/// Throws Error when the file cannot be read.
std::string file_digest(const std::string& path, const char* name);
/// The checksum of bytes in memory.
std::string bytes_digest(std::span<const std::byte> bytes, const char* name);

}  // namespace bertha::io
