#pragma once

// Check sums of files, by libcrypto.

#include <cstddef>
#include <span>
#include <string>

namespace bertha::io {

/// Which sum a text of hexadecimal digits is, by its length: md5, sha1 or sha256.
/// Throws LogicError for another length.
const char* digest_name(const std::string& expected);

/// The sum of a file, in lower case hexadecimal digits; `name` is "md5", "sha1" or "sha256".
/// Throws Error when the file cannot be read.
std::string file_digest(const std::string& path, const char* name);
/// The sum of bytes in memory.
std::string bytes_digest(std::span<const std::byte> bytes, const char* name);

}  // namespace bertha::io
