#include <cstdio>
#include <filesystem>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "k8s/manifests.h"

namespace bertha::cli {
namespace {

void declare(Options& table, k8s::ManifestOptions& o) {
  table.value("job", o.job, "job to render: data_gen, phase1, phase2, ftuning or inference");
  table.value("cards", o.cards, "number of accelerators: 1, or a multiple of --cards-per-node");
  table.value("cards-per-node", o.cards_per_node, "number of accelerators (slots) of a worker");
  table.value("api", o.api, "API version of the MPI operator: v2beta1 or v1");
  table.value("device", o.device, "resource that a container requests: nvidia, gaudi or cpu");
  table.value("storage", o.storage,
              "hostpath (as in the recipe's manifests) or claims (volume claims)");
  table.value("data-claim", o.data_claim, "volume claim for the data, mounted read-only");
  table.value("results-claim", o.results_claim, "volume claim for checkpoints and logs");
  table.value("user", o.user, "user name in the job's name and in host paths");
  table.value("namespace", o.name_space, "namespace of the job");
  table.value("image", o.image, "container image; deploy/Containerfile builds it");
  table.value("save-seconds", o.save_seconds, "maximum time that writing a checkpoint may take");
}

void write_all(const std::string& folder, const k8s::ManifestOptions& options) {
  for (const k8s::NamedManifest& manifest : k8s::recipe_manifests(options)) {
    const std::filesystem::path path = std::filesystem::path(folder) / manifest.path;
    io::make_folder(path.parent_path().string());
    io::write_file(path.string(), k8s::render_manifest(manifest.options));
  }
}

int render(Arguments arguments) {
  k8s::ManifestOptions o;
  std::string folder;
  Options table("bertha k8s render",
                "Writes a job of the recipe as a manifest for Kubernetes to standard output: a Pod "
                "for one accelerator, an MPIJob of Kubeflow for more. With --output-dir it writes "
                "all eight manifests of the recipe, under the names and folders that its users "
                "know.");
  declare(table, o);
  table.value("output-dir", folder, "folder to write all eight manifests into");
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  if (folder.empty()) {
    std::fputs(k8s::render_manifest(o).c_str(), stdout);
  } else {
    write_all(folder, o);
  }
  return 0;
}

}  // namespace

int run_k8s(Arguments arguments) {
  constexpr const char* kUsage =
      "usage: bertha k8s render [options]   write the cluster's manifests\n";
  const std::string word = arguments.empty() ? "" : arguments[0];
  if (word == "render") return render(arguments.subspan(1));
  const bool asked = word == "--help" || word == "-h";
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 2;
}

}  // namespace bertha::cli
