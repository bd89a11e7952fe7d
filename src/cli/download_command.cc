// bertha download: options, the status line and signals; prepare/download_stage.h says what is
// fetched.

#include <spdlog/spdlog.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "cli/rank_options.h"
#include "io/download.h"
#include "runlog/work_meter.h"

namespace bertha::cli {
namespace {

std::atomic<bool> download_stopped{false};

/// While an object exists, SIGINT and SIGTERM end the download like an error: the part that has
/// been read stays, and the status line ends.
class StopOnSignal {
 public:
  StopOnSignal()
      : interrupt_(std::signal(SIGINT, request)), terminate_(std::signal(SIGTERM, request)) {}
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  ~StopOnSignal() {
    std::signal(SIGINT, interrupt_);
    std::signal(SIGTERM, terminate_);
  }

 private:
  using Handler = void (*)(int);
  static void request(int) { download_stopped = true; }

  Handler interrupt_;
  Handler terminate_;
};

void fetch(const std::string& url, const std::string& path, const std::string& digest, bool quiet) {
  runlog::WorkMeter meter(std::filesystem::path(path).filename().string(), "", quiet);
  io::DownloadOptions options;
  options.retrying = [&](const std::string& reason, int64_t wait_ms) {
    meter.clear();
    spdlog::warn("{}: {}; the next attempt is in {} s", url, reason, (wait_ms + 999) / 1000);
  };
  io::download(url, path, digest, options, [&meter](const io::DownloadProgress& progress) {
    meter.update(progress.bytes, progress.total_bytes, progress.bytes - progress.new_bytes);
    return !download_stopped;
  });
}

}  // namespace

void download_and_print(const prepare::DownloadOptions& options, bool quiet) {
  const StopOnSignal stop;
  const auto fetch_file = [quiet](const std::string& url, const std::string& path,
                                  const std::string& digest) { fetch(url, path, digest, quiet); };
  prepare::run_download(options, {.fetch = fetch_file, .done = print_line});
}

int run_download(Arguments arguments) {
  prepare::DownloadOptions download;
  bool quiet = false;
  std::vector<std::string> names;
  Options options(
      "bertha download",
      "Downloads data from their official addresses, or from a mirror that has the same "
      "paths: " +
          prepare::download_names() +
          ". An interrupted download continues. Checksums are verified. A file gets "
          "its name when it is complete.");
  options.example("bertha download squad", "SQuAD 1.1, into v1.1/");
  options.example("bertha download wikipedia --language=de --output-dir=dumps",
                  "The newest dump of the German Wikipedia");
  options.positional("NAME", names, 1, "what to download");
  options.value("language", download.language, "language of the Wikipedia");
  options.value("date", download.date,
                "date of the Wikipedia dump: latest, or a day such as 20240101");
  options.value(
      "mirror", download.mirror,
      "address that replaces scheme and host of every download: http://mirror/path/; or a "
      "folder with the files, for example one that wget -r made");
  options.folder("output_dir", download.output_dir,
                 "folder for the files; default, as in the recipe: download/wikicorpus_<language>, "
                 "v1.1, download/google_pretrained_weights");
  options.flag("disable_progress_bar", quiet, "show no status line");
  options.parse(arguments);
  for (const std::string& name : names) {
    download.name = name;
    download_and_print(download, quiet);
  }
  return 0;
}

}  // namespace bertha::cli
