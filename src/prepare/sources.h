#pragma once

// The addresses and checksums of BERT's data, as the recipe's scripts have them.

#include <span>
#include <string>
#include <string_view>

namespace bertha::prepare {

/// A file to fetch. `digest` is its md5, sha1 or sha256; empty where none is published.
struct SourceFile {
  std::string_view url;
  std::string_view path;  ///< below the output folder
  std::string_view digest;
};

/// SQuAD 1.1 and its scorer.
std::span<const SourceFile> squad_files();

/// A model as Google published it: a zip archive with a folder of five files.
struct GoogleModel {
  std::string_view name;  ///< "bert-base-uncased"
  std::string_view url;
  std::string_view folder;  ///< in the archive; the archive has the same name
  std::string_view config_sha256;
  std::string_view data_sha256;
  std::string_view index_sha256;
  std::string_view meta_sha256;
  std::string_view vocab_sha256;
};
std::span<const GoogleModel> google_models();

/// The beginning of the addresses of a dump's files; the name of the file follows. It is
/// "https://dumps.wikimedia.org/enwiki/latest/enwiki-latest-" for language "en" and date "latest";
/// a date may also be "20240101". Throws Error for a malformed language or date.
std::string wikipedia_prefix(const std::string& language, const std::string& date);

/// The SHA-1 of the dump of pages in a list of checksums ("<sha1>  <file>" a line); empty when the
/// list does not have it. A "latest" list names files by their date.
std::string find_dump_digest(std::string_view list);

/// Where the file of `url` is to be had. `mirror` is empty: at `url`. It is an address
/// ("http://host/some/path"): `url` with scheme and host replaced by it. It is a folder: the path
/// of the file in it, the first of FOLDER/host/path (as wget -r makes it), FOLDER/path and
/// FOLDER/name that is there. Throws Error for a folder without the file, and for what is neither
/// an http or https address nor a folder.
std::string at_mirror(std::string_view url, const std::string& mirror);

/// Whether at_mirror() gave an address, not a path.
bool is_address(std::string_view place);

}  // namespace bertha::prepare
