#include "prepare/download_stage.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "core/error.h"
#include "io/archive/digest.h"
#include "io/archive/zip.h"
#include "io/atomic_file.h"
#include "io/download.h"
#include "io/file_status.h"
#include "prepare/output_folder.h"
#include "prepare/sources.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostListBytes = int64_t{1} << 22;

/// A file of a mirror that is a folder. Throws Error for a wrong checksum.
void copy_file(const std::string& from, const std::string& path, const std::string& digest) {
  if (!digest.empty()) {
    const char* name = io::digest_name(digest);
    const std::string found = io::file_digest(from, name);
    if (found != digest) fail("{}: {} is {}, expected {}", from, name, found, digest);
  }
  const io::MappedFile source(from);
  make_output_folder(fs::path(path).parent_path().string());
  io::AtomicFile out(path);
  out.write(source.bytes());
  out.commit();
}

void fetch(std::string_view url, const std::string& path, std::string_view digest,
           const DownloadOptions& options, const DownloadCallbacks& callbacks) {
  const std::string place = at_mirror(url, options.mirror);
  if (is_address(place)) return callbacks.fetch(place, path, std::string(digest));
  copy_file(place, path, std::string(digest));
}

void get_squad(const DownloadOptions& options, const DownloadCallbacks& callbacks) {
  const fs::path folder = options.output_dir.value_or(".");
  for (const SourceFile& file : squad_files()) {
    const std::string path = (folder / file.path).string();
    fetch(file.url, path, file.digest, options, callbacks);
    callbacks.done(path);
  }
}

/// The dump's checksum, from the list beside it; a mirror may have none.
std::string dump_digest(const std::string& prefix, const DownloadOptions& options) {
  std::string url = prefix + "sha1sums.txt";
  try {
    url = at_mirror(url, options.mirror);
    const std::string list = is_address(url) ? io::download_text(url, {}, kMostListBytes)
                                             : std::string(io::MappedFile(url).text());
    std::string digest = find_dump_digest(list);
    if (!digest.empty()) return digest;
    spdlog::warn("{}: does not name the dump; it will not be checked", url);
  } catch (const Error& error) {
    spdlog::warn("{}; the dump will not be checked", error.what());
  }
  return "";
}

void get_wikipedia(const DownloadOptions& options, const DownloadCallbacks& callbacks) {
  const std::string prefix = wikipedia_prefix(options.language, options.date);
  const std::string name = "wikicorpus_" + options.language;
  const std::string path =
      (fs::path(options.output_dir.value_or("download")) / name / (name + ".xml.bz2")).string();
  fetch(prefix + "pages-articles.xml.bz2", path, dump_digest(prefix, options), options, callbacks);
  callbacks.done(path);
}

/// The model's five files. Their names come from here, never from the archive.
std::vector<SourceFile> files_of(const GoogleModel& model) {
  return {{"", "bert_config.json", model.config_sha256},
          {"", "bert_model.ckpt.data-00000-of-00001", model.data_sha256},
          {"", "bert_model.ckpt.index", model.index_sha256},
          {"", "bert_model.ckpt.meta", model.meta_sha256},
          {"", "vocab.txt", model.vocab_sha256}};
}

bool has_model(const fs::path& folder, const GoogleModel& model) {
  return std::ranges::all_of(files_of(model), [&](const SourceFile& file) {
    const std::string path = (folder / file.path).string();
    return io::is_regular_file(path) && io::file_digest(path, "sha256") == file.digest;
  });
}

void unpack(const std::string& archive, const fs::path& folder, const GoogleModel& model) {
  const io::MappedFile mapped(archive);
  const io::ZipReader zip(mapped);
  make_output_folder(folder.string());
  for (const SourceFile& file : files_of(model)) {
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

void get_model(const GoogleModel& model, const DownloadOptions& options,
               const DownloadCallbacks& callbacks) {
  const fs::path base = options.output_dir.value_or("download/google_pretrained_weights");
  const fs::path folder = base / model.folder;
  if (!has_model(folder, model)) {
    const std::string archive = folder.string() + ".zip";
    fetch(model.url, archive, "", options, callbacks);
    try {
      unpack(archive, folder, model);
    } catch (const Error&) {
      std::error_code ignored;
      fs::remove(archive, ignored);  // the next call fetches it again
      throw;
    }
  }
  callbacks.done(folder.string());
}

}  // namespace

std::string download_names() {
  std::string names = "wikipedia, squad";
  for (const GoogleModel& model : google_models()) names += fmt::format(", {}", model.name);
  return names;
}

void run_download(const DownloadOptions& options, const DownloadCallbacks& callbacks) {
  if (options.name == "wikipedia") return get_wikipedia(options, callbacks);
  if (options.name == "squad") return get_squad(options, callbacks);
  for (const GoogleModel& model : google_models()) {
    if (model.name == options.name) return get_model(model, options, callbacks);
  }
  fail("download: no \"{}\"; there are {}", options.name, download_names());
}

}  // namespace bertha::prepare
