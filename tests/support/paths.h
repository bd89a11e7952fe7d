#pragma once

#include <string>

namespace bertha::test {

/// The path of a file below tests/.
std::string tests_path(const std::string& name);

}  // namespace bertha::test
