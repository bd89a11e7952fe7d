#include "backend/cuda/product_choices.h"

#include <charconv>
#include <fstream>
#include <utility>

#include "core/error.h"

namespace bertha::cuda {

ProductChoices::ProductChoices(std::string path) : path_(std::move(path)) {
  if (!enabled()) return;
  std::ifstream file(path_);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const size_t space = line.rfind(' ');
    int choice = -1;
    if (space != std::string::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), choice);
    }
    if (choice < 0) fail("{}:{}: expected \"KEY NUMBER\"", path_, number);
    choices_[line.substr(0, space)] = choice;
  }
}

std::optional<int> ProductChoices::find(const std::string& key) const {
  const auto found = choices_.find(key);
  if (found == choices_.end()) return std::nullopt;
  return found->second;
}

void ProductChoices::add(const std::string& key, int choice) {
  choices_[key] = choice;
  std::ofstream file(path_, std::ios::app);
  file << key << ' ' << choice << '\n';
  if (!file.flush()) fail("{}: cannot be written", path_);
}

}  // namespace bertha::cuda
