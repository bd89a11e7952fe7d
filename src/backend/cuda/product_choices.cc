#include "backend/cuda/product_choices.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <system_error>

#include "core/error.h"

namespace bertha::cuda {

ProductChoices::ProductChoices(const std::string& path) : path_(path) {
  if (path_.empty()) return;
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail("{}: {}", path_, std::generic_category().message(errno));
  // The lock goes before the read, so that what another process measured is read whole or not used.
  measures_ = flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  read();
}

ProductChoices::~ProductChoices() {
  if (file_ >= 0) close(file_);
}

void ProductChoices::read() {
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
  BERTHA_CHECK(measures_);
  choices_[key] = choice;
  const std::string line = fmt::format("{} {}\n", key, choice);
  if (write(file_, line.data(), line.size()) != std::ssize(line)) {
    fail("{}: cannot be written: {}", path_, std::generic_category().message(errno));
  }
}

}  // namespace bertha::cuda
