#include "doctor/device_facts.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "backend/devices.h"
#include "core/error.h"
#include "core/strings.h"

namespace bertha::doctor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHabanaLabs = "0x1da3";  ///< vendor on the PCI bus

/// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun …" has the version after
/// "Module", with words between them in newer drivers.
std::string version_in(const std::string& line) {
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.find_first_not_of("0123456789.") == std::string::npos &&
        word.find('.') != std::string::npos) {
      return word;
    }
  }
  return "";
}

/// The devices of this kind that can be used, each with its description.
std::vector<std::string> present(const DeviceEntry& entry) {
  std::vector<std::string> descriptions;
  for (int64_t number = 0; entry.absence(number).empty(); ++number) {
    descriptions.push_back(entry.open(number)->description());
  }
  return descriptions;
}

/// What the machine itself shows of an accelerator that cannot be used; empty: nothing.
std::string seen_on_machine(const DeviceEntry& entry, const std::string& driver) {
  if (!driver.empty()) return "this machine has NVIDIA's driver " + driver;
  const int64_t devices = entry.name == "gaudi" ? gaudi_devices() : 0;
  if (devices == 0) return "";
  return fmt::format("this machine has {} Gaudi device{}", devices, devices == 1 ? "" : "s");
}

Fact fact_of(const DeviceEntry& entry) {
  Fact fact{.name = std::string(entry.name)};
  const std::string driver = entry.name == "cuda" ? nvidia_driver() : "";
  if (!driver.empty()) fact.values["driver"] = driver;
  const std::string why = entry.absence(0);
  fact.values["absence"] = why;
  fact.values["devices"] = nlohmann::ordered_json::array();
  if (!why.empty()) {
    fact.text = "none: " + why;
    const std::string seen = seen_on_machine(entry, driver);
    if (seen.empty()) return fact;
    fact.state = State::kNote;
    fact.text += "; " + seen;
    return fact;
  }
  try {
    const std::vector<std::string> devices = present(entry);
    fact.values["devices"] = devices;
    fact.text = join(devices, "; ");
    if (!driver.empty()) fact.text += fmt::format("; driver {}", driver);
  } catch (const Error& error) {
    fact.state = State::kProblem;
    fact.text = error.what();
  }
  return fact;
}

}  // namespace

std::string nvidia_driver(const std::string& root) {
  std::ifstream file(root + "/proc/driver/nvidia/version");
  std::string line;
  return std::getline(file, line) ? version_in(line) : "";
}

int64_t gaudi_devices(const std::string& root) {
  int64_t count = 0;
  std::error_code ignored;
  for (const auto& device : fs::directory_iterator(root + "/sys/bus/pci/devices", ignored)) {
    std::ifstream file(device.path() / "vendor");
    std::string vendor;
    if (file >> vendor && vendor == kHabanaLabs) ++count;
  }
  return count;
}

std::vector<Fact> facts_of_accelerators() {
  std::vector<Fact> facts;
  for (const DeviceEntry& entry : devices()) {
    if (entry.accelerator) facts.push_back(fact_of(entry));
  }
  return facts;
}

}  // namespace bertha::doctor
