#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/help_text.h"
#include "cli/options.h"
#include "cli/rank_options.h"
#include "cli/stop.h"
#include "doctor/device_facts.h"
#include "doctor/folder_facts.h"
#include "doctor/hardening_facts.h"
#include "doctor/machine_facts.h"
#include "doctor/mpi_facts.h"
#include "doctor/self_test.h"

namespace bertha::cli {
namespace {

struct DoctorOptions {
  std::string folder = ".";
  bool json = false;
  bool mpi = false;
  bool quick = false;
  bool as_rank = false;
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
  table.folder("folder", o.folder, "folder to write to, where a file is written and removed");
  table.flag("mpi", o.mpi, "start two ranks with the launcher of MPI");
  table.flag("quick", o.quick, "run neither ops nor products");
  table.flag("json", o.json, "print JSON");
  table.flag(doctor::kRankOption, o.as_rank, "be a rank of --mpi").hidden();
  return table;
}

doctor::Report examine(const DoctorOptions& o) {
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
  if (o.as_rank) {
    return on_all_ranks(RankOptions(), stop_requested, [](comm::Communicator& world) {
      doctor::check_ranks(world);
      return 0;
    });
  }
  const doctor::Report report = examine(o);
  std::fputs((o.json ? report_json(report) : report_text(report, help_width())).c_str(), stdout);
  return report.works() ? 0 : 1;
}

}  // namespace bertha::cli
