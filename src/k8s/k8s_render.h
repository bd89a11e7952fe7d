#pragma once

// The cluster's manifests, from one template: the recipe's eight jobs for Kubernetes, as Pods (one
// card) and MPIJobs of Kubeflow (more).

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::k8s {

struct ManifestOptions {
  std::string job = "phase1";        ///< data_gen, phase1, phase2, ftuning or inference
  int64_t cards = 1;                 ///< 1, or a multiple of cards_per_node
  int64_t cards_per_node = 8;        ///< slots of a worker
  std::string api = "v2beta1";       ///< of the MPI operator: v2beta1 or v1
  std::string device = "nvidia";     ///< nvidia, gaudi or cpu
  std::string storage = "hostpath";  ///< hostpath or claims
  std::string user = "username";     ///< in names and host paths
  std::string name_space = "default";
  std::string image = "bertha:latest";
  std::string data_claim = "bert-data";
  std::string results_claim = "bert-results";
  int64_t save_seconds = 300;  ///< longest a checkpoint may take to write
};

/// The manifest as YAML. Throws Error for a job that has no such form.
std::string render_manifest(const ManifestOptions& options);

/// A job of the recipe and the file the users have it in.
struct NamedManifest {
  std::string path;  ///< "8cards/bert_phase1_8cards.yaml"
  ManifestOptions options;
};
/// All eight; what is not the job's own is taken from `options`.
std::vector<NamedManifest> recipe_manifests(const ManifestOptions& options);

}  // namespace bertha::k8s
