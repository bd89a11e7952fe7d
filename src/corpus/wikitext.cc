#include "corpus/wikitext.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "corpus/wikitext_lines.h"
#include "corpus/wikitext_templates.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxDepth = 40;  // MediaWiki's limit for templates
constexpr size_t kMaxTagBytes = 2000;
constexpr auto kNone = std::string_view::npos;

/// Elements whose content is not prose. Scanner::no_close_ uses the same order.
constexpr std::array<std::string_view, 24> kDroppedElements = {
    "ref",    "references",      "math",        "gallery",      "timeline",
    "score",  "source",          "pre",         "hiero",        "imagemap",
    "graph",  "mapframe",        "maplink",     "inputbox",     "chem",
    "ce",     "section",         "includeonly", "templatedata", "style",
    "script", "syntaxhighlight", "indicator",   "categorytree"};

/// Elements that end a line of text.
constexpr std::array<std::string_view, 15> kBlockElements = {
    "p",  "div", "blockquote", "center", "ul", "ol", "li", "dl",
    "dd", "dt",  "h1",         "h2",     "h3", "h4", "hr"};

/// Elements whose tags are removed and whose content is kept.
constexpr std::array<std::string_view, 45> kInlineElements = {
    "b",      "i",           "u",      "s",         "em",
    "strong", "small",       "big",    "sub",       "sup",
    "span",   "font",        "br",     "abbr",      "cite",
    "q",      "var",         "kbd",    "samp",      "dfn",
    "del",    "ins",         "strike", "bdi",       "bdo",
    "wbr",    "ruby",        "rb",     "rt",        "rp",
    "rbc",    "rtc",         "time",   "data",      "mark",
    "a",      "onlyinclude", "nowiki", "poem",      "doc",
    "img",    "code",        "tt",     "noinclude", "templatestyles"};

constexpr std::array<std::string_view, 7> kTableElements = {"tr",    "td",    "th",   "caption",
                                                            "tbody", "thead", "tfoot"};

constexpr std::array<std::string_view, 9> kSchemes = {
    "http://", "https://", "ftp://", "//", "mailto:", "news:", "irc://", "gopher://", "ftps://"};

/// Prefixes of links to the same page in another language's Wikipedia.
constexpr std::string_view kLanguages =
    " aa ab ace ady af ak als am an ang ar arc arz as ast av ay az azb ba bar bat-smg bcl be "
    "be-tarask be-x-old bg bh bi bjn bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch cho chr "
    "chy ckb co cr crh cs csb cu cv cy da de diq dsb dty dv dz ee el eml en eo es et eu ext fa ff "
    "fi fiu-vro fj fo fr frp frr fur fy ga gag gan gd gl glk gn gom got gu gv ha hak haw he hi hif "
    "ho hr hsb ht hu hy hz ia id ie ig ii ik ilo inh io is it iu ja jam jbo jv ka kaa kab kbd kbp "
    "kg ki kj kk kl km kn ko koi kr krc ks ksh ku kv kw ky la lad lb lbe lez lg li lij lmo ln lo "
    "lrc lt ltg lv mai map-bms mdf mg mh mhr mi min mk ml mn mo mr mrj ms mt mus mwl my myv mzn na "
    "nah nap nds nds-nl ne new ng nl nn no nov nrm nso nv ny oc olo om or os pa pag pam pap pcd "
    "pdc pfl pi pih pl pms pnb pnt ps pt qu rm rmy rn ro roa-rup roa-tara ru rue rw sa sah sc scn "
    "sco sd se sg sh si simple sk sl sm sn so sq sr srn ss st stq su sv sw szl ta tcy te tet tg th "
    "ti tk tl tn to tpi tr ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo wa war wo wuu "
    "xal xh xmf yi yo yue za zea zh zh-classical zh-min-nan zh-yue zu ";

/// Prefixes of sister projects. A link without a label shows the text after the prefix.
constexpr std::array<std::string_view, 14> kSisters = {
    "wikt", "wiktionary", "s",         "wikisource", "q",       "wikiquote", "b",
    "n",    "commons",    "wikibooks", "v",          "species", "m",         "d"};

template <size_t n>
bool holds(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_language(std::string_view prefix) {
  static const std::unordered_set<std::string_view> codes = [] {
    std::unordered_set<std::string_view> found;
    for (size_t at = 1; at < kLanguages.size();) {
      const size_t end = kLanguages.find(' ', at);
      found.insert(kLanguages.substr(at, end - at));
      at = end + 1;
    }
    return found;
  }();
  return codes.contains(prefix);
}

/// The position of the closing tag "</name" in `text` from `from` on, ignoring the case of ASCII
/// letters.
size_t find_close_tag(std::string_view text, std::string_view name, size_t from) {
  for (size_t at = text.find("</", from); at != kNone; at = text.find("</", at + 2)) {
    const std::string_view found = text.substr(at + 2, name.size());
    const bool same = std::equal(found.begin(), found.end(), name.begin(), name.end(),
                                 [](char a, char b) { return (a | 0x20) == b; });
    const size_t after = at + 2 + name.size();
    if (same && after < text.size() && std::isalnum(static_cast<unsigned char>(text[after])) == 0) {
      return at;
    }
  }
  return kNone;
}

enum class Kind : uint8_t { kTemplate, kParameter, kTable, kHtmlTable, kLink, kExternal, kVariant };

struct Frame {
  Kind kind;
  size_t begin;  ///< start of its text in the output
  bool has_separator = false;
};

struct Tag {
  std::string name;
  bool closes = false;
  bool is_whole = false;  ///< <name />
  size_t end = 0;         ///< one past its >
};

class Scanner {
 public:
  Scanner(std::string_view text, std::string_view title, const Site& site)
      : in_(text), title_(title), site_(site) {
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
    for (size_t i = frames_.size(); i-- > 0;) {
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
    std::string text;
    switch (frame.kind) {
      case Kind::kTemplate:
        text = template_text(content);
        break;
      case Kind::kParameter:
        text = default_of(content);
        break;
      case Kind::kLink:
        text = link_text(content);
        break;
      case Kind::kExternal:
        text = label_of_address(content);
        break;
      case Kind::kVariant:
        text = variant_text(content);
        break;
      case Kind::kTable:
      case Kind::kHtmlTable:
        break;
    }
    out_.resize(frame.begin);
    out_ += text;
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
    size_t mark = at_;
    while (mark < in_.size() && (in_[mark] == ' ' || in_[mark] == '\t' || in_[mark] == ':')) ++mark;
    const std::string_view line = in_.substr(mark, 3);
    if (line.starts_with("{|")) {
      push(Kind::kTable);
      at_ = mark + 2;
    } else if (line.starts_with("|}") && line != "|}}") {
      if (const auto table = find_frame(Kind::kTable, true)) {
        break_above(*table);
        close_top();
      }
      at_ = mark + 2;
    }
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
    for (size_t i = frames_.size(); i-- > 0;) {
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
    return render_template(content, title_);
  }

  static std::string default_of(std::string_view content) {
    const size_t separator = content.find(kSeparator);
    return std::string(separator == kNone ? "" : content.substr(separator + 1));
  }

  /// -{text}-, -{zh-hans:text;zh-hant:text}-, -{flags|text}-: returns the first variant.
  static std::string variant_text(std::string_view content) {
    if (const size_t bar = content.find('|'); bar != kNone && bar < 8) {
      const std::string_view flags = content.substr(0, bar);
      if (flags.find_first_of("THD-") != kNone) return {};
      content.remove_prefix(bar + 1);
    }
    const size_t colon = content.find(':');
    if (colon == kNone || !trim(content.substr(0, colon)).starts_with("zh")) {
      return std::string(content);
    }
    content.remove_prefix(colon + 1);
    return std::string(trim(content.substr(0, content.find(';'))));
  }

  // Brackets.

  void take_open_bracket() {
    if (starts("[[")) {
      at_ += 2;
      push(Kind::kLink);
      return;
    }
    ++at_;
    if (std::ranges::any_of(kSchemes, [&](std::string_view scheme) { return starts(scheme); })) {
      push(Kind::kExternal);
    } else {
      out_.push_back('[');
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

  static std::string label_of_address(std::string_view content) {
    const size_t blank = content.find_first_of(" \t");
    return std::string(blank == kNone ? "" : trim(content.substr(blank)));
  }

  std::string link_text(std::string_view content) const {
    const size_t separator = content.find(kSeparator);
    std::string_view target = trim(content.substr(0, separator));
    const bool shown = target.starts_with(':');
    if (shown) target = trim(target.substr(1));
    const size_t colon = target.substr(0, 40).find(':');
    if (!shown && colon != kNone) {
      const auto key = site_.find_namespace(target);
      if (key == kFileKey || key == kCategoryKey) return {};
      if (is_language(target.substr(0, colon))) return {};
    }
    if (separator != kNone) {
      std::string label(trim_label(content.substr(separator + 1)));
      if (label.empty()) label = title_without_qualifier(target);
      std::ranges::replace(label, kSeparator, '|');
      return label;
    }
    if (colon != kNone && holds(kSisters, target.substr(0, colon))) target.remove_prefix(colon + 1);
    if (target.starts_with('#')) target.remove_prefix(1);
    return std::string(target);
  }

  /// Keeps the spaces at both ends of a label. A label of spaces only counts as empty.
  static std::string_view trim_label(std::string_view label) {
    return trim(label).empty() ? std::string_view() : label;
  }

  /// "[[Help:Mercury (planet)|]]" shows Mercury, "[[Boston, Massachusetts|]]" Boston.
  static std::string title_without_qualifier(std::string_view target) {
    if (const size_t colon = target.find(':'); colon != kNone) target.remove_prefix(colon + 1);
    target = target.substr(0, target.find(" ("));
    return std::string(target.substr(0, target.find(", ")));
  }

  // Tags and comments.

  void take_angle() {
    if (starts("<!--")) return take_comment();
    const auto tag = read_tag();
    if (!tag) {
      ++at_;
      out_.push_back('<');
      return;
    }
    if (tag->name == "nowiki" && !tag->closes && !tag->is_whole) return take_nowiki(*tag);
    if (tag->name == "table") return take_table_tag(*tag);
    const auto dropped = std::ranges::find(kDroppedElements, tag->name);
    if (dropped != kDroppedElements.end()) {
      return drop_element(*tag, static_cast<size_t>(dropped - kDroppedElements.begin()));
    }
    at_ = tag->end;
    if (holds(kBlockElements, tag->name) && !(frames_.empty() && out_.empty())) {
      out_.push_back('\n');
    } else if (tag->name == "br" || holds(kTableElements, tag->name)) {
      out_.push_back(' ');
    }
  }

  void take_comment() {
    if (comment_end_ != kNone && comment_end_ < at_ + 4) comment_end_ = in_.find("-->", at_ + 4);
    if (comment_end_ == kNone) {  // never closed: the rest of the line is dropped
      at_ = std::min(in_.find('\n', at_), in_.size());
      return;
    }
    at_ = comment_end_ + 3;
    // A comment on a line of its own leaves no empty line.
    if (out_.ends_with('\n') && at_ < in_.size() && in_[at_] == '\n') {
      ++at_;
      start_line();
    }
  }

  /// Reads the tag at the cursor if its name is known to HTML or MediaWiki.
  std::optional<Tag> read_tag() {
    Tag tag;
    size_t p = at_ + 1;
    tag.closes = p < in_.size() && in_[p] == '/';
    if (tag.closes) ++p;
    for (; p < in_.size() && std::isalnum(static_cast<unsigned char>(in_[p])) != 0; ++p) {
      if (tag.name.size() > 16) return std::nullopt;
      tag.name.push_back(static_cast<char>(in_[p] | 0x20));
    }
    // `| 0x20` keeps digits and makes letters lower case.
    const bool known = holds(kDroppedElements, tag.name) || holds(kInlineElements, tag.name) ||
                       holds(kBlockElements, tag.name) || holds(kTableElements, tag.name) ||
                       tag.name == "table";
    if (!known) return std::nullopt;
    if (tag_end_ != kNone && tag_end_ < p) tag_end_ = in_.find('>', p);
    if (tag_end_ == kNone || tag_end_ - at_ > kMaxTagBytes) {
      tag.end = p;  // never closed: only the name is dropped
      tag.is_whole = true;
      return tag;
    }
    tag.is_whole = in_[tag_end_ - 1] == '/';
    tag.end = tag_end_ + 1;
    return tag;
  }

  void take_nowiki(const Tag& tag) {
    at_ = tag.end;
    const size_t close = find_close("nowiki", kDroppedElements.size());
    if (close == kNone) return;
    for (const char c : in_.substr(at_, close - at_)) {
      if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out_.push_back(c);
    }
    at_ = std::min(in_.find('>', close), in_.size() - 1) + 1;
  }

  void take_table_tag(const Tag& tag) {
    at_ = tag.end;
    if (!tag.closes) {
      if (!tag.is_whole) push(Kind::kHtmlTable);
    } else if (const auto table = find_frame(Kind::kHtmlTable, true)) {
      break_above(*table);
      close_top();
    }
  }

  void drop_element(const Tag& tag, size_t index) {
    at_ = tag.end;
    if (tag.closes || tag.is_whole) return;
    const size_t close = find_close(tag.name, index);
    if (close == kNone) return;
    at_ = std::min(in_.find('>', close), in_.size() - 1) + 1;
  }

  /// The next "</name" from the cursor on. Once none is found, later searches are skipped, so that
  /// all searches together scan the text once per name.
  size_t find_close(std::string_view name, size_t index) {
    if (no_close_[index]) return kNone;
    const size_t found = find_close_tag(in_, name, at_);
    no_close_[index] = found == kNone;
    return found;
  }

  std::string_view in_;
  std::string_view title_;
  const Site& site_;
  size_t at_ = 0;
  std::string out_;
  std::vector<Frame> frames_;
  size_t comment_end_ = 0;  ///< the next "-->", kNone when there is none
  size_t tag_end_ = 0;      ///< the next '>', kNone when there is none
  std::array<bool, kDroppedElements.size() + 1> no_close_{};
};

}  // namespace

ListItems parse_list_items(const std::string& name) {
  if (name == "none") return ListItems::kNone;
  if (name == "prose") return ListItems::kProse;
  if (name == "all") return ListItems::kAll;
  fail("--lists \"{}\": expected none, prose or all", name);
}

std::string wikitext_to_prose(std::string_view wikitext, std::string_view title, const Site& site,
                              const WikitextOptions& options) {
  return finish_lines(Scanner(wikitext, title, site).run(), options);
}

}  // namespace bertha::corpus
