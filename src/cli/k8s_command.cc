#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/commands.h"
#include "cli/k8s_lint.h"
#include "cli/options.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "k8s/k8s_render.h"

namespace bertha::cli {
namespace {

int render(Arguments arguments) {
  k8s::ManifestOptions o;
  std::string folder;
  Options table("bertha k8s render",
                "Writes a job of the recipe as a manifest for Kubernetes on standard output: a Pod "
                "for one card, an MPIJob of Kubeflow for more. With --output-dir, all eight of the "
                "recipe's manifests under the names and folders its users know.");
  table.value("job", o.job, "data_gen, phase1, phase2, ftuning or inference");
  table.value("cards", o.cards, "1, or a multiple of --cards-per-node");
  table.value("cards-per-node", o.cards_per_node, "slots of a worker");
  table.value("api", o.api, "of the MPI operator: v2beta1 or v1");
  table.value("device", o.device, "what a container asks for: nvidia, gaudi or cpu");
  table.value("storage", o.storage, "hostpath (as the recipe's users have it) or claims");
  table.value("data-claim", o.data_claim, "volume claim of the data, mounted read-only");
  table.value("results-claim", o.results_claim, "volume claim of checkpoints and logs");
  table.value("user", o.user, "in the job's name and in host paths");
  table.value("namespace", o.name_space, "of the job");
  table.value("image", o.image, "container image, see deploy/Containerfile");
  table.value("save-seconds", o.save_seconds, "longest a checkpoint may take to be written");
  table.value("output-dir", folder, "write all eight manifests below this folder");
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  if (folder.empty()) {
    std::fputs(k8s::render_manifest(o).c_str(), stdout);
    return 0;
  }
  for (const k8s::NamedManifest& manifest : k8s::recipe_manifests(o)) {
    const std::filesystem::path path = std::filesystem::path(folder) / manifest.path;
    std::error_code failure;
    std::filesystem::create_directories(path.parent_path(), failure);
    if (failure) fail("{}: cannot make this folder: {}", folder, failure.message());
    io::write_file(path.string(), k8s::render_manifest(manifest.options));
  }
  return 0;
}

std::string read_manifest(const std::string& path) {
  constexpr size_t kMostBytes = 4 << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot be opened", path);
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMostBytes) fail("{}: larger than 4 MiB, no manifest", path);
  return text;
}

int lint(Arguments arguments) {
  std::vector<std::string> files;
  Options table("bertha k8s lint",
                "Checks manifests of Pods and MPIJobs without a cluster: unknown fields, wrong "
                "types, and what Kubernetes or the MPI operator would refuse. Prints a line for "
                "each finding; the status is 1 when there is one.");
  table.positional("file", files, 1, "manifests");
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  bool clean = true;
  for (const std::string& file : files) {
    for (const Finding& finding : lint_manifest(read_manifest(file))) {
      fmt::print("{}:{}: {}\n", file, finding.line, finding.text);
      clean = false;
    }
  }
  return clean ? 0 : 1;
}

}  // namespace

int run_k8s(Arguments arguments) {
  constexpr const char* kUsage =
      "usage: bertha k8s render [options]   write the cluster's manifests\n"
      "       bertha k8s lint FILE…         check manifests without a cluster\n";
  const std::string word = arguments.empty() ? "" : arguments[0];
  if (word == "render") return render(arguments.subspan(1));
  if (word == "lint") return lint(arguments.subspan(1));
  const bool asked = word == "--help" || word == "-h";
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 2;
}

}  // namespace bertha::cli
