#include "corpus/wikitext_templates.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "corpus/site.h"
#include "corpus/wikitext.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxParts = 64;
constexpr size_t kMaxNameBytes = 60;

/// How a template is converted to text.
enum class Rule : uint8_t {
  kFirst,      ///< the first part
  kSecond,     ///< the second part, of {{lang|xx|text}}
  kLast,       ///< the last part
  kJoin,       ///< all parts, end to end
  kWords,      ///< all parts, separated by spaces
  kList,       ///< all parts, separated by commas
  kDate,       ///< year, month, day
  kConvert,    ///< number and unit
  kFraction,   ///< a/b, or whole, a, b
  kValue,      ///< number with u=unit
  kNihongo,    ///< English (kanji, romaji)
  kRuby,       ///< text and its reading in brackets
  kShip,       ///< prefix and name
  kCirca,      ///< c. and a year
  kReign,      ///< r. a – b
  kAsOf,       ///< As of and a date
  kCentury,    ///< French {{s-|XIX|e}}
  kExponent,   ///< ×10^n
  kQuote,      ///< text, also as text= or quote=
  kLanguages,  ///< {{zh|c=…|p=…}}: the scripts, in brackets
};

struct Entry {
  std::string_view name;
  Rule rule;
};

constexpr std::array kRules = {
    Entry{"nowrap", Rule::kFirst},
    Entry{"nobr", Rule::kFirst},
    Entry{"nobreak", Rule::kFirst},
    Entry{"small", Rule::kFirst},
    Entry{"smaller", Rule::kFirst},
    Entry{"big", Rule::kFirst},
    Entry{"larger", Rule::kFirst},
    Entry{"resize", Rule::kLast},
    Entry{"em", Rule::kFirst},
    Entry{"strong", Rule::kFirst},
    Entry{"bold", Rule::kFirst},
    Entry{"italic", Rule::kFirst},
    Entry{"noitalic", Rule::kFirst},
    Entry{"nobold", Rule::kFirst},
    Entry{"abbr", Rule::kFirst},
    Entry{"abbrv", Rule::kFirst},
    Entry{"tooltip", Rule::kFirst},
    Entry{"hover title", Rule::kSecond},
    Entry{"sic", Rule::kFirst},
    Entry{"typo", Rule::kFirst},
    Entry{"not a typo", Rule::kJoin},
    Entry{"as written", Rule::kJoin},
    Entry{"proper name", Rule::kFirst},
    Entry{"sup", Rule::kFirst},
    Entry{"sub", Rule::kFirst},
    Entry{"su", Rule::kJoin},
    Entry{"var", Rule::kFirst},
    Entry{"mvar", Rule::kFirst},
    Entry{"math", Rule::kFirst},
    Entry{"code", Rule::kFirst},
    Entry{"mono", Rule::kFirst},
    Entry{"kbd", Rule::kFirst},
    Entry{"tt", Rule::kFirst},
    Entry{"samp", Rule::kFirst},
    Entry{"smallcaps", Rule::kFirst},
    Entry{"sc", Rule::kFirst},
    Entry{"smallcaps all", Rule::kFirst},
    Entry{"uc", Rule::kFirst},
    Entry{"unicode", Rule::kFirst},
    Entry{"visible anchor", Rule::kFirst},
    Entry{"vanchor", Rule::kFirst},
    Entry{"ill", Rule::kFirst},
    Entry{"illm", Rule::kFirst},
    Entry{"interlanguage link", Rule::kFirst},
    Entry{"interlanguage link multi", Rule::kFirst},
    Entry{"link-interwiki", Rule::kFirst},
    Entry{"interwiki link", Rule::kFirst},
    Entry{"audio", Rule::kSecond},
    Entry{"pronunciation", Rule::kSecond},
    Entry{"linktext", Rule::kJoin},
    Entry{"lang", Rule::kSecond},
    Entry{"langue", Rule::kSecond},
    Entry{"lang2", Rule::kSecond},
    Entry{"transl", Rule::kLast},
    Entry{"transliteration", Rule::kLast},
    Entry{"script", Rule::kSecond},
    Entry{"hebrew", Rule::kFirst},
    Entry{"rtl-lang", Rule::kSecond},
    Entry{"hiero", Rule::kFirst},
    Entry{"polytonic", Rule::kFirst},
    Entry{"grc", Rule::kFirst},
    Entry{"wikt-lang", Rule::kSecond},
    Entry{"korean", Rule::kFirst},
    Entry{"ko-hhrm", Rule::kFirst},
    Entry{"japanese", Rule::kFirst},
    Entry{"nihongo", Rule::kNihongo},
    Entry{"nihongo2", Rule::kFirst},
    Entry{"nihongo3", Rule::kNihongo},
    Entry{"nihongo foot", Rule::kFirst},
    Entry{"nihongo krt", Rule::kNihongo},
    Entry{"zh", Rule::kLanguages},
    Entry{"ruby", Rule::kRuby},
    Entry{"読み仮名", Rule::kRuby},
    Entry{"読み仮名 ruby不使用", Rule::kRuby},
    Entry{"仮リンク", Rule::kFirst},
    Entry{"補助漢字フォント", Rule::kFirst},
    Entry{"jis2004フォント", Rule::kFirst},
    Entry{"cjkv", Rule::kFirst},
    Entry{"flag", Rule::kFirst},
    Entry{"flagcountry", Rule::kFirst},
    Entry{"flagu", Rule::kFirst},
    Entry{"flag+link", Rule::kLast},
    Entry{"convert", Rule::kConvert},
    Entry{"cvt", Rule::kConvert},
    Entry{"conv", Rule::kConvert},
    Entry{"unité", Rule::kConvert},
    Entry{"unit", Rule::kConvert},
    Entry{"nombre", Rule::kConvert},
    Entry{"formatnum", Rule::kFirst},
    Entry{"nts", Rule::kFirst},
    Entry{"ntsh", Rule::kFirst},
    Entry{"val", Rule::kValue},
    Entry{"gaps", Rule::kJoin},
    Entry{"e", Rule::kExponent},
    Entry{"esp", Rule::kExponent},
    Entry{"frac", Rule::kFraction},
    Entry{"fraction", Rule::kFraction},
    Entry{"sfrac", Rule::kFraction},
    Entry{"frac2", Rule::kFraction},
    Entry{"chem", Rule::kJoin},
    Entry{"chem2", Rule::kFirst},
    Entry{"date", Rule::kWords},
    Entry{"date-", Rule::kWords},
    Entry{"birth date", Rule::kDate},
    Entry{"birth date and age", Rule::kDate},
    Entry{"birth-date", Rule::kFirst},
    Entry{"birth year and age", Rule::kFirst},
    Entry{"bda", Rule::kDate},
    Entry{"death date", Rule::kDate},
    Entry{"death date and age", Rule::kDate},
    Entry{"death-date", Rule::kFirst},
    Entry{"start date", Rule::kDate},
    Entry{"start date and age", Rule::kDate},
    Entry{"end date", Rule::kDate},
    Entry{"film date", Rule::kDate},
    Entry{"dts", Rule::kDate},
    Entry{"date of birth", Rule::kDate},
    Entry{"oldstyledate", Rule::kWords},
    Entry{"circa", Rule::kCirca},
    Entry{"c.", Rule::kCirca},
    Entry{"ca.", Rule::kCirca},
    Entry{"reign", Rule::kReign},
    Entry{"as of", Rule::kAsOf},
    Entry{"asof", Rule::kAsOf},
    Entry{"s", Rule::kCentury},
    Entry{"s-", Rule::kCentury},
    Entry{"sp-", Rule::kCentury},
    Entry{"bibleverse", Rule::kWords},
    Entry{"bibleref", Rule::kFirst},
    Entry{"bibleverse-nb", Rule::kSecond},
    Entry{"cquote", Rule::kQuote},
    Entry{"quote", Rule::kQuote},
    Entry{"blockquote", Rule::kQuote},
    Entry{"quotation", Rule::kQuote},
    Entry{"bq", Rule::kQuote},
    Entry{"centered quote", Rule::kQuote},
    Entry{"citation bloc", Rule::kQuote},
    Entry{"citation", Rule::kQuote},
    Entry{"début citation", Rule::kQuote},
    Entry{"quote frame", Rule::kQuote},
    Entry{"zitat", Rule::kQuote},
    Entry{"poem quote", Rule::kQuote},
    Entry{"poemquote", Rule::kQuote},
    Entry{"pull quote", Rule::kQuote},
    Entry{"text", Rule::kFirst},
    Entry{"main other", Rule::kFirst},
    Entry{"hlist", Rule::kList},
    Entry{"plainlist", Rule::kFirst},
    Entry{"flatlist", Rule::kFirst},
    Entry{"angbr", Rule::kFirst},
    Entry{"music", Rule::kFirst},
    Entry{"ship", Rule::kShip},
    Entry{"uss", Rule::kShip},
    Entry{"hms", Rule::kShip},
    Entry{"ss", Rule::kShip},
    Entry{"rms", Rule::kShip},
    Entry{"hmas", Rule::kShip},
    Entry{"hmcs", Rule::kShip},
    Entry{"smu", Rule::kShip},
    Entry{"sms", Rule::kShip},
    Entry{"mv", Rule::kShip},
    Entry{"usns", Rule::kShip},
    Entry{"uscgc", Rule::kShip},
    Entry{"ins", Rule::kShip},
    Entry{"sclass", Rule::kFirst},
    Entry{"lc", Rule::kFirst},
    Entry{"lcfirst", Rule::kFirst},
    Entry{"ucfirst", Rule::kFirst},
    Entry{"color", Rule::kSecond},
    Entry{"colored text", Rule::kSecond},
    Entry{"font color", Rule::kSecond},
    Entry{"align", Rule::kSecond},
    Entry{"center", Rule::kFirst},
    Entry{"plain text", Rule::kFirst},
};

struct Constant {
  std::string_view name;
  std::string_view text;
};

constexpr std::array kConstants = {
    Constant{"ndash", "–"},
    Constant{"en dash", "–"},
    Constant{"mdash", "—"},
    Constant{"em dash", "—"},
    Constant{"emdash", "—"},
    Constant{"--", "—"},
    Constant{"spaced ndash", " – "},
    Constant{"snd", " – "},
    Constant{"spnd", " – "},
    Constant{"spaced en dash", " – "},
    Constant{"sndash", " – "},
    Constant{"snds", " – "},
    Constant{"spaced mdash", " — "},
    Constant{"dash", " – "},
    Constant{"·", " · "},
    Constant{"dot", " · "},
    Constant{"middot", " · "},
    Constant{"•", " • "},
    Constant{"bullet", " • "},
    Constant{"bull", " • "},
    Constant{"'", "'"},
    Constant{"' ", "'"},
    Constant{"-'", "'"},
    Constant{"=", "="},
    Constant{"(", "{"},
    Constant{")", "}"},
    Constant{"nbsp", " "},
    Constant{"space", " "},
    Constant{"spaces", " "},
    Constant{"thinsp", " "},
    Constant{"thin space", " "},
    Constant{"hair space", " "},
    Constant{"pad", " "},
    Constant{"spc", " "},
    Constant{"\\", " / "},
    Constant{"shy", ""},
    Constant{"euro", "€"},
    Constant{"gbp", "£"},
    Constant{"pound", "£"},
    Constant{"usd", "US$"},
    Constant{"okina", "ʻ"},
    Constant{"hamza", "ʼ"},
    Constant{"ayin", "ʽ"},
    Constant{"prime", "′"},
    Constant{"fact or fiction", ""},
    Constant{"sharp", "♯"},
    Constant{"flat", "♭"},
    Constant{"natural", "♮"},
    Constant{"degree", "°"},
    Constant{"av. j.-c.", "av. J.-C."},
    Constant{"apr. j.-c.", "apr. J.-C."},
    Constant{"e-", "e"},
    Constant{"er", "er"},
    Constant{"o", "o"},
};

struct Unit {
  std::string_view code;
  std::string_view symbol;
};

/// Unit codes of {{convert}} whose displayed text differs from the code.
constexpr std::array kUnits = {
    Unit{"C", "°C"},
    Unit{"F", "°F"},
    Unit{"C-change", "°C"},
    Unit{"F-change", "°F"},
    Unit{"km2", "km²"},
    Unit{"m2", "m²"},
    Unit{"cm2", "cm²"},
    Unit{"mm2", "mm²"},
    Unit{"km3", "km³"},
    Unit{"m3", "m³"},
    Unit{"cm3", "cm³"},
    Unit{"sqmi", "square miles"},
    Unit{"sqft", "square feet"},
    Unit{"sqyd", "square yards"},
    Unit{"sqkm", "km²"},
    Unit{"sqm", "m²"},
    Unit{"cuft", "cubic feet"},
    Unit{"cumi", "cubic miles"},
    Unit{"mi", "miles"},
    Unit{"ft", "feet"},
    Unit{"in", "inches"},
    Unit{"yd", "yards"},
    Unit{"lb", "pounds"},
    Unit{"oz", "ounces"},
    Unit{"acre", "acres"},
    Unit{"nmi", "nautical miles"},
    Unit{"kn", "knots"},
    Unit{"impgal", "imperial gallons"},
    Unit{"usgal", "US gallons"},
    Unit{"LT", "long tons"},
    Unit{"ST", "short tons"},
    Unit{"t", "tonnes"},
    Unit{"hp", "horsepower"},
    Unit{"kph", "km/h"},
    Unit{"PD/sqmi", "per square mile"},
    Unit{"PD/km2", "per km²"},
    Unit{"/sqmi", "per square mile"},
    Unit{"/km2", "per km²"},
    Unit{"ly", "light-years"},
    Unit{"degC", "°C"},
    Unit{"degF", "°F"},
    Unit{"L", "litres"},
    Unit{"l", "litres"},
};

constexpr std::array kMonths = {"January",   "February", "March",    "April",
                                "May",       "June",     "July",     "August",
                                "September", "October",  "November", "December"};

struct Language {
  std::string_view code;
  std::string_view name;
};

/// The text that {{lang-xx|text}} puts before its argument.
constexpr std::array kLanguages = {
    Language{"ar", "Arabic"},         Language{"bg", "Bulgarian"},  Language{"bn", "Bengali"},
    Language{"ca", "Catalan"},        Language{"cs", "Czech"},      Language{"cy", "Welsh"},
    Language{"da", "Danish"},         Language{"de", "German"},     Language{"el", "Greek"},
    Language{"en", "English"},        Language{"eo", "Esperanto"},  Language{"es", "Spanish"},
    Language{"et", "Estonian"},       Language{"eu", "Basque"},     Language{"fa", "Persian"},
    Language{"fi", "Finnish"},        Language{"fr", "French"},     Language{"ga", "Irish"},
    Language{"grc", "Ancient Greek"}, Language{"he", "Hebrew"},     Language{"hi", "Hindi"},
    Language{"hr", "Croatian"},       Language{"hu", "Hungarian"},  Language{"hy", "Armenian"},
    Language{"id", "Indonesian"},     Language{"is", "Icelandic"},  Language{"it", "Italian"},
    Language{"ja", "Japanese"},       Language{"ka", "Georgian"},   Language{"ko", "Korean"},
    Language{"la", "Latin"},          Language{"lt", "Lithuanian"}, Language{"lv", "Latvian"},
    Language{"ms", "Malay"},          Language{"nl", "Dutch"},      Language{"no", "Norwegian"},
    Language{"pl", "Polish"},         Language{"pt", "Portuguese"}, Language{"ro", "Romanian"},
    Language{"ru", "Russian"},        Language{"sa", "Sanskrit"},   Language{"sk", "Slovak"},
    Language{"sl", "Slovene"},        Language{"sq", "Albanian"},   Language{"sr", "Serbian"},
    Language{"sv", "Swedish"},        Language{"ta", "Tamil"},      Language{"th", "Thai"},
    Language{"tr", "Turkish"},        Language{"uk", "Ukrainian"},  Language{"ur", "Urdu"},
    Language{"vi", "Vietnamese"},     Language{"zh", "Chinese"},
};

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

bool is_number(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.back())) != 0 &&
         text.find_first_not_of("0123456789.,-+") == std::string_view::npos;
}

bool is_parameter_name(std::string_view name) {
  return !name.empty() && name.size() <= 30 && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == ' ' || c == '_' || c == '-';
  });
}

/// The arguments of a template.
class Parts {
 public:
  explicit Parts(std::string_view content) {
    for (size_t count = 0; !content.empty() && count < kMaxParts; ++count) {
      const size_t end = std::min(content.find(kSeparator), content.size());
      add(content.substr(0, end));
      content.remove_prefix(std::min(end + 1, content.size()));
    }
  }

  /// The unnamed argument with this index from 0, or empty.
  std::string_view at(size_t index) const {
    return index < positional_.size() ? positional_[index] : std::string_view();
  }
  size_t size() const { return positional_.size(); }
  std::string_view named(std::string_view name) const {
    for (const auto& [key, value] : named_) {
      if (key == name) return value;
    }
    return {};
  }
  std::string_view last() const {
    for (size_t i = positional_.size(); i-- > 0;) {
      if (!positional_[i].empty()) return positional_[i];
    }
    return {};
  }
  std::string joined(std::string_view between) const {
    std::string text;
    for (const std::string_view part : positional_) {
      if (part.empty()) continue;
      if (!text.empty()) text += between;
      text += part;
    }
    return text;
  }
  const std::vector<std::pair<std::string_view, std::string_view>>& all_named() const {
    return named_;
  }

 private:
  void add(std::string_view part) {
    const size_t equals = part.find('=');
    const std::string_view name = trim(part.substr(0, equals));
    if (equals == std::string_view::npos || !is_parameter_name(name)) {
      positional_.push_back(trim(part));
      return;
    }
    const std::string_view value = trim(part.substr(equals + 1));
    size_t index = 0;
    const auto [rest, failure] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (failure != std::errc() || rest != name.data() + name.size()) {
      named_.emplace_back(name, value);
    } else if (index >= 1 && index <= kMaxParts) {
      positional_.resize(std::max(positional_.size(), index));
      positional_[index - 1] = value;
    }
  }

  std::vector<std::string_view> positional_;
  std::vector<std::pair<std::string_view, std::string_view>> named_;
};

std::string date_text(const Parts& parts) {
  const std::string_view month = parts.at(1);
  const std::string_view day = parts.at(2);
  size_t number = 0;
  std::from_chars(month.data(), month.data() + month.size(), number);
  std::string text;
  if (number >= 1 && number <= kMonths.size()) {
    text += kMonths[number - 1];
    if (!day.empty()) text.append(" ").append(day).append(",");
    text += ' ';
  }
  return text.append(parts.at(0));
}

std::string unit_symbol(std::string_view code) {
  const auto* const found = std::ranges::find(kUnits, code, &Unit::code);
  return std::string(found == kUnits.end() ? code : found->symbol);
}

/// "{{convert|5|to|10|km|mi}}": the numbers, the words between them, and the first unit.
std::string convert_text(const Parts& parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string_view part = parts.at(i);
    const bool joins =
        i % 2 == 1 && i + 1 < parts.size() && is_number(parts.at(i + 1)) && i + 2 < parts.size();
    if (i % 2 == 1 && !joins) return text.append(" ").append(unit_symbol(part));
    if (i % 2 == 1 && (part == "-" || part == "–")) {
      text += "–";
    } else {
      if (!text.empty() && !text.ends_with("–")) text += ' ';
      text += part;
    }
  }
  return text;
}

std::string fraction_text(const Parts& parts) {
  if (parts.size() < 2) return "1/" + std::string(parts.at(0));
  std::string text;
  if (parts.size() > 2) text.append(parts.at(0)).append(" ");
  const size_t first = parts.size() > 2 ? 1 : 0;
  return text.append(parts.at(first)).append("/").append(parts.at(first + 1));
}

std::string nihongo_text(const Parts& parts) {
  std::string inner(parts.at(1));
  if (!parts.at(2).empty()) inner.append(inner.empty() ? "" : ", ").append(parts.at(2));
  if (parts.at(0).empty()) return inner;
  std::string text(parts.at(0));
  return inner.empty() ? text : text.append(" (").append(inner).append(")");
}

std::string ship_text(std::string_view name, const Parts& parts) {
  if (name == "ship") return std::string(parts.at(0)).append(" ").append(parts.at(1));
  std::string prefix(name);
  std::ranges::transform(prefix, prefix.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return prefix.append(" ").append(parts.at(0));
}

std::string quote_text(const Parts& parts) {
  for (const std::string_view name : {"text", "quote", "citation", "content"}) {
    if (!parts.named(name).empty()) return std::string(parts.named(name));
  }
  return std::string(parts.at(0));
}

std::string value_text(const Parts& parts) {
  std::string text(parts.at(0));
  if (!parts.named("e").empty()) text.append("×10^").append(parts.named("e"));
  std::string_view unit = parts.named("u").empty() ? parts.named("ul") : parts.named("u");
  if (!unit.empty()) text.append(" ").append(unit);
  return text;
}

std::string languages_text(const Parts& parts) {
  std::string text;
  for (const auto& [key, value] : parts.all_named()) {
    if (key == "labels" || key == "links" || key == "first" || value.empty()) continue;
    if (!text.empty()) text += "; ";
    text += value;
  }
  return text.empty() ? std::string(parts.at(0)) : text;
}

std::string century_text(const Parts& parts) {
  std::string text = std::string(parts.at(0)).append(parts.at(1).empty() ? "e" : parts.at(1));
  return text.append(" siècle");
}

std::string circa_text(const Parts& parts) {
  std::string text = "c. " + std::string(parts.at(0));
  return parts.at(1).empty() ? text : text.append(" – c. ").append(parts.at(1));
}

std::string reign_text(const Parts& parts) {
  return std::string("r. ").append(parts.at(0)).append(" – ").append(parts.at(1));
}

std::string as_of_text(const Parts& parts) {
  const std::string& alternative = std::string(parts.named("alt"));
  if (!alternative.empty()) return alternative;
  return (parts.named("lc").empty() ? "As of " : "as of ") + date_text(parts);
}

std::string apply(Rule rule, std::string_view name, const Parts& parts) {
  switch (rule) {
    case Rule::kFirst:
      return std::string(parts.at(0));
    case Rule::kSecond:
      return std::string(parts.at(1));
    case Rule::kLast:
      return std::string(parts.last());
    case Rule::kJoin:
      return parts.joined("");
    case Rule::kWords:
      return parts.joined(" ");
    case Rule::kList:
      return parts.joined(", ");
    case Rule::kDate:
      return date_text(parts);
    case Rule::kConvert:
      return convert_text(parts);
    case Rule::kFraction:
      return fraction_text(parts);
    case Rule::kValue:
      return value_text(parts);
    case Rule::kNihongo:
      return nihongo_text(parts);
    case Rule::kRuby:
      return std::string(parts.at(0)).append("（").append(parts.at(1)).append("）");
    case Rule::kShip:
      return ship_text(name, parts);
    case Rule::kCirca:
      return circa_text(parts);
    case Rule::kReign:
      return reign_text(parts);
    case Rule::kAsOf:
      return as_of_text(parts);
    case Rule::kCentury:
      return century_text(parts);
    case Rule::kExponent:
      return "×10^" + std::string(parts.at(0));
    case Rule::kQuote:
      return quote_text(parts);
    case Rule::kLanguages:
      return languages_text(parts);
  }
  return {};
}

/// "{{lang-de|Text}}" shows "German: Text".
std::string labelled_language(std::string_view code, const Parts& parts) {
  const auto* const found = std::ranges::find(kLanguages, code, &Language::code);
  std::string text;
  if (found != kLanguages.end()) text.append(found->name).append(": ");
  return text.append(parts.at(0));
}

template <typename T, size_t n>
std::unordered_map<std::string_view, const T*> index_of(const std::array<T, n>& entries) {
  std::unordered_map<std::string_view, const T*> index;
  for (const T& entry : entries) index.emplace(entry.name, &entry);
  return index;
}

}  // namespace

std::string render_template(std::string_view content, std::string_view title) {
  static const auto kRuleIndex = index_of(kRules);
  static const auto kConstantIndex = index_of(kConstants);
  const size_t end = std::min(content.find(kSeparator), content.size());
  std::string_view head = content.substr(0, end);
  std::string_view rest = content.substr(std::min(end + 1, content.size()));
  // "{{formatnum:1234}}": a parser function. Its first argument follows a colon.
  if (const size_t colon = head.find(':'); colon != std::string_view::npos) {
    rest = content.substr(colon + 1);
    head = head.substr(0, colon);
  }
  if (head.size() > kMaxNameBytes) return {};
  const std::string name = normalized_name(head);
  if (name == "pagename" || name == "fullpagename" || name == "subpagename") {
    return std::string(title.substr(0, content.size() + kMaxNameBytes));
  }
  if (const auto found = kRuleIndex.find(name); found != kRuleIndex.end()) {
    return apply(found->second->rule, name, Parts(rest));
  }
  if (const auto found = kConstantIndex.find(name); found != kConstantIndex.end()) {
    return std::string(found->second->text);
  }
  if (name.starts_with("lang-") && name.size() < 12) {
    return labelled_language(std::string_view(name).substr(5), Parts(rest));
  }
  return {};
}

}  // namespace bertha::corpus
