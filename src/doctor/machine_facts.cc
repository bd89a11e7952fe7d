#include "doctor/machine_facts.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/resource.h>

#include <clocale>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "core/allowed_threads.h"
#include "core/error.h"
#include "core/free_memory.h"
#include "core/strings.h"
#include "doctor/build_info.h"

namespace bertha::doctor {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The soft limit of a resource; nothing where it is unlimited.
std::optional<double> resource_limit(__rlimit_resource_t resource) {
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

Fact fact_of_build() {
  const BuildInfo info = build_info();
  std::vector<std::string> libraries;
  Fact fact{.name = "bertha"};
  for (const LibraryVersion& library : info.libraries) {
    libraries.push_back(library.name + " " + library.version);
    fact.values["libraries"][library.name] = library.version;
  }
  fact.text = fmt::format("{}, commit {}, {}, {}; {}", info.version, info.commit, info.compiler,
                          info.build_type, join(libraries, ", "));
  fact.values["version"] = info.version;
  fact.values["commit"] = info.commit;
  fact.values["compiler"] = info.compiler;
  fact.values["build_type"] = info.build_type;
  return fact;
}

Fact fact_of_processor() {
  Fact fact{.name = "processor"};
  fact.values["model"] = cpu::processor_name();
  try {
    const cpu::IsaChoice& choice = cpu::isa_choice();
    const bool limited =
        choice.reason.starts_with("BERTHA_MAX_ISA") || choice.reason.starts_with("Linux");
    fact.state = limited ? State::kNote : State::kFine;
    fact.text = fmt::format("{}, kernels for {}", cpu::processor_name(), name_of(choice.used));
    if (!choice.reason.empty()) fact.text += fmt::format(" ({})", choice.reason);
    fact.values["instruction_set"] = name_of(choice.used);
    fact.values["why_not_more"] = choice.reason;
  } catch (const Error& error) {
    fact.state = State::kProblem;
    fact.text = fmt::format("{}: {}", cpu::processor_name(), error.what());
  }
  return fact;
}

Fact fact_of_threads() {
  const AllowedThreads allowed = allowed_threads();
  const std::string chosen = environment("OMP_NUM_THREADS");
  Fact fact{.name = "threads"};
  fact.text = fmt::format("{} of {} processors", allowed.count(), allowed.online);
  if (allowed.affinity < allowed.online) {
    fact.state = State::kNote;
    fact.text += fmt::format("; the affinity allows {}", allowed.affinity);
  }
  if (allowed.quota.exists()) {
    fact.state = State::kNote;
    fact.text += fmt::format("; the control group allows {:g} {} ({})", allowed.quota.value,
                             allowed.quota.value == 1 ? "core" : "cores", allowed.quota.file);
    fact.values["group_cores"] = allowed.quota.value;
  }
  if (!chosen.empty()) {
    fact.text += fmt::format("; OMP_NUM_THREADS={} replaces that number", chosen);
    fact.values["OMP_NUM_THREADS"] = chosen;
  }
  fact.values["allowed"] = allowed.count();
  fact.values["affinity"] = allowed.affinity;
  fact.values["online"] = allowed.online;
  return fact;
}

Fact fact_of_memory() {
  constexpr double kMiB = 1 << 20;
  // 110 million weights in f32; training has gradients and two moments beside them.
  constexpr const char* kBase = "BERT-Base has 0.4 GiB of weights";
  constexpr double kLeast = 128 * kMiB;
  constexpr double kComfortable = 2048 * kMiB;
  const FreeMemory free = free_memory();
  const double total = kilobytes_in("/proc/meminfo", "MemTotal").value_or(0);
  Fact fact{.name = "memory"};
  fact.text = fmt::format("{} free of {}", format_bytes(free.bytes), format_bytes(total));
  if (!free.limit.empty()) {
    fact.text += fmt::format("; {} allows {}", free.limit, format_bytes(free.allowed_bytes));
  }
  if (free.bytes < kLeast) {
    fact.state = State::kProblem;
    fact.text += fmt::format("; too little for most models: {}", kBase);
  } else if (free.bytes < kComfortable) {
    fact.state = State::kNote;
    fact.text += fmt::format("; {}, and training takes four times that and the activations", kBase);
  }
  if (const auto files = resource_limit(RLIMIT_NOFILE); files && *files < 1024) {
    fact.state = std::max(fact.state, State::kNote);
    fact.text += fmt::format("; ulimit -n allows only {:.0f} open files", *files);
  }
  fact.values["free_bytes"] = free.bytes;
  fact.values["total_bytes"] = total;
  fact.values["limit"] = free.limit;
  return fact;
}

Fact fact_of_huge_pages() {
  const std::string modes = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  const size_t begin = modes.find('[');
  const size_t end = modes.find(']');
  Fact fact{.name = "huge pages"};
  if (begin == std::string::npos || end == std::string::npos) {
    fact.text = "this kernel has no transparent huge pages";
    fact.state = State::kNote;
    return fact;
  }
  const std::string mode = modes.substr(begin + 1, end - begin - 1);
  fact.values["transparent"] = mode;
  fact.text = mode == "never" ? "transparent huge pages are off (never); madvise would be faster"
                              : fmt::format("transparent huge pages are on ({})", mode);
  fact.state = mode == "never" ? State::kNote : State::kFine;
  return fact;
}

Fact fact_of_locale() {
  Fact fact{.name = "locale"};
  std::string name;
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (name.empty()) name = environment(variable);
  }
  const locale_t own = ::newlocale(LC_CTYPE_MASK, "", nullptr);
  const std::string characters = own == nullptr ? "" : ::nl_langinfo_l(CODESET, own);
  if (own != nullptr) ::freelocale(own);
  fact.values["name"] = name;
  fact.values["characters"] = characters;
  if (own == nullptr) {
    fact.state = State::kNote;
    fact.text =
        fmt::format("{} is not installed; status lines use ASCII, files are UTF-8 anyway", name);
  } else {
    fact.text = fmt::format("{} with {}; files are UTF-8 in any locale", name.empty() ? "C" : name,
                            characters);
  }
  return fact;
}

}  // namespace bertha::doctor
