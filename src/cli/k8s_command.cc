#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "k8s/manifests.h"
#include "k8s/server_manifest.h"

namespace bertha::cli {
namespace {

constexpr auto kJobOptions = {"cards",   "cards-per-node", "api",
                              "storage", "data-claim",     "results-claim",
                              "user",    "save-seconds",   "output-dir"};
constexpr auto kServerOptions = {"model",  "models-claim",  "replicas",      "cpus",
                                 "memory", "drain-seconds", "grace-seconds", "autocast"};

void declare_jobs(Options& table, k8s::ManifestOptions& o) {
  table.choice("job", o.job, {"data_gen", "phase1", "phase2", "ftuning", "inference", "serve"},
               "job to render; serve is a server of models");
  table.choice(
      "device", o.device, {"nvidia", "gaudi", "cpu"},
      "resource that a container requests; the backend for gaudi has never run on a device. "
      "A server's default is cpu");
  table.value("namespace", o.name_space, "namespace of the job");
  table.value("image", o.image, "container image; deploy/Containerfile builds it");
  table.heading("jobs of the recipe");
  table.value("cards", o.cards, "number of accelerators: 1, or a multiple of --cards-per-node");
  table.value("cards-per-node", o.cards_per_node, "number of accelerators (slots) of a worker");
  table.choice("api", o.api, {"v2beta1", "v1"}, "API version of the MPI operator");
  table.choice("storage", o.storage, {"hostpath", "claims"},
               "hostpath (as in the recipe's manifests) or claims (volume claims)");
  table.value("data-claim", o.data_claim, "volume claim for the data, mounted read-only");
  table.value("results-claim", o.results_claim, "volume claim for checkpoints and logs");
  table.value("user", o.user, "user name in the job's name and in host paths");
  table.value("save-seconds", o.save_seconds, "maximum time that writing a checkpoint may take");
}

void declare_server(Options& table, k8s::ServerManifestOptions& o) {
  table.heading("server");
  table.values(
      "model", o.models,
      "NAME=FOLDER[:TASK] as bertha serve takes it, FOLDER in the claim; repeatable; default: "
      "qa=qa");
  table.value("models-claim", o.models_claim, "volume claim of the models, mounted read-only");
  table.value("replicas", o.replicas, "number of servers behind the Service");
  table.value("cpus", o.cpus, "processors of a server");
  table.value("memory", o.memory, "memory of a server");
  table.value("drain-seconds", o.drain_seconds,
              "seconds from the request to end until a server accepts no more");
  table.value("grace-seconds", o.grace_seconds,
              "seconds that requests in progress have to finish then");
  table.flag("autocast", o.autocast, "compute in bf16");
}

/// Throws UsageError for an option that the job does not have.
void refuse_given(const Options& table, std::initializer_list<const char*> names,
                  const std::string& job) {
  for (const char* name : names) {
    if (table.given(name)) throw UsageError(fmt::format("--job={} has no --{}", job, name));
  }
}

void write_all(const std::string& folder, const k8s::ManifestOptions& options) {
  for (const k8s::NamedManifest& manifest : k8s::recipe_manifests(options)) {
    const std::filesystem::path path = std::filesystem::path(folder) / manifest.path;
    io::make_folder(path.parent_path().string());
    io::write_file(path.string(), k8s::render_manifest(manifest.options));
  }
}

std::string server_manifest(const Options& table, const k8s::ManifestOptions& common,
                            k8s::ServerManifestOptions& o) {
  refuse_given(table, kJobOptions, common.job);
  if (o.models.empty()) o.models = k8s::ServerManifestOptions().models;
  o.name_space = common.name_space;
  o.image = common.image;
  if (table.given("device")) o.device = common.device;
  return k8s::render_server_manifest(o);
}

int render(Arguments arguments) {
  k8s::ManifestOptions o;
  k8s::ServerManifestOptions server = {.models = {}};
  std::string folder;
  Options table("bertha k8s render",
                "Writes a job of the recipe as a manifest for Kubernetes to standard output: a Pod "
                "for one accelerator, an MPIJob of Kubeflow for more. With --output-dir it writes "
                "all eight manifests of the recipe, under the names and folders that its users "
                "know. With --job=serve it writes a server: a Deployment, its Service and a "
                "PodDisruptionBudget.");
  table.example("bertha k8s render --job=phase1 --cards=8 --device=nvidia | kubectl apply -f -",
                "Pre-train, phase 1, on 8 GPUs");
  table.example("bertha k8s render --output-dir=manifests", "All eight manifests of the recipe");
  table.example(
      "bertha k8s render --job=serve --model qa=answers --replicas=3 | kubectl apply -f -",
      "Three servers of the model in the folder answers of the claim models");
  declare_jobs(table, o);
  table.folder("output-dir", folder, "folder to write all eight manifests into");
  declare_server(table, server);
  table.parse(arguments);
  if (o.job == "serve") {
    std::fputs(server_manifest(table, o, server).c_str(), stdout);
    return 0;
  }
  refuse_given(table, kServerOptions, o.job);
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
  table.subcommand("render", "write manifests: Pods, MPIJobs and servers");
  table.parse(arguments);
  throw UsageError("bertha k8s: expected bertha k8s render");
}

}  // namespace bertha::cli
