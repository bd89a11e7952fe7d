#pragma once

// Checks manifests without a cluster: fields that Kubernetes and the MPI operator know, the rules
// by which they refuse a job, and what this project's jobs need besides.

#include <string>
#include <vector>

namespace bertha::cli {

struct Finding {
  int line = 0;  ///< from 1; 0: of the whole file
  std::string text;
};

/// What a cluster would refuse in the documents of `yaml`; empty when nothing.
std::vector<Finding> lint_manifest(const std::string& yaml);

}  // namespace bertha::cli
