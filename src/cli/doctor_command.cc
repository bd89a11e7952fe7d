#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>

#include "backend/devices.h"
#include "bert/model_sizes.h"
#include "cli/commands.h"
#include "cli/help_text.h"
#include "cli/options.h"
#include "cli/rank_options.h"
#include "cli/stop.h"
#include "doctor/accelerator_checks.h"
#include "doctor/device_facts.h"
#include "doctor/folder_facts.h"
#include "doctor/gaudi_graphs.h"
#include "doctor/hardening_facts.h"
#include "doctor/machine_facts.h"
#include "doctor/mpi_facts.h"
#include "doctor/self_test.h"
#include "io/atomic_file.h"

namespace bertha::cli {
namespace {

constexpr int64_t kVocabulary = 30522;  ///< of bert-large-uncased

struct DoctorOptions {
  std::string folder = ".";
  bool json = false;
  bool mpi = false;
  bool quick = false;
  bool as_rank = false;
  std::string device;
  std::string graphs;
  std::string report;
};

Options declare(DoctorOptions& o) {
  Options table("bertha doctor",
                "Shows on one screen what this machine offers and what limits this program: "
                "processor, threads, memory, devices, MPI, the working folder. It runs every op "
                "against its reference and measures the speed of a product. A \"note\" costs speed "
                "or a feature. For a \"problem\", which will not work, the exit status is 1.");
  table.example("bertha doctor", "Everything but MPI, in some seconds; good in a bug report");
  table.example("bertha doctor --mpi --folder=/scratch/results",
                "With two ranks of MPI, and the folder that a run will write to");
  table.example("bertha doctor --json --quick", "The facts alone, for another program");
  table.example("bertha doctor --device=gaudi --report=gaudi.json",
                "What SynapseAI and a Gaudi do with this program's graphs, in a file to send");
  table.folder("folder", o.folder, "folder to write to, where a file is written and removed");
  table.flag("mpi", o.mpi, "start two ranks with the launcher of MPI");
  table.flag("quick", o.quick, "run neither ops nor products");
  table.flag("json", o.json, "print JSON");
  table.choice(
      "device", o.device, {"cpu", "cuda", "gaudi"},
      "examine this device alone: operations, waits, training against the CPU, speed; of gaudi "
      "also the graphs of BERT-Large, which need SynapseAI and no device");
  table.folder("dump-graphs", o.graphs,
               "folder to write the graphs into, as JSON, with --device gaudi");
  table.file("report", o.report, "file to write the facts to, as JSON");
  table.flag(doctor::kRankOption, o.as_rank, "be a rank of --mpi").hidden();
  return table;
}

/// The device that was asked for, beside what a reader of the report needs to know of the machine.
doctor::Report examine_device(const DoctorOptions& o) {
  doctor::Report report;
  report.facts = {doctor::fact_of_build(), doctor::fact_of_processor(), doctor::fact_of_memory()};
  const auto add = [&](std::vector<doctor::Fact> facts) {
    std::ranges::move(facts, std::back_inserter(report.facts));
  };
  const DeviceEntry& entry = *find_device(o.device);
  const std::string why = entry.absence(0);
  if (why.empty()) {
    add(doctor::facts_of_accelerator(entry));
  } else {
    // The graphs need the library alone.
    const bool still_useful = o.device == "gaudi";
    report.facts.push_back({.name = "device",
                            .state = still_useful ? doctor::State::kNote : doctor::State::kProblem,
                            .text = "none: " + why});
  }
  if (o.mpi) report.facts.push_back(doctor::fact_of_device_ranks(o.device));
  if (o.device == "gaudi") {
    add(doctor::facts_of_gaudi_graphs(bert::config_of_size("large", kVocabulary), o.graphs));
  }
  return report;
}

doctor::Report examine(const DoctorOptions& o) {
  if (!o.device.empty()) return examine_device(o);
  doctor::Report report;
  report.facts = {doctor::fact_of_build(),      doctor::fact_of_hardening(),
                  doctor::fact_of_sandbox(),    doctor::fact_of_processor(),
                  doctor::fact_of_threads(),    doctor::fact_of_memory(),
                  doctor::fact_of_huge_pages(), doctor::fact_of_mpi(o.mpi)};
  for (doctor::Fact& fact : doctor::facts_of_accelerators()) {
    report.facts.push_back(std::move(fact));
  }
  report.facts.push_back(doctor::fact_of_folder(o.folder));
  report.facts.push_back(doctor::fact_of_locale());
  if (!o.quick) doctor::add_self_test(report);
  return report;
}

}  // namespace

int run_doctor(Arguments arguments) {
  DoctorOptions o;
  declare(o).parse(arguments);
  if (!o.graphs.empty() && o.device != "gaudi")
    throw UsageError("--dump-graphs needs --device=gaudi");
  if (o.as_rank) {
    return on_all_ranks(RankOptions(), stop_requested, [&](comm::Communicator& world) {
      if (!o.device.empty()) doctor::check_device_ranks(world, *find_device(o.device));
      doctor::check_ranks(world);
      return 0;
    });
  }
  const doctor::Report report = examine(o);
  if (!o.report.empty()) io::write_file(o.report, report_json(report));
  std::fputs((o.json ? report_json(report) : report_text(report, help_width())).c_str(), stdout);
  return report.works() ? 0 : 1;
}

}  // namespace bertha::cli
