#include "io/foreign_file.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace bertha::io {
namespace {

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* meaning;
};

using namespace std::string_view_literals;

constexpr auto kSignatures = std::to_array<Signature>({
    {0, "version https://git-lfs.github.com/spec/"sv,
     "a Git LFS pointer, not the file itself (`git lfs pull` fetches it)"},
    {0, "\x89HDF\r\n\x1a\n"sv,
     "an HDF5 file, as tf_model.h5 of Keras is (transformers before version 5 reads it with "
     "from_tf=True; save_pretrained() then writes model.safetensors)"},
    {257, "ustar"sv,
     "a tar archive, as PyTorch before 0.1.10 wrote (load it in PyTorch and save it anew)"},
    {0, "\x1f\x8b"sv, "compressed with gzip; unpack it first"},
    {0, "BZh"sv, "compressed with bzip2; unpack it first"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "compressed with xz; unpack it first"},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed with zstd; unpack it first"},
    {0, "GGUF"sv, "a GGUF file of llama.cpp, which keeps no weights in the form that BERT needs"},
    {0, "\x93NUMPY"sv, "a single numpy array"},
    {0, "PAR1"sv,
     "a Parquet file (pandas.read_parquet() reads it, and to_json() with orient=\"records\" and "
     "lines=True writes JSON lines)"},
    {0, "ARROW1"sv, "an Arrow file (datasets reads it, and to_json() writes JSON lines)"},
    {0, "PK\x03\x04"sv,
     "a zip archive, as .xlsx and .docx files are (unpack it, or save it as text)"},
    {0, "%PDF-"sv, "a PDF file"},
    {0, "SQLite format 3"sv, "an SQLite database"},
});

/// `contents` without blanks in front, in lower case, of at most 64 bytes.
std::string beginning(std::string_view contents) {
  const size_t first = contents.substr(0, 256).find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string_view::npos) return "";
  std::string text(contents.substr(first, 64));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string describe_foreign_file(std::string_view contents) {
  if (contents.empty()) return "an empty file";
  for (const Signature& signature : kSignatures) {
    if (contents.size() > signature.offset &&
        contents.substr(signature.offset).starts_with(signature.bytes)) {
      return signature.meaning;
    }
  }
  const std::string text = beginning(contents);
  for (const std::string_view page : {"<!doctype html"sv, "<html"sv, "<head"sv, "<?xml"sv}) {
    if (text.starts_with(page)) {
      return "a web page that was saved in place of the file (download the file anew)";
    }
  }
  return "";
}

}  // namespace bertha::io
