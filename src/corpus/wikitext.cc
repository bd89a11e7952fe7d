#include "corpus/wikitext.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "core/error.h"
#include "corpus/wikitext_lines.h"
#include "corpus/wikitext_links.h"
#include "corpus/wikitext_quotes.h"
#include "corpus/wikitext_tags.h"
#include "corpus/wikitext_templates.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxDepth = 40;  // MediaWiki's limit for templates
constexpr auto kNone = std::string_view::npos;
/// What starts a heading, a list item, a rule or a row of a table at the start of a line.
constexpr std::string_view kLineMarks = "=*#:;|!{-";

std::string_view trim(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\n"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

enum class Kind : uint8_t { kTemplate, kParameter, kTable, kHtmlTable, kLink, kExternal, kVariant };

struct Frame {
  Kind kind;
  size_t begin;  ///< start of its text in the output
  bool has_separator = false;
};

class Scanner {
 public:
  Scanner(std::string_view text, std::string_view title, const Site& site,
          const WikitextOptions& options)
      : in_(text),
        title_(title),
        site_(site),
        options_(options),
        templates_(site.language()),
        tags_(text),
        no_close_(kElementCount) {
    out_.reserve(text.size() / 2);
  }

  std::string run() {
    start_line();
    while (at_ < in_.size()) {
      size_t end = at_;
      while (end < in_.size() && !is_special(in_[end])) ++end;
      out_.append(in_.substr(at_, end - at_));
      at_ = end;
      if (at_ < in_.size()) take_special();
    }
    while (!frames_.empty()) break_top();
    return std::move(out_);
  }

 private:
  /// True for markup and for the control characters that XML does not allow.
  static bool is_special(char c) {
    static constexpr std::array<bool, 256> kSpecial = [] {
      std::array<bool, 256> table{};
      for (size_t i = 0; i < 0x20; ++i) table[i] = true;
      table['\t'] = false;
      for (const char mark : {'<', '{', '}', '[', ']', '|'})
        table[static_cast<uint8_t>(mark)] = true;
      return table;
    }();
    return kSpecial[static_cast<uint8_t>(c)];
  }

  void take_special() {
    switch (in_[at_]) {
      case '\n':
        return take_newline();
      case '<':
        return take_angle();
      case '{':
        return take_open_braces();
      case '}':
        return take_close_braces();
      case '[':
        return take_open_bracket();
      case ']':
        return take_close_bracket();
      case '|':
        return take_bar();
      default:
        ++at_;
    }
  }

  bool starts(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  bool top_is(Kind kind) const { return !frames_.empty() && frames_.back().kind == kind; }
  size_t run_length(char c) const {
    return std::min(in_.find_first_not_of(c, at_), in_.size()) - at_;
  }

  // Frames: open templates, tables and links.

  void push(Kind kind) {
    // Deeper than real pages: the opening mark is dropped, and its closing mark matches another
    // frame.
    if (frames_.size() < kMaxDepth) frames_.push_back({kind, out_.size()});
  }

  /// The innermost open frame of a kind, or nothing when a frame in between hides it.
  std::optional<size_t> find_frame(Kind kind, bool through_templates) const {
    for (size_t i = frames_.size(); i > 0;) {
      --i;
      const Kind here = frames_[i].kind;
      if (here == kind) return i;
      const bool shields = here == Kind::kTable || here == Kind::kHtmlTable ||
                           here == Kind::kTemplate || here == Kind::kParameter;
      if (shields && !through_templates) return std::nullopt;
    }
    return std::nullopt;
  }

  void break_above(size_t index) {
    while (frames_.size() > index + 1) break_top();
  }

  /// Closes an unclosed frame: its text stays without the mark. A template also loses its first
  /// line, which holds its name.
  void break_top() {
    const Frame frame = frames_.back();
    frames_.pop_back();
    if (frame.kind == Kind::kTemplate || frame.kind == Kind::kTable) {
      const size_t end = std::min(out_.find('\n', frame.begin), out_.size());
      out_.erase(frame.begin, end - frame.begin);
    }
    std::replace(out_.begin() + static_cast<std::ptrdiff_t>(frame.begin), out_.end(), kSeparator,
                 '|');
  }

  void close_top() {
    const Frame frame = frames_.back();
    frames_.pop_back();
    const std::string_view content = std::string_view(out_).substr(frame.begin);
    if (frame.kind == Kind::kLink) {
      if (const auto shown = plain_link_text(content)) {
        out_.erase(frame.begin, *shown);
        return;
      }
    }
    put(frame, text_of(frame.kind, content));
  }

  std::string text_of(Kind kind, std::string_view content) const {
    switch (kind) {
      case Kind::kTemplate:
        return with_own_quotes(template_text(content));
      case Kind::kParameter:
        return default_of(content);
      case Kind::kLink:
        return link_text(content, site_);
      case Kind::kExternal:
        return label_of_address(content);
      case Kind::kVariant:
        return variant_text(content);
      case Kind::kTable:
      case Kind::kHtmlTable:
        break;
    }
    return {};
  }

  /// Replaces the text of a closed frame.
  void put(const Frame& frame, std::string_view text) {
    out_.resize(frame.begin);
    const bool is_link = frame.kind == Kind::kLink || frame.kind == Kind::kExternal;
    if (text.empty()) {
      guard_apostrophes();
    } else if (is_link && begins_line() && kLineMarks.find(text.front()) != kNone) {
      out_.push_back(kGuard);
    }
    out_ += text;
  }

  bool begins_line() const { return out_.empty() || out_.back() == '\n'; }

  /// Keeps the apostrophes on both sides of a removed element apart.
  void guard_apostrophes() {
    if (out_.ends_with('\'')) out_.push_back(kGuard);
  }

  // Lines and tables.

  void take_newline() {
    const bool blank_line = at_ + 1 < in_.size() && in_[at_ + 1] == '\n';
    while (!frames_.empty()) {
      const Frame& top = frames_.back();
      const bool ends = top.kind == Kind::kExternal ||
                        (top.kind == Kind::kLink && (blank_line || !top.has_separator));
      if (!ends) break;
      break_top();
    }
    out_.push_back('\n');
    ++at_;
    start_line();
  }

  void start_line() {
    const size_t mark = skip_indent(at_);
    const std::string_view line = in_.substr(mark, 6);
    if (line.starts_with("{|")) {
      push(Kind::kTable);
      at_ = mark + 2;
    } else if (line.starts_with("{{{!}}")) {  // "{|" within the argument of a template
      push(Kind::kTable);
      at_ = mark + 6;
    } else if (line.starts_with("|}") && !line.starts_with("|}}")) {
      end_table(mark + 2);
    } else if (line.starts_with("{{!}}}")) {
      end_table(mark + 6);
    }
  }

  void end_table(size_t end) {
    if (const auto table = find_frame(Kind::kTable, true)) {
      break_above(*table);
      close_top();
    }
    at_ = end;
  }

  /// Past blanks, marks of indentation and comments.
  size_t skip_indent(size_t at) {
    while (at < in_.size()) {
      if (in_[at] == ' ' || in_[at] == '\t' || in_[at] == ':') {
        ++at;
      } else if (in_.substr(at).starts_with("<!--") && end_of_comment(at) != kNone) {
        at = end_of_comment(at);
      } else {
        break;
      }
    }
    return at;
  }

  void take_bar() {
    ++at_;
    if (frames_.empty()) {
      out_.push_back('|');
      return;
    }
    Frame& top = frames_.back();
    const bool separates =
        top.kind == Kind::kTemplate || top.kind == Kind::kParameter || top.kind == Kind::kLink;
    out_.push_back(separates ? kSeparator : '|');
    top.has_separator = top.has_separator || separates;
  }

  // Braces.

  void take_open_braces() {
    size_t count = run_length('{');
    at_ += count;
    if (count == 1) {
      const size_t begin = frames_.empty() ? 0 : frames_.back().begin;
      if (out_.size() > begin &&
          out_.ends_with('-')) {  // a hyphen outside is not part of this mark
        out_.pop_back();
        push(Kind::kVariant);
      } else {
        out_.push_back('{');
      }
      return;
    }
    count = std::min(count, 2 * kMaxDepth);
    for (; count >= 2; count -= count == 3 ? size_t{3} : size_t{2}) {
      push(count == 3 ? Kind::kParameter : Kind::kTemplate);
    }
  }

  void take_close_braces() {
    size_t count = run_length('}');
    at_ += count;
    while (count >= 2) {
      const auto found = find_braces();
      if (!found) return;  // an unmatched mark
      break_above(*found);
      count -= top_is(Kind::kParameter) && count >= 3 ? size_t{3} : size_t{2};
      close_top();
    }
    if (count == 0) return;
    if (top_is(Kind::kVariant) && at_ < in_.size() && in_[at_] == '-') {
      ++at_;
      close_top();
    } else {
      out_.push_back('}');
    }
  }

  std::optional<size_t> find_braces() const {
    for (size_t i = frames_.size(); i > 0;) {
      --i;
      if (frames_[i].kind == Kind::kTemplate || frames_[i].kind == Kind::kParameter) return i;
      // A table hides the templates around it from the markup inside it.
      if (frames_[i].kind == Kind::kHtmlTable) return std::nullopt;
    }
    return std::nullopt;
  }

  std::string template_text(std::string_view content) const {
    // {{!}} stands for a bar in the argument of a template.
    if (content == "!") {
      const bool separates = top_is(Kind::kTemplate) || top_is(Kind::kLink);
      return std::string(1, separates ? kSeparator : '|');
    }
    return templates_.render(content, title_);
  }

  /// "{{{name|default|…}}}": the text up to the next bar.
  static std::string default_of(std::string_view content) {
    const size_t separator = content.find(kSeparator);
    if (separator == kNone) return {};
    content.remove_prefix(separator + 1);
    return std::string(content.substr(0, content.find(kSeparator)));
  }

  // Brackets.

  void take_open_bracket() {
    const size_t count = run_length('[');
    const size_t scheme = scheme_length(in_.substr(at_ + count, 64));
    at_ += count;
    if (scheme > 0) {
      if (count == 2) out_.push_back('[');  // MediaWiki shows the outer pair
      push(Kind::kExternal);
      out_.append(in_.substr(at_, scheme));
      at_ += scheme;
    } else if (count == 1) {
      out_.push_back('[');
    } else {
      if (count == 3) out_.push_back('[');
      push(Kind::kLink);
    }
  }

  void take_close_bracket() {
    const bool two = starts("]]");
    if (top_is(Kind::kExternal)) {
      ++at_;
      return close_top();
    }
    if (!two) {
      ++at_;
      out_.push_back(']');
      return;
    }
    at_ += 2;
    if (const auto link = find_frame(Kind::kLink, false)) {
      break_above(*link);
      close_top();
    }
  }

  // Tags and comments.

  void take_angle() {
    if (starts("<!--")) return take_comment();
    const auto tag = tags_.read(at_);
    if (!tag) {
      ++at_;
      out_.push_back('<');
      return;
    }
    at_ = tag->end;
    if (top_is(Kind::kExternal)) out_.push_back(kGuard);  // a tag ends the URL
    take_tag(*tag);
    guard_apostrophes();
  }

  void take_tag(const Tag& tag) {
    switch (tag.kind) {
      case ElementKind::kNowiki:
      case ElementKind::kFormula:
      case ElementKind::kDropped:
        return take_content(tag);
      case ElementKind::kTable:
        return take_table_tag(tag);
      case ElementKind::kBlock:
        if (!frames_.empty() || !out_.empty()) out_.push_back('\n');
        return;
      case ElementKind::kBreak:
      case ElementKind::kTablePart:
        return out_.push_back(' ');
      case ElementKind::kInline:
        return;
    }
  }

  /// One past the "-->" of the comment that begins at `at`, or kNone.
  size_t end_of_comment(size_t at) {
    if (comment_end_ != kNone && comment_end_ < at + 4) comment_end_ = in_.find("-->", at + 4);
    return comment_end_ == kNone ? kNone : comment_end_ + 3;
  }

  void take_comment() {
    const size_t end = end_of_comment(at_);
    if (end == kNone) {  // never closed: the rest of the line is dropped
      at_ = std::min(in_.find('\n', at_), in_.size());
      return;
    }
    at_ = end;
    // A comment on a line of its own leaves no empty line.
    if (out_.ends_with('\n') && at_ < in_.size() && in_[at_] == '\n') {
      ++at_;
      start_line();
    }
  }

  void take_table_tag(const Tag& tag) {
    if (!tag.closes) {
      if (!tag.is_whole) push(Kind::kHtmlTable);
    } else if (const auto table = find_frame(Kind::kHtmlTable, true)) {
      break_above(*table);
      close_top();
    }
  }

  /// Takes an element whose content is not wikitext. One that is never closed loses its tag.
  void take_content(const Tag& tag) {
    if (tag.closes) return;
    if (tag.is_whole) {
      if (tag.kind == ElementKind::kNowiki) out_.push_back(kGuard);
      return;
    }
    const auto close = find_close(tag);
    if (!close) return out_.push_back(' ');
    const std::string_view content = in_.substr(at_, close->begin - at_);
    at_ = close->end;
    if (tag.kind == ElementKind::kNowiki) append_literal(content);
    if (tag.kind == ElementKind::kFormula) append_formula(content);
  }

  /// The closing tag from the cursor on. Once none is found, later searches are skipped, so that
  /// all searches together scan the text once per name.
  std::optional<TagReader::CloseTag> find_close(const Tag& tag) {
    if (no_close_[tag.number]) return std::nullopt;
    const auto found = tags_.find_close(element(tag.number).name, at_);
    no_close_[tag.number] = !found;
    return found;
  }

  /// Appends text of one line in which nothing is markup but entities.
  void append_literal(std::string_view text) {
    out_.push_back(kGuard);
    for (const char c : text) {
      if (c == '\n') {
        out_.push_back(' ');
      } else if (c == '\'') {
        out_.push_back(kApostrophe);
      } else if (static_cast<unsigned char>(c) >= 0x20 || c == '\t') {
        if (c == '_' && out_.ends_with('_')) out_.push_back(kGuard);
        out_.push_back(c);
      }
    }
    out_.push_back(kGuard);
  }

  void append_formula(std::string_view content) {
    if (options_.formulas == Formulas::kText) return append_literal(trim(content));
    if (options_.formulas == Formulas::kNone) return;
    out_.append(kFormulaWord).append(std::to_string(++formulas_));
  }

  std::string_view in_;
  std::string_view title_;
  const Site& site_;
  const WikitextOptions& options_;
  TemplateRenderer templates_;
  TagReader tags_;
  size_t at_ = 0;
  std::string out_;
  std::vector<Frame> frames_;
  size_t comment_end_ = 0;      ///< the next "-->", kNone when there is none
  int64_t formulas_ = 0;        ///< of this page so far
  std::vector<bool> no_close_;  ///< by element
};

}  // namespace

ListItems parse_list_items(const std::string& name) {
  if (name == "none") return ListItems::kNone;
  if (name == "prose") return ListItems::kProse;
  if (name == "all") return ListItems::kAll;
  fail("--lists \"{}\": expected none, prose or all", name);
}

Formulas parse_formulas(const std::string& name) {
  if (name == "none") return Formulas::kNone;
  if (name == "number") return Formulas::kNumber;
  if (name == "text") return Formulas::kText;
  fail("--formulas \"{}\": expected none, number or text", name);
}

std::string wikitext_to_prose(std::string_view wikitext, std::string_view title, const Site& site,
                              const WikitextOptions& options) {
  return finish_lines(Scanner(wikitext, title, site, options).run(), options);
}

}  // namespace bertha::corpus
