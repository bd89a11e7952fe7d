#include <cstdio>
#include <filesystem>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "k8s/manifests.h"

namespace bertha::cli {
namespace {

void declare(Options& table, k8s::ManifestOptions& o) {
  table.choice("job", o.job, {"data_gen", "phase1", "phase2", "ftuning", "inference"},
               "job to render");
  table.value("cards", o.cards, "number of accelerators: 1, or a multiple of --cards-per-node");
  table.value("cards-per-node", o.cards_per_node, "number of accelerators (slots) of a worker");
  table.choice("api", o.api, {"v2beta1", "v1"}, "API version of the MPI operator");
  table.choice("device", o.device, {"nvidia", "gaudi", "cpu"},
               "resource that a container requests; Gaudi is not supported yet");
  table.choice("storage", o.storage, {"hostpath", "claims"},
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
  table.example("bertha k8s render --job=phase1 --cards=8 --device=nvidia | kubectl apply -f -",
                "Pre-train, phase 1, on 8 GPUs");
  table.example("bertha k8s render --output-dir=manifests", "All eight manifests of the recipe");
  declare(table, o);
  table.folder("output-dir", folder, "folder to write all eight manifests into");
  table.parse(arguments);
  if (o.device == "gaudi") {
    fail(
        "--device gaudi: Gaudi is not supported yet, and such a job could only fail; --device cpu "
        "runs on the processors of the same nodes");
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
  if (!arguments.empty() && arguments[0] == "render") return render(arguments.subspan(1));
  Options table("bertha k8s", "Writes the jobs of the recipe for a cluster with Kubernetes.");
  table.subcommand("render", "write manifests: Pods and MPIJobs");
  table.parse(arguments);
  throw UsageError("bertha k8s: expected bertha k8s render");
}

}  // namespace bertha::cli
