#pragma once

// Damaged copies of a small file: truncated at every length, and with every byte changed. A reader
// must throw Error or return the original contents. It must never crash or return something else.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "core/error.h"
#include "support/files.h"

namespace bertha::test {

/// Fingerprint of everything that a reader found in the file at this path.
using Reader = std::function<std::string(const std::string& path)>;

enum class Promise {
  kError,         ///< formats with a checksum over every byte
  kErrorOrEqual,  ///< formats with checksums over the relevant data
  kNoCrash,       ///< formats without checksums: changed data looks like valid data
};

inline void check_damaged(const std::string& contents, const std::string& name,
                          const Reader& reader, Promise promise) {
  const TemporaryFolder folder;
  const std::string path = folder.file(name);
  write_all(path, contents);
  const std::string good = reader(path);
  int errors = 0;
  const auto check = [&](const std::string& damaged, const std::string& what, bool whole) {
    write_all(path, damaged);
    try {
      const std::string found = reader(path);
      EXPECT_NE(promise, Promise::kError) << what;
      if (promise == Promise::kErrorOrEqual || !whole) {
        EXPECT_EQ(found, good) << what;
      }
    } catch (const Error& error) {
      ++errors;
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos)
          << what << ": " << error.what();
    }
  };
  for (size_t length = 0; length < contents.size(); ++length) {
    check(contents.substr(0, length), "cut off at " + std::to_string(length), false);
  }
  for (size_t i = 0; i < contents.size(); ++i) {
    std::string damaged = contents;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    check(damaged, "bit flipped in byte " + std::to_string(i), true);
    damaged[i] = static_cast<char>(contents[i] ^ '\xff');
    check(damaged, "all bits flipped in byte " + std::to_string(i), true);
  }
  EXPECT_GT(errors, static_cast<int>(contents.size()));
}

}  // namespace bertha::test
