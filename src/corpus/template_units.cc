#include "corpus/template_units.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/strings.h"

namespace bertha::corpus {
namespace {

/// Codes of {{convert}} that all languages show as they are or as the symbol behind '='.
constexpr std::string_view kSymbols =
    ";C=°C;F=°F;K=K;degC=°C;degF=°F;°C=°C;°F=°F;C-change=°C;F-change=°F;km=km;m=m;dm=dm;cm=cm;"
    "mm=mm;µm=µm;um=µm;nm=nm;km2=km²;m2=m²;cm2=cm²;mm2=mm²;sqkm=km²;sqm=m²;km3=km³;m3=m³;"
    "cm3=cm³;cc=cc;ha=ha;a=a;kg=kg;g=g;mg=mg;t=t;L=L;l=l;ml=ml;mL=mL;cl=cl;hl=hl;km/h=km/h;"
    "kph=km/h;m/s=m/s;W=W;kW=kW;MW=MW;GW=GW;kWh=kWh;MWh=MWh;GWh=GWh;J=J;kJ=kJ;MJ=MJ;V=V;kV=kV;"
    "A=A;Hz=Hz;kHz=kHz;MHz=MHz;GHz=GHz;Pa=Pa;hPa=hPa;kPa=kPa;MPa=MPa;bar=bar;mbar=mbar;N=N;kN=kN;"
    "Nm=Nm;s=s;min=min;h=h;%=%;°=°;€=€;g/km=g/km;m3/s=m³/s;"
    "km²=km²;m²=m²;m³=m³;km³=km³;PS=PS;AU=AU;pc=pc;kpc=kpc;Mpc=Mpc;eV=eV;keV=keV;MeV=MeV;GeV=GeV;"
    "dB=dB;B=B;kB=kB;MB=MB;GB=GB;TB=TB;";

/// Symbols of English units, for abbr=on.
constexpr std::string_view kEnglishSymbols =
    ";foot=ft;inch=in;sqmi=sq mi;sqft=sq ft;sqyd=sq yd;sqin=sq in;cuft=cu ft;cuyd=cu yd;"
    "cuin=cu in;impgal=imp gal;usgal=US gal;acre=acre;fathom=fathom;furlong=furlong;chain=chain;"
    "LT=long tons;ST=short tons;PD/sqmi=/sq mi;PD/km2=/km²;/sqmi=/sq mi;/km2=/km²;";

/// Words between two numbers of a range.
constexpr std::array<std::string_view, 13> kRangeWords = {
    "to", "-", "–", "and", "or", "x", "by", "×", "*", "xx", "±", "&ndash;", "+/-"};

bool is_number(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.back())) != 0 &&
         text.find_first_not_of("0123456789.,-+/ ") == std::string_view::npos;
}

bool is_range_word(std::string_view text) {
  return std::ranges::find(kRangeWords, text) != kRangeWords.end();
}

bool is_one(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  return number == "1" || number == "1/2" || number == "1/4" || number == "3/4";
}

/// Whether units are symbols, and how a word joins the number.
struct UnitStyle {
  bool symbol = false;
  bool adjective = false;
};

UnitStyle style_of(const TemplateArguments& arguments, bool short_units) {
  const std::string_view abbreviation = arguments.named("abbr");
  UnitStyle style{short_units && abbreviation != "off", false};
  if (abbreviation == "on" || abbreviation == "in" || abbreviation == "~") style.symbol = true;
  const std::string_view adjective = arguments.named("adj");
  style.adjective = adjective == "on" || adjective == "1" || adjective == "mid";
  return style;
}

/// A number and its unit, or empty for a unit without a word.
std::string english_measure(std::string_view number, std::string_view code, UnitStyle style) {
  const std::string_view words = find_word(find_wiki_language("en")->units, code);
  std::string text(number);
  if (words.empty() || style.symbol) {
    std::string_view symbol = find_word(kEnglishSymbols, code);
    if (symbol.empty()) symbol = find_word(kSymbols, code);
    return text.append(" ").append(symbol.empty() ? code : symbol);
  }
  const size_t bar = words.find('|');
  const bool singular = style.adjective || is_one(number);
  std::string unit(singular ? words.substr(0, bar) : words.substr(bar + 1));
  if (style.adjective) std::ranges::replace(unit, ' ', '-');
  return text.append(style.adjective ? "-" : " ").append(unit);
}

std::string measure(std::string_view number, std::string_view code, UnitStyle style,
                    const WikiLanguage* language) {
  if (language != nullptr && language->code == "en") return english_measure(number, code, style);
  std::string text(number);
  if (language != nullptr) {
    const std::string_view word = find_word(language->units, code);
    if (!word.empty()) return text.append(language->unit_space).append(word);
  }
  const std::string_view symbol = find_word(kSymbols, code);
  if (symbol.empty()) return {};
  return text.append(" ").append(symbol);
}

}  // namespace

std::string measure_text(const TemplateArguments& arguments, const WikiLanguage* language,
                         bool short_units) {
  const UnitStyle style = style_of(arguments, short_units);
  std::string text;
  size_t i = 1;
  for (; is_number(arguments.at(i + 2)); i += 2) {
    const std::string_view between = arguments.at(i + 1);
    if (between == "-" || between == "–" || between == "&ndash;") {
      text.append(arguments.at(i)).append("–");
    } else if (is_range_word(between)) {
      text.append(arguments.at(i)).append(" ").append(between).append(" ");
    } else {  // "5 feet 10 inches", unless the number is a precision
      const std::string part = measure(arguments.at(i), between, style, language);
      if (part.empty() || arguments.at(i + 3).empty()) break;
      text.append(part).append(" ");
    }
  }
  const std::string_view unit = arguments.at(i + 1);
  if (unit.empty()) return text.append(arguments.at(i));
  const std::string last = measure(arguments.at(i), unit, style, language);
  return last.empty() ? std::string() : text.append(last);
}

std::string height_text(const TemplateArguments& arguments) {
  return fill_pattern("[{m} m][{cm} cm][{ft} ft][ {in} in]", arguments);
}

std::string duration_text(const TemplateArguments& arguments) {
  const auto part = [&](size_t number, std::string_view name) {
    const std::string_view value = arguments.named(name);
    return value.empty() ? arguments.at(number) : value;
  };
  if (part(1, "h").find(':') != std::string_view::npos) return std::string(part(1, "h"));
  const auto two_digits = [](std::string_view digits) {
    std::string text(digits);
    return text.insert(0, text.size() < 2 ? 2 - text.size() : 0, '0');
  };
  const std::string_view hours = part(1, "h");
  const std::string_view minutes = part(2, "m");
  if (hours.empty() && minutes.empty() && part(3, "s").empty()) return {};
  std::string text;
  if (!hours.empty() && hours != "0") text.append(hours).append(":");
  text.append(text.empty() ? std::string(minutes.empty() ? "0" : minutes) : two_digits(minutes));
  return text.append(":").append(two_digits(part(3, "s")));
}

std::string fraction_text(const TemplateArguments& arguments) {
  if (arguments.size() < 2) return fill_pattern("1/{1}", arguments);
  return fill_pattern(arguments.size() > 2 ? "{1} {2}/{3}" : "{1}/{2}", arguments);
}

std::string ordinal_text(const TemplateArguments& arguments) {
  const std::string_view number = arguments.at(1);
  if (!is_number(number)) return std::string(number);
  const char last = number.back();
  const bool is_teen = number.size() > 1 && number[number.size() - 2] == '1';
  const char* const ending = is_teen       ? "th"
                             : last == '1' ? "st"
                             : last == '2' ? "nd"
                             : last == '3' ? "rd"
                                           : "th";
  return std::string(number).append(ending);
}

std::string value_text(const TemplateArguments& arguments) {
  return fill_pattern("{1}[×10^{e}][ {u}][ {ul}]", arguments);
}

}  // namespace bertha::corpus
