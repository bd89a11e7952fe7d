#include "corpus/dump_reader.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <new>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "corpus/character_data.h"

namespace bertha::corpus {
namespace {

constexpr size_t kFeedBytes = size_t{1} << 16;
/// Limit on the size of a tag: expat holds a tag in memory until it is complete.
constexpr int64_t kMaxTagBytes = int64_t{1} << 20;
constexpr int kMaxDepth = 32;
constexpr size_t kMaxFieldBytes = 4096;

enum class Field : uint8_t {
  kNone,
  kTitle,
  kNamespace,
  kId,
  kRevision,
  kModel,
  kText,
  kBase,
  kSiteName
};

int64_t to_number(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The number of bytes of `chunk` up to and including its first "<text …>", or all of them if none
/// ends in it.
size_t up_to_text_tag(std::string_view chunk) {
  const size_t begin = chunk.find("<text");
  if (begin == std::string_view::npos) return chunk.size();
  return std::min(chunk.find('>', begin), chunk.size() - 1) + 1;
}

/// Counts in blocks small enough for a one-byte counter, so that the compiler vectorizes the loop.
int64_t count_lines(std::string_view text) {
  int64_t lines = 0;
  for (; !text.empty(); text.remove_prefix(std::min(text.size(), size_t{128}))) {
    uint8_t in_block = 0;
    for (const char c : text.substr(0, 128)) {
      in_block = static_cast<uint8_t>(in_block + (c == '\n'));
    }
    lines += in_block;
  }
  return lines;
}

bool is_utf8(std::string_view encoding) {
  return encoding.size() == 5 && (encoding[0] | 0x20) == 'u' && (encoding[1] | 0x20) == 't' &&
         (encoding[2] | 0x20) == 'f' && encoding.ends_with("-8");
}

/// True for the errors that expat reports at the end of a truncated file.
bool ends_early(XML_Error code) {
  return code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
         code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

std::string_view attribute(const XML_Char** attributes, std::string_view name) {
  for (; attributes[0] != nullptr; attributes += 2) {
    if (attributes[0] == name) return attributes[1];
  }
  return {};
}

}  // namespace

/// Reads the dump with expat, except most of the text between <text> and </text>, which is nine
/// tenths of the dump. expat reads each byte of it twice and returns one piece per line and entity,
/// which took two fifths of the extraction time. When expat has just read a <text> tag and nothing
/// after it, plain characters (character_data.h) bypass expat; they would not change its state.
class DumpReader::Parser {
 public:
  explicit Parser(std::unique_ptr<io::ByteSource> source)
      : source_(std::move(source)), parser_(XML_ParserCreate(nullptr)) {
    if (parser_ == nullptr) throw std::bad_alloc();
    XML_SetUserData(parser_, this);
    XML_SetElementHandler(parser_, on_start, on_end);
    XML_SetCharacterDataHandler(parser_, on_text);
    XML_SetStartDoctypeDeclHandler(parser_, on_doctype);
    XML_SetXmlDeclHandler(parser_, on_declaration);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() { XML_ParserFree(parser_); }

  std::optional<Page> next() {
    while (ready_.empty() && !finished_) feed();
    if (ready_.empty()) return std::nullopt;
    Page page = std::move(ready_.front());
    ready_.pop_front();
    return page;
  }
  const DumpCounts& counts() const { return counts_; }
  const Site& site() const { return site_; }
  const std::string& damage() const { return damage_; }
  const io::ByteSource& source() const { return *source_; }

 private:
  void feed() {
    if (chunk_.empty()) chunk_ = source_->next();
    if (fed_bytes_ == text_begin_ && utf8_ && take_text()) return;
    const std::string_view part = chunk_.substr(0, up_to_text_tag(chunk_.substr(0, kFeedBytes)));
    chunk_.remove_prefix(part.size());
    counts_.xml_bytes += static_cast<int64_t>(part.size());
    // expat treats everything that is not UTF-16 as UTF-8, unless a declaration states another
    // encoding.
    if (fed_bytes_ == 0) utf8_ = part.size() > 1 && part[0] == '<' && part[1] != '\0';
    fed_bytes_ += static_cast<int64_t>(part.size());
    const bool last = part.empty();
    const auto status =
        XML_Parse(parser_, part.data(), static_cast<int>(part.size()), last ? XML_TRUE : XML_FALSE);
    if (last && !source_->damage().empty()) {
      stop(source_->damage());
    } else if (status == XML_STATUS_ERROR) {
      stop_at_error(last);
    } else if (fed_bytes_ - last_event() > kMaxTagBytes) {
      stop(fmt::format("a tag of more than {} bytes in line {}", kMaxTagBytes, line()));
    }
    finished_ = finished_ || last;
  }

  /// Reads the plain characters at the front of the chunk without expat. False when there are none.
  bool take_text() {
    const size_t taken = append_character_data(chunk_, kMaxTextBytes + 1, page_.text);
    const std::string_view bytes = chunk_.substr(0, taken);
    chunk_.remove_prefix(taken);
    counts_.xml_bytes += static_cast<int64_t>(taken);
    lines_taken_ += count_lines(bytes);
    return taken > 0;
  }

  /// The offset where expat's last event began. expat does not keep it over a piece without events.
  int64_t last_event() {
    last_event_ = std::max<int64_t>(last_event_, XML_GetCurrentByteIndex(parser_));
    return last_event_;
  }

  int64_t line() const {
    return static_cast<int64_t>(XML_GetCurrentLineNumber(parser_)) + lines_taken_;
  }

  void stop(std::string why) {
    if (damage_.empty()) damage_ = std::move(why);
    finished_ = true;
  }

  void stop_at_error(bool last) {
    const XML_Error code = XML_GetErrorCode(parser_);
    // Other errors also appear late: expat waits for more data when the file ends within a tag.
    if (last && ends_early(code)) {
      stop(fmt::format("the XML is cut off in line {}", line()));
    } else {
      stop(fmt::format("line {}: {}", line(),
                       code == XML_ERROR_ABORTED ? abort_reason_ : XML_ErrorString(code)));
    }
  }

  void abort(const char* why) {
    abort_reason_ = why;
    XML_StopParser(parser_, XML_FALSE);
  }

  void start(std::string_view name, const XML_Char** attributes) {
    text_begin_ = kNowhere;
    if (++depth_ > kMaxDepth) return abort("elements are nested too deep for a dump");
    if (name == "page" && !in_page_) {
      in_page_ = true;
      page_depth_ = depth_;
      page_ = {};
      has_namespace_ = false;
      model_.clear();
      return;
    }
    if (depth_ == 1 && counts_.pages == 0) site_.set_language(attribute(attributes, "xml:lang"));
    field_ = in_page_ ? page_field(name, depth_ - page_depth_) : site_field(name, attributes);
    value_.clear();
    if (field_ == Field::kText) {
      page_.text.clear();  // of a page with history, only the last revision is used
      text_begin_ = XML_GetCurrentByteIndex(parser_) + XML_GetCurrentByteCount(parser_);
    }
  }

  Field page_field(std::string_view name, int depth) {
    if (depth == 1) {
      if (name == "title") return Field::kTitle;
      if (name == "ns") return Field::kNamespace;
      if (name == "id") return Field::kId;
      if (name == "redirect") page_.is_redirect = true;
    } else if (depth == 2) {
      if (name == "id") return Field::kRevision;
      if (name == "text") return Field::kText;
      if (name == "model") return Field::kModel;
    }
    return Field::kNone;
  }

  Field site_field(std::string_view name, const XML_Char** attributes) {
    if (counts_.pages > 0) return Field::kNone;
    if (name == "base") return Field::kBase;
    if (name != "namespace") return Field::kNone;
    site_key_ = static_cast<int32_t>(
        std::clamp<int64_t>(to_number(attribute(attributes, "key")), INT32_MIN, INT32_MAX));
    return Field::kSiteName;
  }

  void text(std::string_view part) {
    if (field_ == Field::kNone) return;
    // How the text is split into parts depends on the chunks; the retained text must not.
    std::string& target = field_ == Field::kText ? page_.text : value_;
    const size_t limit = field_ == Field::kText ? kMaxTextBytes : kMaxFieldBytes;
    if (target.size() <= limit) target.append(part.substr(0, limit + 1 - target.size()));
  }

  void end(std::string_view name) {
    text_begin_ = kNowhere;
    if (in_page_ && depth_ == page_depth_ && name == "page") {
      finish_page();
    } else if (field_ != Field::kNone) {
      store_field();
    }
    field_ = Field::kNone;
    --depth_;
  }

  void store_field() {
    if (value_.size() > kMaxFieldBytes) value_.clear();
    switch (field_) {
      case Field::kTitle:
        page_.title = value_;
        break;
      case Field::kNamespace:
        page_.namespace_key = static_cast<int32_t>(to_number(value_));
        has_namespace_ = true;
        break;
      case Field::kId:
        page_.id = to_number(value_);
        break;
      case Field::kRevision:
        page_.revision = to_number(value_);
        break;
      case Field::kModel:
        model_ = value_;
        break;
      case Field::kBase:
        site_.set_base(value_);
        break;
      case Field::kSiteName:
        site_.add_namespace(value_, site_key_);
        break;
      case Field::kText:
      case Field::kNone:
        break;
    }
  }

  void finish_page() {
    in_page_ = false;
    ++counts_.pages;
    if (!has_namespace_) {
      page_.namespace_key = site_.find_namespace(page_.title).value_or(kArticleKey);
    }
    if (page_.namespace_key != kArticleKey) {
      ++counts_.other_namespaces;
    } else if (page_.is_redirect || corpus::is_redirect(page_.text)) {
      ++counts_.redirects;
    } else if (!model_.empty() && model_ != "wikitext") {
      ++counts_.other_models;
    } else if (page_.text.size() > kMaxTextBytes) {
      ++counts_.oversized;
    } else if (page_.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      ++counts_.empty;
    } else {
      ++counts_.articles;
      ready_.push_back(std::move(page_));
    }
    page_ = {};
  }

  static Parser& self(void* data) { return *static_cast<Parser*>(data); }
  static void XMLCALL on_start(void* data, const XML_Char* name, const XML_Char** attributes) {
    self(data).start(name, attributes);
  }
  static void XMLCALL on_end(void* data, const XML_Char* name) { self(data).end(name); }
  static void XMLCALL on_text(void* data, const XML_Char* text, int size) {
    self(data).text({text, static_cast<size_t>(size)});
  }
  static void XMLCALL on_declaration(void* data, const XML_Char*, const XML_Char* encoding, int) {
    if (encoding != nullptr && !is_utf8(encoding)) self(data).utf8_ = false;
  }
  static void XMLCALL on_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*,
                                 int) {
    self(data).abort("a document type, which no dump has: its entities are not read");
  }

  std::unique_ptr<io::ByteSource> source_;
  XML_Parser parser_;
  std::string_view chunk_;
  std::deque<Page> ready_;
  DumpCounts counts_;
  Site site_;
  std::string damage_;
  const char* abort_reason_ = "";
  bool finished_ = false;

  static constexpr int64_t kNowhere = -1;
  int64_t fed_bytes_ = 0;  ///< bytes passed to expat
  int64_t last_event_ = 0;
  int64_t text_begin_ = kNowhere;  ///< fed_bytes_ after the last opened <text>
  int64_t lines_taken_ = 0;        ///< lines read without expat
  bool utf8_ = false;

  int depth_ = 0;
  int page_depth_ = 0;
  bool in_page_ = false;
  bool has_namespace_ = false;
  Field field_ = Field::kNone;
  std::string value_;
  std::string model_;
  int32_t site_key_ = 0;
  Page page_;
};

DumpReader::DumpReader(std::unique_ptr<io::ByteSource> source)
    : parser_(std::make_unique<Parser>(std::move(source))) {}

DumpReader::~DumpReader() = default;

std::optional<Page> DumpReader::next() {
  return parser_->next();
}

const DumpCounts& DumpReader::counts() const {
  return parser_->counts();
}

const Site& DumpReader::site() const {
  return parser_->site();
}

const std::string& DumpReader::damage() const {
  return parser_->damage();
}

const io::ByteSource& DumpReader::source() const {
  return parser_->source();
}

}  // namespace bertha::corpus
