#pragma once

// `bertha serve` for Kubernetes: a Deployment, its Service and a PodDisruptionBudget.

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::k8s {

/// The fields have the names of the options of `bertha k8s render`.
struct ServerManifestOptions {
  std::string name_space = "default";
  std::string image = "bertha:latest";
  std::string device = "cpu";  ///< cpu or nvidia
  bool autocast = false;       ///< compute in bf16
  /// As `bertha serve --model` takes them, with folders below the claim's.
  std::vector<std::string> models = {"qa=qa"};
  std::string models_claim = "models";
  int64_t replicas = 2;
  int64_t cpus = 2;  ///< of a replica
  std::string memory = "2Gi";
  int64_t drain_seconds = 5;   ///< from SIGTERM to the end of accepting
  int64_t grace_seconds = 20;  ///< that requests in progress have then
};

/// The objects as YAML, with lines of three hyphens between them. Throws Error that names the
/// option with a value that is out of range.
std::string render_server_manifest(const ServerManifestOptions& options);

}  // namespace bertha::k8s
