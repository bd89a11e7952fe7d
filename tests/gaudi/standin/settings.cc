#include "gaudi/standin/settings.h"

#include <charconv>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string_view>
#include <vector>

#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

uint64_t to_number(const std::string& name, std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), kInvalidArgument,
          rule::kSettings, "{}: \"{}\" is not a number", name, text);
  return value;
}

void read_number(const char* name, uint64_t& value) {
  const std::string text = variable(name);
  if (!text.empty()) value = to_number(name, text);
}

int32_t to_device_type(const std::string& text) {
  if (text == "gaudi") return kGaudi;
  if (text == "gaudi2") return kGaudi2;
  if (text == "gaudi3") return kGaudi3;
  refuse(kInvalidArgument, rule::kSettings,
         "BERTHA_STANDIN_TYPE: \"{}\" is not gaudi, gaudi2 or gaudi3", text);
}

void read_faults(Settings& settings) {
  static const std::set<std::string> kinds = {"launch", "compile", "copy", "device-lost", "memory"};
  for (const std::string& fault : split_at_commas(variable("BERTHA_STANDIN_FAULT"))) {
    if (fault == "layout") {
      settings.old_layout = true;
      continue;
    }
    const size_t equals = fault.find('=');
    const std::string kind = fault.substr(0, equals);
    require(equals != std::string::npos && kinds.contains(kind), kInvalidArgument, rule::kSettings,
            "BERTHA_STANDIN_FAULT: \"{}\" is not layout and not launch, compile, copy, device-lost "
            "or memory with =N",
            fault);
    settings.faults[kind] = to_number("BERTHA_STANDIN_FAULT", fault.substr(equals + 1));
  }
}

}  // namespace

Settings Settings::from_environment() {
  Settings settings;
  const std::string type = variable("BERTHA_STANDIN_TYPE");
  if (!type.empty()) settings.device_type = to_device_type(type);
  uint64_t devices = settings.devices;
  uint64_t megabytes = settings.memory_bytes >> 20;
  uint64_t abort = 0;
  read_number("BERTHA_STANDIN_DEVICES", devices);
  read_number("BERTHA_STANDIN_MEMORY_MB", megabytes);
  read_number("BERTHA_STANDIN_SEED", settings.seed);
  read_number("BERTHA_STANDIN_DELAY_US", settings.delay_microseconds);
  read_number("BERTHA_STANDIN_ABORT", abort);
  settings.devices = static_cast<uint32_t>(devices);
  settings.memory_bytes = megabytes << 20;
  settings.abort_on_broken_rule = abort != 0;
  for (std::string& guid : split_at_commas(variable("BERTHA_STANDIN_WITHOUT"))) {
    settings.absent_guids.insert(std::move(guid));
  }
  read_faults(settings);
  return settings;
}

const Settings& settings() {
  // Never destroyed: threads of streams may run until the process ends.
  static const Settings& read = *new Settings(Settings::from_environment());
  return read;
}

bool fault_is_due(const std::string& kind) {
  static std::mutex mutex;
  static auto& calls = *new std::map<std::string, uint64_t>;
  const auto wanted = settings().faults.find(kind);
  if (wanted == settings().faults.end()) return false;
  const std::lock_guard lock(mutex);
  return ++calls[kind] == wanted->second;
}

}  // namespace bertha::standin
