#include "doctor/hardening_facts.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <span>
#include <string>
#include <vector>

#include "core/confinement.h"
#include "core/strings.h"

namespace bertha::doctor {
namespace {

/// Of the program itself, not of its libraries.
struct ElfFacts {
  bool position_independent = false;
  bool relro = false;     ///< relocated data are write-protected
  bool bind_now = false;  ///< and relocated before main()
  bool stack_is_data = false;
};

void read_dynamic(const ElfW(Dyn) * entry, ElfFacts& facts) {
  for (; entry->d_tag != DT_NULL; ++entry) {
    const auto value = static_cast<uint64_t>(entry->d_un.d_val);
    if (entry->d_tag == DT_FLAGS) facts.bind_now |= (value & DF_BIND_NOW) != 0;
    if (entry->d_tag == DT_FLAGS_1) {
      facts.bind_now |= (value & DF_1_NOW) != 0;
      facts.position_independent |= (value & DF_1_PIE) != 0;
    }
  }
}

/// The loader reports the program first.
int read_program(dl_phdr_info* info, size_t /*size*/, void* data) {
  auto& facts = *static_cast<ElfFacts*>(data);
  for (const ElfW(Phdr) & header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
    if (header.p_type == PT_GNU_RELRO) facts.relro = true;
    if (header.p_type == PT_GNU_STACK) facts.stack_is_data = (header.p_flags & PF_X) == 0;
    if (header.p_type == PT_DYNAMIC) {
      read_dynamic(reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + header.p_vaddr), facts);
    }
  }
  return 1;
}

struct Measure {
  const char* name;
  bool on;
};

std::vector<Measure> measures() {
  ElfFacts elf;
  dl_iterate_phdr(read_program, &elf);
#if defined(__SSP_STRONG__) || defined(__SSP_ALL__)
  const bool stack_protector = true;
#else
  const bool stack_protector = false;
#endif
#if defined(__USE_FORTIFY_LEVEL) && __USE_FORTIFY_LEVEL > 0
  const bool fortified = true;
#else
  const bool fortified = false;
#endif
#ifdef __CET__
  const bool control_flow = true;
#else
  const bool control_flow = false;
#endif
#ifdef BERTHA_STACK_CLASH_PROTECTION
  const bool stack_clash = true;
#else
  const bool stack_clash = false;
#endif
#ifdef _GLIBCXX_ASSERTIONS
  const bool assertions = true;
#else
  const bool assertions = false;
#endif
  return {{"position-independent", elf.position_independent},
          {"full RELRO", elf.relro && elf.bind_now},
          {"stack that is not executable", elf.stack_is_data},
          {"stack protector", stack_protector},
          {"stack clash protection", stack_clash},
          {"fortified functions", fortified},
          {"control-flow protection", control_flow},
          {"checked containers", assertions}};
}

}  // namespace

Fact fact_of_hardening() {
  std::vector<std::string> on;
  std::vector<std::string> off;
  Fact fact{.name = "hardening"};
  for (const Measure& measure : measures()) {
    (measure.on ? on : off).emplace_back(measure.name);
    fact.values[measure.name] = measure.on;
  }
  fact.text = on.empty() ? "nothing" : join(on, ", ");
  if (!off.empty()) fact.text += "; without: " + join(off, ", ");
  return fact;
}

Fact fact_of_sandbox() {
  const bool files = can_confine_files();
  const bool calls = can_confine_calls();
  Fact fact{.name = "sandbox", .values = {{"landlock", files}, {"seccomp", calls}}};
  fact.state = files && calls ? State::kFine : State::kNote;
  fact.text = fmt::format(
      "bertha serve, inspect and convert confine themselves: {} (Landlock), {} (seccomp)",
      files ? "they write no file but their output and start no program"
            : "this kernel cannot confine files",
      calls ? "they open no connection" : "this kernel cannot confine system calls");
  return fact;
}

}  // namespace bertha::doctor
