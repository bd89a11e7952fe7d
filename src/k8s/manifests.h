#pragma once

// The eight jobs of the recipe as Kubernetes manifests: Pods for one accelerator, MPIJobs of
// Kubeflow's MPI operator for more.

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::k8s {

/// The fields have the names of the options of `bertha k8s render`.
struct ManifestOptions {
  std::string job = "phase1";        ///< data_gen, phase1, phase2, ftuning or inference
  int64_t cards = 1;                 ///< accelerators: 1, or a multiple of cards_per_node
  int64_t cards_per_node = 8;        ///< slots of a worker
  std::string api = "v2beta1";       ///< of the MPI operator: v2beta1 or v1
  std::string device = "nvidia";     ///< nvidia, gaudi or cpu
  std::string storage = "hostpath";  ///< hostpath or claims
  std::string user = "username";     ///< in names and host paths
  std::string name_space = "default";
  std::string image = "bertha:latest";
  std::string data_claim = "bert-data";
  std::string results_claim = "bert-results";
  int64_t save_seconds = 300;  ///< longest time that a checkpoint may take to write
};

/// The manifest as YAML. Throws Error when an option has an unknown value, or when the job cannot
/// run on that many accelerators.
std::string render_manifest(const ManifestOptions& options);

/// A job of the recipe, and the file that it has there.
struct NamedManifest {
  std::string path;  ///< below the output folder: "8cards/bert_phase1_8cards.yaml"
  ManifestOptions options;
};
/// All eight. The job and the number of accelerators are their own; the rest is from `options`.
std::vector<NamedManifest> recipe_manifests(const ManifestOptions& options);

}  // namespace bertha::k8s
