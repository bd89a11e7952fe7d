#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "prepare/pipeline_settings.h"

namespace bertha::prepare {

/// A phase of pre-training: tokens and masked tokens an instance.
struct Phase {
  int64_t length = 0;
  int64_t predictions = 0;
};

/// Where the files of the pipeline are, under the recipe's names. `settings` must outlive it.
class WorkingFolder {
 public:
  explicit WorkingFolder(const PipelineSettings& settings) : s_(settings) {}

  std::string path(const std::string& name) const { return s_.root + "/" + name; }
  std::string manifest(const std::string& name) const {
    return path("manifests/" + name + ".json");
  }
  /// The dump that is there, or that a download would bring.
  std::string dump() const;
  std::string vocabulary() const;
  /// Folder of books, one .txt file each.
  std::string books() const { return path("download/") + kBooks; }
  /// The files in it. Throws Error when there are none.
  std::vector<std::string> book_files() const;
  /// Folder of extracted articles.
  std::string extracted() const { return path("extracted/") + kWiki; }
  /// The text file of articles or books, one a line.
  std::string formatted(const std::string& dataset) const;
  /// Folder of text shards.
  std::string sharded() const;
  /// Name of a phase's folder of HDF5 shards; each dataset has a folder within it. The name says
  /// which casing the instances have: the vocabulary decides, and the option where there is none
  /// yet. Throws Error when the vocabulary is there and cannot be read.
  std::string hdf5_name(const Phase& phase) const;
  std::string packed_name(const Phase& phase) const { return hdf5_name(phase) + "_packed"; }

  std::string extract_manifest() const { return manifest(std::string("extract_") + kWiki); }
  std::string shards_manifest() const;
  /// Of instances or packed instances; `name` is hdf5_name() or packed_name().
  std::string hdf5_manifest(const std::string& name) const {
    return manifest(name + "_" + s_.dataset);
  }

 private:
  bool lower_case() const;

  const PipelineSettings& s_;
  mutable std::optional<bool> lower_case_;  ///< as the vocabulary decided
};

}  // namespace bertha::prepare
