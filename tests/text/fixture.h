#pragma once

#include <string>

namespace bertha::test {

inline std::string fixture(const std::string& name) {
  return BERTHA_TESTS_DIR "/text/fixtures/" + name;
}

}  // namespace bertha::test
