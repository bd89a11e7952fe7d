#pragma once

// The download stage: Wikipedia's dump, SQuAD or a model of Google, from their official addresses
// or a mirror, checked by their checksums.

#include <functional>
#include <optional>
#include <string>

namespace bertha::prepare {

struct DownloadOptions {
  std::string name;             ///< one of download_names()
  std::string language = "en";  ///< of Wikipedia
  std::string date = "latest";  ///< of Wikipedia's dump: "latest", or a day as "20240101"
  std::string mirror = {};      ///< an address or a folder, see at_mirror(); may be empty
  std::optional<std::string> output_dir = {};  ///< empty: the recipe's folder
};

struct DownloadCallbacks {
  /// Downloads `url` to `path` as io::download() does. `digest` is empty where none is published.
  std::function<void(const std::string& url, const std::string& path, const std::string& digest)>
      fetch;
  /// Gets the path of each file that is complete, and for a model that of its folder.
  std::function<void(const std::string& path)> done;
};

/// "wikipedia, squad, bert-base-uncased, …"
std::string download_names();

/// Fetches what is not there yet and unpacks a model. Throws Error for an unknown name, a failed
/// download, and a wrong checksum.
void run_download(const DownloadOptions& options, const DownloadCallbacks& callbacks);

}  // namespace bertha::prepare
