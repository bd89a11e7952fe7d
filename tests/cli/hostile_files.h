#pragma once

// Weight files made to harm: each must be refused with a reason, fast, within little memory, and
// with nothing run, opened or removed. Families as they are known of pickles, zip archives,
// safetensors, TensorFlow indexes and configs.

#include <map>
#include <string>
#include <vector>

namespace bertha::test {

struct HostileFile {
  std::string name;                          ///< of its folder
  std::string target;                        ///< what is opened in it; empty: the folder itself
  std::map<std::string, std::string> files;  ///< contents by name
};

std::vector<HostileFile> hostile_files();

}  // namespace bertha::test
