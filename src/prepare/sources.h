#pragma once

// Where the data of BERT come from: addresses and sums of the recipe's scripts.

#include <span>
#include <string>
#include <string_view>

namespace bertha::prepare {

/// A file to fetch, and its sum (md5, sha1 or sha256); empty where none is published.
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
  std::string_view folder;  ///< in the archive, whose name it is too
  std::string_view config_sha256;
  std::string_view data_sha256;
  std::string_view index_sha256;
  std::string_view meta_sha256;
  std::string_view vocab_sha256;
};
std::span<const GoogleModel> google_models();

/// "https://dumps.wikimedia.org/enwiki/latest/enwiki-latest-" for language "en", date "latest" or
/// "20240101"; what follows names the file. Throws Error for a malformed language or date.
std::string wikipedia_prefix(const std::string& language, const std::string& date);

/// The sum of the dump of pages in a list of sums ("<sha1>  <file>" a line); empty when it is not
/// there. A "latest" list names files by their date.
std::string find_dump_digest(std::string_view list);

/// `url` with scheme and host replaced by those of `mirror` ("http://host/some/path"); as it is
/// when `mirror` is empty.
std::string at_mirror(std::string_view url, const std::string& mirror);

}  // namespace bertha::prepare
