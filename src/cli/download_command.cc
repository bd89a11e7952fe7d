#include "io/download.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/archive/digest.h"
#include "io/archive/zip.h"
#include "io/atomic_file.h"
#include "prepare/sources.h"
#include "runlog/work_meter.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMostListBytes = int64_t{1} << 22;

std::atomic<bool> stop_requested{false};

/// SIGINT and SIGTERM end the download in hand: a part stays and is gone on with, and the line on
/// the terminal is ended cleanly.
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
  static void request(int) { stop_requested = true; }

  Handler interrupt_;
  Handler terminate_;
};

struct Settings {
  std::string language = "en";
  std::string date = "latest";
  std::string mirror;
  std::optional<std::string> output_dir;
  bool quiet = false;
};

void get(std::string_view url, const std::string& path, std::string_view digest,
         const Settings& settings) {
  runlog::WorkMeter meter(fs::path(path).filename().string(), "", settings.quiet);
  const std::string address = prepare::at_mirror(url, settings.mirror);
  io::DownloadOptions options;
  options.retrying = [&](const std::string& reason, int64_t wait_ms) {
    meter.clear();
    spdlog::warn("{}: {}; the next attempt is in {} s", address, reason, (wait_ms + 999) / 1000);
  };
  io::download(
      address, path, std::string(digest), options, [&meter](const io::DownloadProgress& progress) {
        meter.update(progress.bytes, progress.total_bytes, progress.bytes - progress.new_bytes);
        return !stop_requested;
      });
}

void get_squad(const Settings& settings) {
  const fs::path folder = settings.output_dir.value_or(".");
  for (const prepare::SourceFile& file : prepare::squad_files()) {
    const std::string path = (folder / file.path).string();
    get(file.url, path, file.digest, settings);
    fmt::print("{}\n", path);
  }
}

/// The dump's sum, from the list beside it; a mirror may have none.
std::string dump_digest(const std::string& prefix, const Settings& settings) {
  const std::string url = prepare::at_mirror(prefix + "sha1sums.txt", settings.mirror);
  try {
    std::string digest = prepare::find_dump_digest(io::download_text(url, {}, kMostListBytes));
    if (!digest.empty()) return digest;
    spdlog::warn("{}: does not name the dump; it will not be checked", url);
  } catch (const Error& error) {
    spdlog::warn("{}; the dump will not be checked", error.what());
  }
  return "";
}

void get_wikipedia(const Settings& settings) {
  const std::string prefix = prepare::wikipedia_prefix(settings.language, settings.date);
  const std::string name = "wikicorpus_" + settings.language;
  const std::string path =
      (fs::path(settings.output_dir.value_or("download")) / name / (name + ".xml.bz2")).string();
  get(prefix + "pages-articles.xml.bz2", path, dump_digest(prefix, settings), settings);
  fmt::print("{}\n", path);
}

/// The model's five files; names come from here, never from the archive.
std::vector<prepare::SourceFile> files_of(const prepare::GoogleModel& model) {
  return {{"", "bert_config.json", model.config_sha256},
          {"", "bert_model.ckpt.data-00000-of-00001", model.data_sha256},
          {"", "bert_model.ckpt.index", model.index_sha256},
          {"", "bert_model.ckpt.meta", model.meta_sha256},
          {"", "vocab.txt", model.vocab_sha256}};
}

bool has_model(const fs::path& folder, const prepare::GoogleModel& model) {
  return std::ranges::all_of(files_of(model), [&](const prepare::SourceFile& file) {
    const std::string path = (folder / file.path).string();
    std::error_code error;
    return fs::is_regular_file(path, error) && io::file_digest(path, "sha256") == file.digest;
  });
}

void extract(const std::string& archive, const fs::path& folder,
             const prepare::GoogleModel& model) {
  const io::MappedFile mapped(archive);
  const io::ZipReader zip(mapped);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("{}: cannot make the folder: {}", folder.string(), error.message());
  for (const prepare::SourceFile& file : files_of(model)) {
    const std::string name = fmt::format("{}/{}", model.folder, file.path);
    const io::ZipEntry* entry = zip.find(name);
    if (entry == nullptr) fail("{}: has no {}", archive, name);
    std::vector<std::byte> buffer;
    const std::span<const std::byte> bytes = zip.read(*entry, buffer);
    const std::string sum = io::bytes_digest(bytes, "sha256");
    if (sum != file.digest) {
      fail("{}: {}: sha256 is {}, expected {}", archive, name, sum, file.digest);
    }
    io::AtomicFile out((folder / file.path).string());
    out.write(bytes);
    out.commit();
  }
}

void get_model(const prepare::GoogleModel& model, const Settings& settings) {
  const fs::path base =
      fs::path(settings.output_dir.value_or("download/google_pretrained_weights"));
  const fs::path folder = base / model.folder;
  if (!has_model(folder, model)) {
    const std::string archive = folder.string() + ".zip";
    get(model.url, archive, "", settings);
    try {
      extract(archive, folder, model);
    } catch (const Error&) {
      std::error_code ignored;
      fs::remove(archive, ignored);  // the next call fetches it anew
      throw;
    }
  }
  fmt::print("{}\n", folder.string());
}

std::string known_names() {
  std::string names = "wikipedia, squad";
  for (const prepare::GoogleModel& model : prepare::google_models()) {
    names += fmt::format(", {}", model.name);
  }
  return names;
}

void get_by_name(const std::string& name, const Settings& settings) {
  if (name == "wikipedia") return get_wikipedia(settings);
  if (name == "squad") return get_squad(settings);
  for (const prepare::GoogleModel& model : prepare::google_models()) {
    if (model.name == name) return get_model(model, settings);
  }
  fail("download: no \"{}\"; there are {}", name, known_names());
}

}  // namespace

int run_download(Arguments arguments) {
  Settings settings;
  std::vector<std::string> names;
  Options options(
      "bertha download",
      "Fetches data from their official addresses, or a mirror that has the same paths: " +
          known_names() +
          ". A download that was cut goes on; sums are checked; a file has its name "
          "when it is whole.");
  options.positional("NAME", names, 1, "what to fetch");
  options.value("language", settings.language, "of Wikipedia");
  options.value("date", settings.date, "of Wikipedia's dump: latest, or a day as 20240101");
  options.value("mirror", settings.mirror, "take https://host/… of every address from here");
  options.value("output_dir", settings.output_dir,
                "folder; as in the recipe when not given: download/wikicorpus_<language>, v1.1, "
                "download/google_pretrained_weights");
  options.flag("disable_progress_bar", settings.quiet, "no progress line");
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  const StopOnSignal stop;
  for (const std::string& name : names) get_by_name(name, settings);
  return 0;
}

}  // namespace bertha::cli
