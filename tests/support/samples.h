#pragma once

#include <gtest/gtest.h>

#include <bzlib.h>

#include <string>

#include "support/files.h"

namespace bertha::test {

/// One bzip2 stream with blocks of 100 kB.
inline std::string bzip2(std::string text) {
  std::string out(text.size() + text.size() / 50 + 1000, '\0');
  auto size = static_cast<unsigned>(out.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, text.data(),
                                     static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

/// Text that does not compress well: numbers of a linear congruential generator.
inline std::string noise(size_t bytes) {
  std::string text;
  for (uint32_t state = 1; text.size() < bytes;) {
    state = state * 1664525 + 1013904223;
    text += std::to_string(state >> 8) + " ";
  }
  text.resize(bytes);
  return text;
}

}  // namespace bertha::test
