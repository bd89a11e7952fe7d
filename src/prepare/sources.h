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

/// `url` with scheme and host replaced by `mirror` ("http://host/some/path"); unchanged when
/// `mirror` is empty. Throws Error for a mirror that is no http or https address.
std::string at_mirror(std::string_view url, const std::string& mirror);

}  // namespace bertha::prepare
