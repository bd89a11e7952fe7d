#include "support/paths.h"

namespace bertha::test {

std::string tests_path(const std::string& name) {
  return BERTHA_TESTS_DIR "/" + name;
}

}  // namespace bertha::test
