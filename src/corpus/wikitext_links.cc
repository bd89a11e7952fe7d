#include "corpus/wikitext_links.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/strings.h"
#include "core/utf8.h"
#include "corpus/wikitext.h"
#include "corpus/wikitext_quotes.h"

namespace bertha::corpus {
namespace {

constexpr auto kNone = std::string_view::npos;

/// MediaWiki's $wgUrlProtocols: names that a colon follows, or a colon and two slashes.
constexpr auto kSchemes = std::to_array<std::string_view>(
    {"http", "https", "ftp", "ftps", "irc", "ircs", "gopher", "git", "mms", "nntp", "redis", "sftp",
     "ssh", "svn", "telnet", "worldwind"});
constexpr auto kOpaqueSchemes =
    std::to_array<std::string_view>({"mailto", "news", "bitcoin", "geo", "magnet", "matrix", "sip",
                                     "sips", "sms", "tel", "urn", "xmpp"});
constexpr size_t kMaxSchemeBytes = 10;

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

bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The bytes of an IPv6 address in brackets at the front of `text`, or 0.
size_t address_length(std::string_view text) {
  if (!text.starts_with('[')) return 0;
  const size_t end = text.find_first_not_of("0123456789abcdefABCDEF:.", 1);
  return end != kNone && text[end] == ']' ? end + 1 : 0;
}

/// True for the spaces other than the ASCII blank (general category Zs).
bool is_wide_blank(char32_t code_point) {
  return code_point == 0xA0 || code_point == 0x1680 ||
         (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x202F ||
         code_point == 0x205F || code_point == 0x3000;
}

/// The bytes of the character at the front of `text`, a blank of any width, or 0.
size_t blank_length(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() == ' ' || text.front() == '\t') return 1;
  const auto lead = static_cast<uint8_t>(text.front());
  if (lead != 0xC2 && lead != 0xE1 && lead != 0xE2 && lead != 0xE3) return 0;
  const Decoded character = decode_utf8(text.data(), text.data() + text.size());
  return is_wide_blank(character.code_point) ? static_cast<size_t>(character.length) : 0;
}

/// True for what ends a URL (MediaWiki's EXT_LINK_URL_CLASS).
bool ends_url(std::string_view text) {
  const char c = text.front();
  if (c == kApostrophe) return false;
  if (static_cast<uint8_t>(c) <= 0x20 || text.starts_with("''")) return true;
  return c == '"' || c == '<' || c == '>' || c == '[' || c == ']' || blank_length(text) > 0;
}

/// True when no page can have this title: MediaWiki then shows the target as it is written.
bool is_bad_title(std::string_view title) {
  title = title.substr(0, title.find('#'));
  const size_t percent = title.find('%');
  const bool has_code = percent != kNone && percent + 2 < title.size() &&
                        is_hex(title[percent + 1]) && is_hex(title[percent + 2]);
  return has_code || title.find_first_of("<>[]{}|") != kNone;
}

/// Decodes %XX of a link's target. Nothing when the result is no title.
std::string percent_decoded(std::string_view target) {
  std::string decoded;
  for (size_t at = 0; at < target.size(); ++at) {
    if (target[at] == '%' && at + 2 < target.size() && is_hex(target[at + 1]) &&
        is_hex(target[at + 2])) {
      const int byte = std::stoi(std::string(target.substr(at + 1, 2)), nullptr, 16);
      if (byte < 0x20 || byte == 0x7F) return {};
      decoded.push_back(static_cast<char>(byte));
      at += 2;
    } else {
      decoded.push_back(target[at]);
    }
  }
  if (is_bad_title(decoded) || find_invalid_utf8(decoded) >= 0) return {};
  return decoded;
}

/// The title that a link without a label shows. Its apostrophes are no marks.
std::string shown_title(std::string_view target) {
  std::string title;
  if (target.find('%') != kNone) title = percent_decoded(target);
  if (title.empty()) title = target;
  return title.find('\'') == kNone ? title : without_marks(std::move(title));
}

/// Keeps the spaces at both ends of a label. A label of spaces only counts as empty.
std::string_view trim_label(std::string_view label) {
  return trim(label).empty() ? std::string_view() : label;
}

/// "[[Help:Mercury (planet)|]]" shows Mercury, "[[Boston, Massachusetts|]]" Boston.
std::string title_without_qualifier(std::string_view target) {
  if (const size_t colon = target.find(':'); colon != kNone) target.remove_prefix(colon + 1);
  target = target.substr(0, target.find(" ("));
  return shown_title(target.substr(0, target.find(", ")));
}

/// The label is read apart from the text around the link, and on one line.
std::string label_text(std::string_view label) {
  std::string text = with_own_quotes(std::string(label));
  if (text.find(kSeparator) != kNone) std::ranges::replace(text, kSeparator, '|');
  if (text.find('\n') != kNone) std::ranges::replace(text, '\n', ' ');
  return text;
}

/// "zh", "zh-hant", "sr-ec": a variant's code.
bool is_variant_code(std::string_view text) {
  const size_t letters = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  if (text.empty() || text.size() > 20 || std::min(letters, text.size()) > 3) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == kNone && text.size() >= 2;
}

/// "zh;zh-hans", "A", "T;R", "D": what may precede the bar.
bool are_variant_flags(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view flag = trim(text.substr(0, end));
    const bool is_letter =
        flag.size() == 1 &&
        (std::isupper(static_cast<unsigned char>(flag[0])) != 0 || flag == "-" || flag == "+");
    if (!flag.empty() && !is_letter && !is_variant_code(flag)) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

/// "zh-hans:text", "X=>zh-hans:text": the text. Nothing for other content.
std::optional<std::string_view> variant_rule(std::string_view rule) {
  const size_t arrow = rule.find("=>");
  const size_t begin = arrow == kNone ? 0 : arrow + 2;
  const size_t colon = rule.find(':', begin);
  if (colon == kNone || !is_variant_code(trim(rule.substr(begin, colon - begin)))) return {};
  return trim(rule.substr(colon + 1));
}

/// The first text of "zh-hans:text;zh-hant:text". Content that does not begin with a rule is text.
std::string first_variant(std::string_view content) {
  for (std::string_view rest = content; !rest.empty();) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const auto text = variant_rule(rest.substr(0, end));
    if (!text && rest.size() == content.size()) return std::string(content);
    if (text && !text->empty()) return std::string(*text);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace

size_t scheme_length(std::string_view text) {
  size_t colon = 0;
  while (colon < std::min(text.size(), kMaxSchemeBytes) && is_letter(text[colon])) ++colon;
  const bool has_slashes = text.substr(colon).starts_with("://");
  if (colon == 0) return text.starts_with("//") ? 2 + address_length(text.substr(2)) : 0;
  if (colon == text.size() || text[colon] != ':') return 0;
  const std::string name = lower_ascii(text.substr(0, colon));
  if (std::ranges::find(kOpaqueSchemes, name) != kOpaqueSchemes.end()) return colon + 1;
  if (!has_slashes || std::ranges::find(kSchemes, name) == kSchemes.end()) return 0;
  return colon + 3 + address_length(text.substr(colon + 3));
}

std::string label_of_address(std::string_view content) {
  size_t at = scheme_length(content);
  while (at < content.size() && !ends_url(content.substr(at))) ++at;
  content.remove_prefix(at);
  for (size_t blank = blank_length(content); blank > 0; blank = blank_length(content)) {
    content.remove_prefix(blank);
  }
  return with_own_quotes(std::string(trim(content)));
}

std::string link_text(std::string_view content, const Site& site) {
  const size_t separator = content.find(kSeparator);
  std::string_view target = trim(content.substr(0, separator));
  const bool shown = target.starts_with(':');
  if (shown) target = trim(target.substr(1));
  const size_t colon = target.substr(0, 40).find(':');
  if (!shown && colon != kNone) {
    const auto key = site.find_namespace(target);
    if (key == kFileKey || key == kCategoryKey) return {};
    if (is_language(target.substr(0, colon))) return {};
  }
  if (separator != kNone) {
    const std::string_view label = trim_label(content.substr(separator + 1));
    return label.empty() ? title_without_qualifier(target) : label_text(label);
  }
  if (colon != kNone && std::ranges::find(kSisters, target.substr(0, colon)) != kSisters.end()) {
    target.remove_prefix(colon + 1);
  }
  if (target.starts_with('#')) target.remove_prefix(1);
  return shown_title(target);
}

std::optional<size_t> plain_link_text(std::string_view content) {
  static constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    plain.fill(true);
    for (const char c : std::string_view("\n':%", 4)) plain[static_cast<uint8_t>(c)] = false;
    plain[static_cast<uint8_t>(kSeparator)] = false;
    return plain;
  }();
  const auto special = [&](size_t from) {
    while (from < content.size() && kPlain[static_cast<uint8_t>(content[from])]) ++from;
    return from;
  };
  size_t begin = 0;
  size_t end = special(0);
  if (end < content.size() && content[end] == kSeparator) {
    begin = end + 1;
    end = special(begin);
  }
  if (begin == content.size() || end < content.size()) return std::nullopt;
  const bool is_word = std::isalnum(static_cast<unsigned char>(content[begin])) != 0 ||
                       static_cast<uint8_t>(content[begin]) >= 0x80;
  if (!is_word || (begin == 0 && is_blank(content.back()))) return std::nullopt;
  return begin;
}

std::string variant_text(std::string_view content) {
  const size_t bar = content.find('|');
  if (bar == kNone || !are_variant_flags(content.substr(0, bar))) return first_variant(content);
  const std::string_view flags = content.substr(0, bar);
  content.remove_prefix(bar + 1);
  // Title, hidden, name of a variant, and removal show nothing; R shows the content as it is.
  if (flags.find_first_of("THN") != kNone || trim(flags) == "-") return {};
  return flags.find('R') != kNone ? std::string(content) : first_variant(content);
}

}  // namespace bertha::corpus
