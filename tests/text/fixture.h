#pragma once

#include <string>
#include "support/paths.h"

namespace bertha::test {

inline std::string fixture(const std::string& name) {
  return tests_path("text/fixtures/") + name;
}

}  // namespace bertha::test
