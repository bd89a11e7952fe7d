#include "io/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "io/byte_order.h"

namespace bertha::io {
namespace {

using Json = nlohmann::json;

// The reference implementation allows 100 MB. A BERT model has about 50 KB, and a header takes
// several times its size in memory.
constexpr uint64_t kMaxHeaderBytes = uint64_t{1} << 22;
constexpr size_t kMaxMetadata = 1000;
constexpr uint64_t kLengthBytes = 8;
constexpr std::string_view kMetadata = "__metadata__";

struct NamedDType {
  std::string_view name;
  DType dtype;
};
constexpr auto kTypes = std::to_array<NamedDType>({{"F32", DType::kF32},
                                                   {"F16", DType::kF16},
                                                   {"BF16", DType::kBF16},
                                                   {"F64", DType::kF64},
                                                   {"I64", DType::kI64},
                                                   {"I32", DType::kI32},
                                                   {"I8", DType::kI8},
                                                   {"U8", DType::kU8},
                                                   {"BOOL", DType::kBool}});

/// Types of the format that this program does not convert, with the bits of an element.
struct ForeignType {
  std::string_view name;
  int bits;
};
constexpr auto kForeignTypes = std::to_array<ForeignType>({{"I16", 16},
                                                           {"U16", 16},
                                                           {"U32", 32},
                                                           {"U64", 64},
                                                           {"C64", 64},
                                                           {"F8_E4M3", 8},
                                                           {"F8_E5M2", 8},
                                                           {"F8_E8M0", 8},
                                                           {"F8_E4M3FNUZ", 8},
                                                           {"F8_E5M2FNUZ", 8},
                                                           {"F6_E2M3", 6},
                                                           {"F6_E3M2", 6},
                                                           {"F4", 4}});

/// The bytes that an entry's shape and type need, or -1 for too large a shape and for a number of
/// bits that fills no whole bytes.
int64_t bytes_of(const SafetensorsFile::Entry& entry) {
  const int64_t count = element_count(entry.shape);
  if (count < 0 || entry.foreign_type.empty()) return count * size_of(entry.dtype);
  const auto* const type =
      std::find_if(kForeignTypes.begin(), kForeignTypes.end(),
                   [&](const ForeignType& t) { return t.name == entry.foreign_type; });
  const bool whole = count * (type->bits % 8) % 8 == 0;
  return whole ? count / 8 * type->bits + count % 8 * type->bits / 8 : -1;
}

/// The offset of the header's JSON object in `bytes`, after blanks; npos for any other contents.
size_t object_start(std::string_view header) {
  const size_t first = header.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && header[first] == '{' ? first : std::string_view::npos;
}

std::string_view type_name(DType dtype) {
  for (const NamedDType& type : kTypes) {
    if (type.dtype == dtype) return type.name;
  }
  BERTHA_CHECK(false, "dtype {} has no name in safetensors", name_of(dtype));
}

/// Fills entries from the parser's events. No document is built, so a header takes no more memory
/// than its tensors, and unexpected content stops the parser at once.
class HeaderHandler : public nlohmann::json_sax<Json> {
 public:
  HeaderHandler(std::string path, std::vector<SafetensorsFile::Entry>& entries,
                std::map<std::string, std::string>& metadata)
      : path_(std::move(path)), entries_(entries), metadata_(metadata) {}

  bool start_object(size_t) override {
    if (skipping_) return enter_skipped();
    if (depth_ >= 2 || in_array_) bad("an object too deep");
    ++depth_;
    if (depth_ == 2 && name_ != kMetadata) {
      entries_.push_back({name_, DType::kF32, {}, 0, 0, {}});
      seen_.clear();
    }
    return true;
  }
  bool end_object() override {
    if (skipping_) return leave_skipped();
    if (depth_ == 2 && name_ != kMetadata && seen_.size() != 3) {
      bad("expected dtype, shape and data_offsets");
    }
    --depth_;
    return true;
  }
  bool key(string_t& key) override {
    if (skipping_) return true;
    if (depth_ == 1) {
      if (!names_.insert(key).second) bad(fmt::format("\"{}\" occurs twice", key));
      name_ = key;
    } else if (name_ != kMetadata) {
      skipping_ = key != "dtype" && key != "shape" && key != "data_offsets";
      if (!skipping_ && !seen_.insert(key).second) {
        bad(fmt::format("the key \"{}\" occurs twice", key));
      }
    }
    key_ = key;
    return true;
  }
  bool string(string_t& text) override {
    if (skipping_) return skip_scalar();
    if (depth_ != 2 || in_array_) bad("a string");
    if (name_ == kMetadata) {
      metadata_[key_] = text;
      if (metadata_.size() > kMaxMetadata) bad("too many entries");
      return true;
    }
    if (key_ != "dtype") bad("a string");
    set_type(text);
    return true;
  }
  bool start_array(size_t) override {
    if (skipping_) return enter_skipped();
    if (depth_ != 2 || in_array_ || name_ == kMetadata || key_ == "dtype") bad("an array");
    in_array_ = true;
    numbers_.clear();
    return true;
  }
  bool end_array() override {
    if (skipping_) return leave_skipped();
    in_array_ = false;
    SafetensorsFile::Entry& entry = entries_.back();
    if (key_ == "shape") {
      entry.shape = numbers_;
    } else {
      if (numbers_.size() != 2) bad("data_offsets without exactly two numbers");
      entry.begin = static_cast<uint64_t>(numbers_[0]);
      entry.end = static_cast<uint64_t>(numbers_[1]);
    }
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (skipping_) return skip_scalar();
    if (!in_array_ || number > uint64_t{std::numeric_limits<int64_t>::max()}) bad("a number");
    if (numbers_.size() >= 16) bad("more than 16 dimensions");
    numbers_.push_back(static_cast<int64_t>(number));
    return true;
  }
  bool null() override { return skip_or_fail("null"); }
  bool boolean(bool) override { return skip_or_fail("a boolean"); }
  bool number_integer(number_integer_t) override { return skip_or_fail("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return skip_or_fail("a fraction"); }
  bool binary(binary_t&) override { return skip_or_fail("binary data"); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail("{}: the header is not JSON, byte {}", path_, position + kLengthBytes);
  }

 private:
  [[noreturn]] void bad(std::string_view what) const {
    fail("{}: the header is wrong at \"{}\": {}", path_, name_, what);
  }

  bool skip_or_fail(std::string_view what) {
    if (!skipping_) bad(what);
    return skip_scalar();
  }

  // The value of a key that the format does not have.
  bool enter_skipped() {
    ++skip_depth_;
    return true;
  }
  bool leave_skipped() {
    skipping_ = --skip_depth_ > 0;
    return true;
  }
  bool skip_scalar() {
    skipping_ = skip_depth_ > 0;
    return true;
  }

  void set_type(const std::string& name) {
    SafetensorsFile::Entry& entry = entries_.back();
    const auto* const type = std::find_if(kTypes.begin(), kTypes.end(),
                                          [&](const NamedDType& t) { return t.name == name; });
    if (type != kTypes.end()) {
      entry.dtype = type->dtype;
      return;
    }
    const bool foreign = std::any_of(kForeignTypes.begin(), kForeignTypes.end(),
                                     [&](const ForeignType& t) { return t.name == name; });
    if (!foreign) bad(fmt::format("the element type {}, which the format does not have", name));
    entry.foreign_type = name;
  }

  std::string path_;
  std::vector<SafetensorsFile::Entry>& entries_;
  std::map<std::string, std::string>& metadata_;
  int depth_ = 0;
  bool in_array_ = false;
  bool skipping_ = false;
  int64_t skip_depth_ = 0;
  std::string name_;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> seen_;
  std::vector<int64_t> numbers_;
};

}  // namespace

bool SafetensorsFile::matches(std::span<const std::byte> bytes) {
  if (bytes.size() <= kLengthBytes) return false;
  const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                              bytes.size() - kLengthBytes);
  // Without blanks the length need not fit: a file that was cut off is a safetensors file, too.
  if (rest[0] == '{') return true;
  const auto length = load<uint64_t>(bytes.data());
  return length <= kMaxHeaderBytes && length <= rest.size() &&
         object_start(rest.substr(0, length)) != rest.npos;
}

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  const auto length = load<uint64_t>(file_.slice(0, kLengthBytes, "the header's length").data());
  if (length > kMaxHeaderBytes) {
    fail("{}: a header of {} bytes, at most {} are allowed", path, length, kMaxHeaderBytes);
  }
  const auto header = file_.slice(kLengthBytes, length, "the header");
  data_offset_ = kLengthBytes + length;
  HeaderHandler handler(path, entries_, metadata_);
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  if (object_start(text) == text.npos) fail("{}: the header is not a JSON object", path);
  // The JSON parser takes a NUL for the end of its input.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    fail("{}: the header has a NUL at byte {}", path, nul + kLengthBytes);
  }
  Json::sax_parse(text.begin(), text.end(), &handler);
  check_layout();
}

void SafetensorsFile::check_layout() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  const uint64_t available = file_.bytes().size() - data_offset_;
  uint64_t position = 0;
  for (const Entry& entry : entries_) {
    if (entry.begin != position || entry.end < entry.begin) {
      fail("{}: tensor {} is at [{}, {}), expected it to begin at {}", path(), entry.name,
           entry.begin, entry.end, position);
    }
    const int64_t bytes = bytes_of(entry);
    if (bytes < 0 || static_cast<uint64_t>(bytes) != entry.end - entry.begin) {
      fail("{}: tensor {} of {} {} has {} bytes", path(), entry.name, shape_string(entry.shape),
           entry.foreign_type.empty() ? name_of(entry.dtype) : entry.foreign_type,
           entry.end - entry.begin);
    }
    position = entry.end;
  }
  if (position != available) {
    fail("{}: the header describes {} bytes of data, the file has {} (is it cut off?)", path(),
         position, available);
  }
}

TensorData SafetensorsFile::tensor(const Entry& entry) const {
  return {entry.dtype, entry.shape,
          file_.slice(data_offset_ + entry.begin, entry.end - entry.begin, entry.name), nullptr};
}

void write_safetensors(const std::string& path, const std::vector<NamedSource>& tensors) {
  nlohmann::ordered_json header;
  header[std::string(kMetadata)]["format"] = "pt";
  int64_t offset = 0;
  for (const NamedSource& tensor : tensors) {
    const int64_t end = offset + element_count(tensor.shape) * size_of(tensor.dtype);
    BERTHA_CHECK(end >= offset && !header.contains(tensor.name), "tensor {}", tensor.name);
    header[tensor.name] = {{"dtype", type_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // data starts at a multiple of eight bytes
  std::string length;
  store(length, static_cast<uint64_t>(text.size()));
  AtomicFile file(path);
  file.write(length);
  file.write(text);
  const auto start = file.size_bytes();
  for (const NamedSource& tensor : tensors) {
    tensor.source([&](std::span<const std::byte> data) { file.write(data); });
  }
  BERTHA_CHECK(file.size_bytes() - start == offset, "{}: sources gave {} of {} bytes", path,
               file.size_bytes() - start, offset);
  file.commit();
}

}  // namespace bertha::io
