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

// Expat 2.6 and the corrected 2.5 of distributions have this function, and put events off without
// it. It is absent from older ones.
extern "C" __attribute__((weak)) XML_Bool XML_SetReparseDeferralEnabled(XML_Parser, XML_Bool);

namespace bertha::corpus {
namespace {

constexpr size_t kFeedBytes = size_t{1} << 16;
/// Limit on the size of a tag: expat holds a tag in memory until it is complete.
constexpr int64_t kMaxTagBytes = int64_t{1} << 20;
constexpr int kMaxDepth = 32;
constexpr size_t kMaxFieldBytes = 4096;
constexpr std::string_view kPageTag = "<page>";

enum class Field : uint8_t {
  kNone,
  kTitle,
  kNamespace,
  kId,
  kRevision,
  kTimestamp,
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

/// What decides which of two texts of a page is the newer one.
struct Version {
  std::string timestamp;  ///< ISO 8601, in UTC
  int64_t revision = 0;
  std::string model;
};

/// By time; by number when a time is missing or equal; else the later one in the file.
bool is_newer(const Version& later, const Version& earlier) {
  const bool timed = !later.timestamp.empty() && !earlier.timestamp.empty();
  if (timed && later.timestamp != earlier.timestamp) return later.timestamp > earlier.timestamp;
  if (later.revision != 0 && earlier.revision != 0) return later.revision >= earlier.revision;
  return true;
}

}  // namespace

/// Reads the dump with expat, except most of the text between <text> and </text>, which is nine
/// tenths of the dump. expat reads each byte of it twice and returns one piece per line and entity,
/// which took two fifths of the extraction time. When expat has just read a <text> tag and nothing
/// after it, plain characters (character_data.h) bypass expat; they would not change its state.
class DumpReader::Parser {  // NOLINT(clang-analyzer-optin.performance.Padding): one for a dump
 public:
  explicit Parser(std::unique_ptr<io::ByteSource> source)
      : source_(std::move(source)), parser_(XML_ParserCreate(nullptr)) {
    if (parser_ == nullptr) throw std::bad_alloc();
    set_handlers();
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() { XML_ParserFree(parser_); }

  std::optional<Page> next() {
    while (ready_.empty() && (!finished_ || held_)) finished_ ? release() : feed();
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
  void set_handlers() {
    XML_SetUserData(parser_, this);
    XML_SetElementHandler(parser_, on_start, on_end);
    XML_SetCharacterDataHandler(parser_, on_text);
    XML_SetStartDoctypeDeclHandler(parser_, on_doctype);
    XML_SetXmlDeclHandler(parser_, on_declaration);
    // An event must come with the bytes that cause it: begin_anew() cuts the part behind them.
    if (XML_SetReparseDeferralEnabled != nullptr) XML_SetReparseDeferralEnabled(parser_, XML_FALSE);
  }

  void feed() {
    if (chunk_.empty()) chunk_ = source_->next();
    if (between_roots_ && !(gaps_ > 0 ? reach_page() : reach_root())) return;
    if (fed_bytes_ == text_begin_ && utf8_ && take_text()) return;
    const std::string_view part = chunk_.substr(0, up_to_text_tag(chunk_.substr(0, kFeedBytes)));
    chunk_.remove_prefix(part.size());
    counts_.xml_bytes += static_cast<int64_t>(part.size());
    // expat treats everything that is not UTF-16 as UTF-8, unless a declaration states another
    // encoding.
    if (fed_bytes_ == 0) utf8_ = part.size() > 1 && part[0] == '<' && part[1] != '\0';
    const int64_t fed_before = fed_bytes_;
    fed_bytes_ += static_cast<int64_t>(part.size());
    const bool last = part.empty();
    const auto status =
        XML_Parse(parser_, part.data(), static_cast<int>(part.size()), last ? XML_TRUE : XML_FALSE);
    if (last && !source_->damage().empty()) {
      finish(source_->damage());
    } else if (status == XML_STATUS_SUSPENDED) {
      const int64_t end = XML_GetCurrentByteIndex(parser_) + XML_GetCurrentByteCount(parser_);
      begin_anew(part, static_cast<size_t>(end - fed_before));
    } else if (status == XML_STATUS_ERROR) {
      pass_error(part, fed_before);
    } else if (fed_bytes_ - last_event() > kMaxTagBytes) {
      note_gap(fmt::format("line {}: a tag of more than {} bytes", line(), kMaxTagBytes));
      begin_anew(part, part.size());
    }
    if (last) finish();
  }

  /// Dumps may be joined end to end, and a fragment is a row of <page> elements. expat reads one
  /// root, so the parser begins anew behind each. `taken` bytes of `part` belong to the old root.
  void begin_anew(std::string_view part, size_t taken) {
    chunk_ = {part.data() + taken, part.size() - taken + chunk_.size()};
    counts_.xml_bytes -= static_cast<int64_t>(part.size() - taken);
    lines_before_ = line() - 1;
    lines_taken_ = 0;
    if (gaps_ == 0) encoding_.clear();  // the next root may declare its own
    XML_ParserReset(parser_, encoding_.empty() ? nullptr : encoding_.c_str());
    set_handlers();
    fed_bytes_ = 0;
    last_event_ = 0;
    text_begin_ = kNowhere;
    field_ = Field::kNone;
    in_page_ = false;
    depth_ = 0;
    between_roots_ = true;
  }

  /// Skips the blanks behind a root. False when the chunk holds nothing else.
  bool reach_root() {
    if (chunk_.empty()) {
      finish(source_->damage());
      return false;
    }
    skip(std::min(chunk_.find_first_not_of(" \t\r\n"), chunk_.size()));
    between_roots_ = chunk_.empty();
    if (!between_roots_) ++roots_;
    return !between_roots_;
  }

  /// Skips to the next <page> after an error, since the elements around it are lost. False when the
  /// chunk holds none.
  bool reach_page() {
    if (chunk_.empty() && matched_ < kPageTag.size()) {
      finish(source_->damage());
      return false;
    }
    size_t at = 0;
    while (at < chunk_.size() && matched_ < kPageTag.size()) {
      if (chunk_[at] == kPageTag[matched_]) {
        ++matched_;
        ++at;
      } else if (matched_ > 0) {
        matched_ = 0;
      } else {
        at = std::min(chunk_.find('<', at), chunk_.size());
      }
    }
    skip(at);
    if (in_gap_) lost_bytes_ += static_cast<int64_t>(at);
    if (matched_ < kPageTag.size()) return false;
    begin_page();
    return !chunk_.empty();
  }

  /// Gives expat the tag, which may lie in a chunk that is gone.
  void begin_page() {
    if (in_gap_) lost_bytes_ -= std::ssize(kPageTag);
    matched_ = 0;
    in_gap_ = false;
    between_roots_ = false;
    utf8_ = encoding_.empty();
    fed_bytes_ = std::ssize(kPageTag);
    XML_Parse(parser_, kPageTag.data(), static_cast<int>(kPageTag.size()), XML_FALSE);
  }

  void skip(size_t bytes) {
    lines_before_ += count_lines(chunk_.substr(0, bytes));
    counts_.xml_bytes += static_cast<int64_t>(bytes);
    chunk_.remove_prefix(bytes);
  }

  /// Reads the plain characters at the front of the chunk without expat. False when there are none.
  bool take_text() {
    const size_t taken = append_character_data(chunk_, kMaxTextBytes + 1, text_);
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
    return static_cast<int64_t>(XML_GetCurrentLineNumber(parser_)) + lines_taken_ + lines_before_;
  }

  /// Ends the dump. `why` is empty when it is complete.
  void finish(const std::string& why = {}) {
    if (finished_) return;
    finished_ = true;
    if (gaps_ > 0) {
      damage_ = fmt::format(
          "{}; at {} such place{} {} page{} broke off, and {} bytes up to the next <page> were "
          "left "
          "out",
          first_gap_, gaps_, gaps_ == 1 ? "" : "s", counts_.broken, counts_.broken == 1 ? "" : "s",
          lost_bytes_);
    }
    if (!why.empty()) damage_ += (damage_.empty() ? "" : "; ") + why;
  }

  /// An error in the XML. `part` has just been passed to expat; empty: the end of the dump.
  void pass_error(std::string_view part, int64_t fed_before) {
    const XML_Error code = XML_GetErrorCode(parser_);
    const bool last = part.empty();
    if (last && code == XML_ERROR_NO_ELEMENTS && roots_ > 0) return;  // comments behind the root
    // Other errors also appear late: expat waits for more data when the file ends within a tag.
    if (last && ends_early(code))
      return finish(fmt::format("the XML is cut off in line {}", line()));
    const char* reason = code == XML_ERROR_ABORTED ? abort_reason_ : XML_ErrorString(code);
    const std::string place = fmt::format("line {}: {}", line(), reason);
    if (code == XML_ERROR_ABORTED && !goes_on_) return finish(place + unread());
    note_gap(place);
    const int64_t error_at =
        (code == XML_ERROR_ABORTED ? abort_at_ : XML_GetCurrentByteIndex(parser_)) - fed_before;
    lost_bytes_ += static_cast<int64_t>(matched_);
    lost_bytes_ += std::max<int64_t>(-error_at, 0);  // a token that began in an earlier part
    begin_anew(part, static_cast<size_t>(std::clamp<int64_t>(error_at, 0, std::ssize(part))));
  }

  void note_gap(const std::string& place) {
    if (gaps_++ == 0) first_gap_ = place;
    if (in_page_) ++counts_.broken;
    in_gap_ = true;
  }

  /// What an error that ends the dump leaves unread.
  std::string unread() const {
    const int64_t size = source_->size_bytes();
    const int64_t rest = size - source_->read_bytes();
    if (rest <= 0) return {};
    return fmt::format("; {:.1f} of {:.1f} MB of the file were not read",
                       static_cast<double>(rest) / 1e6, static_cast<double>(size) / 1e6);
  }

  /// Stops expat. `goes_on`: the dump is read on at the next <page>.
  void abort(const char* why, bool goes_on) {
    abort_reason_ = why;
    goes_on_ = goes_on;
    abort_at_ = XML_GetCurrentByteIndex(parser_) + XML_GetCurrentByteCount(parser_);
    XML_StopParser(parser_, XML_FALSE);
  }

  void start(std::string_view name, const XML_Char** attributes) {
    text_begin_ = kNowhere;
    if (++depth_ > kMaxDepth) return abort("elements are nested too deep for a dump", true);
    if (name == "page") {
      if (in_page_) {
        matched_ = kPageTag.size();
        return abort("a <page> within a <page>", true);
      }
      in_page_ = true;
      page_depth_ = depth_;
      page_ = {};
      version_ = {};
      has_namespace_ = false;
      has_text_ = false;
      return;
    }
    if (in_page_ && depth_ == page_depth_ + 1 && name == "revision") revision_ = {};
    if (depth_ == 1 && counts_.pages == 0) site_.set_language(attribute(attributes, "xml:lang"));
    field_ = in_page_ ? page_field(name, depth_ - page_depth_) : site_field(name, attributes);
    value_.clear();
    if (field_ == Field::kText) {
      text_.clear();
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
      if (name == "timestamp") return Field::kTimestamp;
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
    std::string& target = field_ == Field::kText ? text_ : value_;
    const size_t limit = field_ == Field::kText ? kMaxTextBytes : kMaxFieldBytes;
    if (target.size() <= limit) target.append(part.substr(0, limit + 1 - target.size()));
  }

  void end(std::string_view name) {
    text_begin_ = kNowhere;
    if (in_page_ && depth_ == page_depth_ && name == "page") {
      finish_page();
    } else if (in_page_ && depth_ == page_depth_ + 1 && name == "revision") {
      finish_revision();
    } else if (field_ != Field::kNone) {
      store_field();
    }
    field_ = Field::kNone;
    if (--depth_ == 0) XML_StopParser(parser_, XML_TRUE);
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
        revision_.revision = to_number(value_);
        break;
      case Field::kTimestamp:
        revision_.timestamp = value_;
        break;
      case Field::kModel:
        revision_.model = value_;
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

  /// Of a page with history the newest revision is used.
  void finish_revision() {
    if (!has_text_ || is_newer(revision_, version_)) {
      page_.text.swap(text_);
      page_.revision = revision_.revision;
      version_ = std::move(revision_);
    }
    has_text_ = true;
    text_.clear();
  }

  /// Holds the page until the next one: dumps repeat a page that changed while they were made.
  void finish_page() {
    in_page_ = false;
    ++counts_.pages;
    if (!has_namespace_) {
      page_.namespace_key = site_.find_namespace(page_.title).value_or(kArticleKey);
    }
    const bool repeats =
        held_ && page_.id != 0 && held_->id == page_.id && held_->title == page_.title;
    if (repeats) ++counts_.repeated;
    if (repeats && !is_newer(version_, held_version_)) return;
    if (!repeats) release();
    held_ = std::move(page_);
    held_version_ = std::move(version_);
    page_ = {};
  }

  /// Counts the held page, and makes it ready when it is an article.
  void release() {
    if (!held_) return;
    Page page = std::move(*held_);
    held_.reset();
    if (page.namespace_key != kArticleKey) {
      ++counts_.other_namespaces;
    } else if (page.is_redirect || corpus::is_redirect(page.text)) {
      ++counts_.redirects;
    } else if (!held_version_.model.empty() && held_version_.model != "wikitext") {
      ++counts_.other_models;
    } else if (page.text.size() > kMaxTextBytes) {
      ++counts_.oversized;
    } else if (page.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      ++counts_.empty;
    } else {
      ++counts_.articles;
      ready_.push_back(std::move(page));
    }
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
    if (encoding == nullptr || is_utf8(encoding)) return;
    self(data).utf8_ = false;
    self(data).encoding_ = encoding;
  }
  static void XMLCALL on_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*,
                                 int) {
    self(data).abort("a document type, which no dump has: its entities are not read", false);
  }

  std::unique_ptr<io::ByteSource> source_;
  XML_Parser parser_;
  std::string_view chunk_;
  std::deque<Page> ready_;
  DumpCounts counts_;
  Site site_;
  std::string damage_;
  const char* abort_reason_ = "";
  bool goes_on_ = false;
  int64_t abort_at_ = 0;  ///< offset behind the tag at which expat was stopped
  bool finished_ = false;

  int64_t gaps_ = 0;  ///< errors after which the dump was read on
  std::string first_gap_;
  int64_t lost_bytes_ = 0;  ///< from each error up to the next <page>
  bool in_gap_ = false;
  size_t matched_ = 0;    ///< bytes of the tag before the chunk
  std::string encoding_;  ///< declared, unless it is UTF-8

  static constexpr int64_t kNowhere = -1;
  int64_t fed_bytes_ = 0;  ///< bytes passed to expat
  int64_t last_event_ = 0;
  int64_t text_begin_ = kNowhere;  ///< fed_bytes_ after the last opened <text>
  int64_t lines_taken_ = 0;        ///< lines read without expat
  int64_t lines_before_ = 0;       ///< lines of the roots before this one
  int64_t roots_ = 0;              ///< roots before this one
  bool between_roots_ = false;
  bool utf8_ = false;

  int depth_ = 0;
  int page_depth_ = 0;
  bool in_page_ = false;
  bool has_namespace_ = false;
  Field field_ = Field::kNone;
  std::string value_;
  int32_t site_key_ = 0;
  Page page_;
  Version version_;        ///< of page_
  bool has_text_ = false;  ///< page_ has the text of a revision
  Version revision_;       ///< the revision that is being read
  std::string text_;       ///< its text
  std::optional<Page> held_;
  Version held_version_;
};

void DumpCounts::add(const DumpCounts& other) {
  for (int64_t DumpCounts::*const count :
       {&DumpCounts::pages, &DumpCounts::articles, &DumpCounts::redirects,
        &DumpCounts::other_namespaces, &DumpCounts::other_models, &DumpCounts::empty,
        &DumpCounts::oversized, &DumpCounts::repeated, &DumpCounts::broken,
        &DumpCounts::xml_bytes}) {
    this->*count += other.*count;
  }
}

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
