#pragma once

#include <string>

namespace bertha::test {

/// The path of a file of tests/, by its name below that folder.
std::string tests_path(const std::string& name);

}  // namespace bertha::test
