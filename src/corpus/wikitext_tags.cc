#include "corpus/wikitext_tags.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace bertha::corpus {
namespace {

constexpr size_t kMaxTagBytes = 2000;
constexpr size_t kMaxNameBytes = 16;
constexpr size_t kMaxBlanks = 100;
constexpr auto kNone = std::string_view::npos;

using enum ElementKind;

/// In byte order.
constexpr std::array kElements = {
    Element{"a", kInline},
    Element{"abbr", kInline},
    Element{"b", kInline},
    Element{"bdi", kInline},
    Element{"bdo", kInline},
    Element{"big", kInline},
    Element{"blockquote", kBlock},
    Element{"br", kBreak},
    Element{"caption", kTablePart},
    Element{"categorytree", kDropped},
    Element{"ce", kFormula},
    Element{"center", kBlock},
    Element{"chem", kFormula},
    Element{"cite", kInline},
    Element{"code", kInline},
    Element{"data", kInline},
    Element{"dd", kBlock},
    Element{"del", kInline},
    Element{"dfn", kInline},
    Element{"div", kBlock},
    Element{"dl", kBlock},
    Element{"doc", kInline},
    Element{"dt", kBlock},
    Element{"em", kInline},
    Element{"font", kInline},
    Element{"gallery", kDropped},
    Element{"graph", kDropped},
    Element{"h1", kBlock},
    Element{"h2", kBlock},
    Element{"h3", kBlock},
    Element{"h4", kBlock},
    Element{"hiero", kDropped},
    Element{"hr", kBlock},
    Element{"i", kInline},
    Element{"imagemap", kDropped},
    Element{"img", kInline},
    Element{"includeonly", kDropped},
    Element{"indicator", kDropped},
    Element{"inputbox", kDropped},
    Element{"ins", kInline},
    Element{"kbd", kInline},
    Element{"langconvert", kInline},
    Element{"li", kBlock},
    Element{"mapframe", kDropped},
    Element{"maplink", kDropped},
    Element{"mark", kInline},
    Element{"math", kFormula},
    Element{"noinclude", kInline},
    Element{"nowiki", kNowiki},
    Element{"ol", kBlock},
    Element{"onlyinclude", kInline},
    Element{"p", kBlock},
    Element{"poem", kInline},
    Element{"pre", kDropped},
    Element{"q", kInline},
    Element{"rb", kInline},
    Element{"rbc", kInline},
    Element{"ref", kDropped},
    Element{"references", kDropped},
    Element{"rp", kInline},
    Element{"rt", kInline},
    Element{"rtc", kInline},
    Element{"ruby", kInline},
    Element{"s", kInline},
    Element{"samp", kInline},
    Element{"score", kDropped},
    Element{"script", kDropped},
    Element{"section", kDropped},
    Element{"small", kInline},
    Element{"source", kDropped},
    Element{"span", kInline},
    Element{"strike", kInline},
    Element{"strong", kInline},
    Element{"style", kDropped},
    Element{"sub", kInline},
    Element{"sup", kInline},
    Element{"syntaxhighlight", kDropped},
    Element{"table", kTable},
    Element{"tbody", kTablePart},
    Element{"td", kTablePart},
    Element{"templatedata", kDropped},
    Element{"templatestyles", kInline},
    Element{"tfoot", kTablePart},
    Element{"th", kTablePart},
    Element{"thead", kTablePart},
    Element{"time", kInline},
    Element{"timeline", kDropped},
    Element{"tr", kTablePart},
    Element{"tt", kInline},
    Element{"u", kInline},
    Element{"ul", kBlock},
    Element{"var", kInline},
    Element{"wbr", kInline},
};
static_assert(std::ranges::is_sorted(kElements, {}, &Element::name));

/// Markup that may stand within the value of an attribute.
constexpr std::array<std::string_view, 6> kWithinValues = {
    "<!--", "<nowiki", "</nowiki", "<noinclude", "</noinclude", "<includeonly"};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

/// A name goes on with these; "<b.x>" is not a tag of the element b.
bool continues_name(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || c == '.' || c == '-' || c == ':' || c == '_';
}

}  // namespace

const size_t kElementCount = kElements.size();

std::optional<size_t> find_element(std::string_view name) {
  const auto* const found = std::ranges::lower_bound(kElements, name, {}, &Element::name);
  if (found == kElements.end() || found->name != name) return std::nullopt;
  return static_cast<size_t>(found - kElements.begin());
}

Element element(size_t number) {
  return kElements[number];
}

std::optional<Tag> TagReader::read(size_t at) {
  std::array<char, kMaxNameBytes> name{};
  size_t length = 0;
  size_t p = at + 1;
  Tag tag;
  tag.closes = p < text_.size() && text_[p] == '/';
  if (tag.closes) ++p;
  for (; p < text_.size() && std::isalnum(static_cast<unsigned char>(text_[p])) != 0; ++p) {
    if (length == name.size()) return std::nullopt;
    // `| 0x20` keeps digits and makes letters lower case.
    name[length++] = static_cast<char>(text_[p] | 0x20);
  }
  const auto number = find_element({name.data(), length});
  if (!number || (p < text_.size() && continues_name(text_[p]))) return std::nullopt;
  tag.number = *number;
  tag.kind = kElements[*number].kind;
  const auto end = tag.closes ? end_of_close_tag(p, tag.kind) : end_of_open_tag(at, p);
  tag.is_whole = !end || text_[*end - 1] == '/';
  tag.end = end ? *end + 1 : p;  // never closed: only the name is dropped
  return tag;
}

/// The place of the tag's `>`.
std::optional<size_t> TagReader::end_of_open_tag(size_t at, size_t name_end) {
  if (next_end_ != kNone && next_end_ < name_end) next_end_ = text_.find('>', name_end);
  if (next_end_ == kNone || next_end_ - at > kMaxTagBytes) return std::nullopt;
  size_t end = next_end_;
  const size_t limit = std::min(at + kMaxTagBytes, text_.size());
  for (size_t p = name_end;;) {
    const size_t equals = text_.substr(p, end - p).find('=');
    if (equals == kNone) return end;
    p += equals + 1;
    while (p < end && is_blank(text_[p])) ++p;
    const auto value_end = end_of_value(p, limit);
    if (!value_end) continue;
    p = *value_end;
    if (p > end) end = text_.find('>', p);
    if (end > limit) return next_end_;  // no '>' behind the quotes
  }
}

/// One past the closing quotation mark of the value at `begin`. Nothing when the mark is missing: a
/// mark that a letter follows, or that stands on another line, belongs to other text.
std::optional<size_t> TagReader::end_of_value(size_t begin, size_t limit) const {
  if (begin >= limit || (text_[begin] != '"' && text_[begin] != '\'')) return std::nullopt;
  for (size_t p = begin + 1; p < limit && text_[p] != '\n'; ++p) {
    if (text_[p] == text_[begin]) {
      const char after = p + 1 < text_.size() ? text_[p + 1] : '>';
      if (is_blank(after) || after == '/' || after == '>') return p + 1;
      return std::nullopt;
    }
    const std::string_view rest = text_.substr(p, 16);
    const bool allowed = rest.front() != '<' || std::ranges::any_of(kWithinValues, [&](auto mark) {
                           return rest.starts_with(mark);
                         });
    if (!allowed) return std::nullopt;
  }
  return std::nullopt;
}

/// The place of the tag's `>`. Elements with content that is no markup end at "</name>" alone.
std::optional<size_t> TagReader::end_of_close_tag(size_t name_end, ElementKind kind) const {
  const bool strict = kind == kDropped || kind == kFormula || kind == kNowiki;
  for (size_t p = name_end; p < text_.size() && p - name_end < kMaxBlanks; ++p) {
    if (text_[p] == '>') return p;
    if (text_[p] == '<' || text_[p] == '\n' || (strict && !is_blank(text_[p]))) break;
  }
  return std::nullopt;
}

std::optional<TagReader::CloseTag> TagReader::find_close(std::string_view name, size_t from) const {
  for (size_t at = text_.find("</", from); at != kNone; at = text_.find("</", at + 2)) {
    const std::string_view found = text_.substr(at + 2, name.size());
    const bool same = std::equal(found.begin(), found.end(), name.begin(), name.end(),
                                 [](char a, char b) { return (a | 0x20) == b; });
    if (!same) continue;
    size_t end = at + 2 + name.size();
    const size_t limit = std::min(end + kMaxBlanks, text_.size());
    while (end < limit && is_blank(text_[end])) ++end;
    if (end < text_.size() && text_[end] == '>') return CloseTag{at, end + 1};
  }
  return std::nullopt;
}

}  // namespace bertha::corpus
