#include "corpus/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/strings.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxNamespaces = 1000;
constexpr size_t kMaxNameBytes = 256;

using Name = std::pair<std::string_view, int32_t>;

constexpr std::array kNames = {
    Name{"media", -2},
    Name{"special", -1},
    Name{"talk", 1},
    Name{"user", 2},
    Name{"user talk", 3},
    Name{"wikipedia", 4},
    Name{"project", 4},
    Name{"wikipedia talk", 5},
    Name{"file", 6},
    Name{"image", 6},
    Name{"file talk", 7},
    Name{"image talk", 7},
    Name{"mediawiki", 8},
    Name{"mediawiki talk", 9},
    Name{"template", 10},
    Name{"template talk", 11},
    Name{"help", 12},
    Name{"help talk", 13},
    Name{"category", 14},
    Name{"category talk", 15},
    Name{"portal", 100},
    Name{"portal talk", 101},
    Name{"module", 828},
    Name{"module talk", 829},
    // Names of the file namespace in other languages:
    Name{"fichier", 6},
    Name{"datei", 6},
    Name{"bild", 6},
    Name{"archivo", 6},
    Name{"imagen", 6},
    Name{"immagine", 6},
    Name{"ficheiro", 6},
    Name{"arquivo", 6},
    Name{"imagem", 6},
    Name{"bestand", 6},
    Name{"afbeelding", 6},
    Name{"plik", 6},
    Name{"grafika", 6},
    Name{"fil", 6},
    Name{"tiedosto", 6},
    Name{"kuva", 6},
    Name{"soubor", 6},
    Name{"fájl", 6},
    Name{"kép", 6},
    Name{"fișier", 6},
    Name{"imagine", 6},
    Name{"dosya", 6},
    Name{"resim", 6},
    Name{"berkas", 6},
    Name{"Файл", 6},
    Name{"файл", 6},
    Name{"Изображение", 6},
    Name{"изображение", 6},
    Name{"Зображення", 6},
    Name{"зображення", 6},
    Name{"ファイル", 6},
    Name{"画像", 6},
    Name{"文件", 6},
    Name{"檔案", 6},
    Name{"图像", 6},
    Name{"圖像", 6},
    Name{"파일", 6},
    Name{"그림", 6},
    Name{"ملف", 6},
    Name{"صورة", 6},
    Name{"پرونده", 6},
    Name{"קובץ", 6},
    Name{"Tập tin", 6},
    Name{"tập tin", 6},
    Name{"Hình", 6},
    Name{"hình", 6},
    Name{"चित्र", 6},
    // Names of the category namespace in other languages:
    Name{"catégorie", 14},
    Name{"kategorie", 14},
    Name{"categoría", 14},
    Name{"categoria", 14},
    Name{"categorie", 14},
    Name{"kategoria", 14},
    Name{"kategori", 14},
    Name{"luokka", 14},
    Name{"kategória", 14},
    Name{"Категория", 14},
    Name{"категория", 14},
    Name{"Категорія", 14},
    Name{"категорія", 14},
    Name{"カテゴリ", 14},
    Name{"分类", 14},
    Name{"分類", 14},
    Name{"분류", 14},
    Name{"تصنيف", 14},
    Name{"رده", 14},
    Name{"קטגוריה", 14},
    Name{"Thể loại", 14},
    Name{"thể loại", 14},
    Name{"श्रेणी", 14},
};

constexpr std::array<std::string_view, 48> kRedirectWords = {"redirect",
                                                             "weiterleitung",
                                                             "redirection",
                                                             "redireccion",
                                                             "redirección",
                                                             "rinvia",
                                                             "rinvio",
                                                             "redirecionamento",
                                                             "doorverwijzing",
                                                             "przekieruj",
                                                             "patrz",
                                                             "tam",
                                                             "omdirigering",
                                                             "omdiriger",
                                                             "ohjaus",
                                                             "uudelleenohjaus",
                                                             "presmeruj",
                                                             "přesměruj",
                                                             "átirányítás",
                                                             "redirecteaza",
                                                             "redirectează",
                                                             "yönlendirme",
                                                             "yönlendir",
                                                             "alih",
                                                             "lencong",
                                                             "đổi",
                                                             "birzuzendu",
                                                             "redirecció",
                                                             "alidirektu",
                                                             "ανακατευθυνση",
                                                             "ΑΝΑΚΑΤΕΥΘΥΝΣΗ",
                                                             "перенаправление",
                                                             "ПЕРЕНАПРАВЛЕНИЕ",
                                                             "перенапр",
                                                             "ПЕРЕНАПР",
                                                             "перенаправлення",
                                                             "ПЕРЕНАПРАВЛЕННЯ",
                                                             "пренасочване",
                                                             "преусмери",
                                                             "Преусмери",
                                                             "転送",
                                                             "リダイレクト",
                                                             "重定向",
                                                             "넘겨주기",
                                                             "تحويل",
                                                             "تغییر_مسیر",
                                                             "הפניה",
                                                             "पुनर्प्रेषित"};

bool starts_with_folded(std::string_view text, std::string_view word) {
  return text.size() >= word.size() &&
         std::equal(word.begin(), word.end(), text.begin(),
                    [](char a, char b) { return lower_ascii(b) == lower_ascii(a); });
}

std::string_view skip_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return text.substr(std::min(begin, text.size()));
}

/// "wikipedia.org", "wiktionary.org", …: the hosts whose first part is the code of a language.
bool is_wikimedia(std::string_view domain) {
  return domain.starts_with("wik") && domain.ends_with(".org") && domain != "wikimedia.org";
}

using Keys = std::unordered_map<std::string, int32_t>;

const Keys& known_keys() {
  static const Keys kKeys = [] {
    Keys keys;
    for (const auto& [name, key] : kNames) keys.emplace(normalized_name(name), key);
    return keys;
  }();
  return kKeys;
}

}  // namespace

std::string normalized_name(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const char letter = c == '_' || c == '\n' || c == '\t' ? ' ' : lower_ascii(c);
    if (letter != ' ' || (!result.empty() && result.back() != ' ')) result.push_back(letter);
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

void Site::add_namespace(std::string_view name, int32_t key) {
  if (keys_.size() >= kMaxNamespaces || name.empty() || name.size() > kMaxNameBytes) return;
  keys_[normalized_name(name)] = key;
}

void Site::set_base(std::string_view base) {
  url_base_ = base.substr(0, std::min(base.rfind('/'), base.size()));
  const size_t scheme = base.find("//");
  if (scheme == std::string_view::npos) return;
  const std::string_view host = base.substr(scheme + 2, base.find('/', scheme + 2) - scheme - 2);
  const size_t dot = host.find('.');
  if (dot == std::string_view::npos || !is_wikimedia(host.substr(dot + 1))) return;
  set_language(host.substr(0, dot));
}

void Site::set_language(std::string_view code) {
  code = code.substr(0, code.find('-'));  // "zh-hant" is written in the words of "zh"
  if (code == "simple") code = "en";
  const bool is_code = code.size() == 2 || code.size() == 3;
  if (is_code && code != "www") language_ = code;
}

std::optional<int32_t> Site::find_namespace(std::string_view title) const {
  const size_t colon = title.substr(0, kMaxNameBytes).find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string name = normalized_name(title.substr(0, colon));
  for (const Keys* keys : {&keys_, &known_keys()}) {
    if (const auto found = keys->find(name); found != keys->end()) return found->second;
  }
  return std::nullopt;
}

std::string Site::page_url(int64_t id) const {
  return fmt::format("{}?curid={}", url_base_, id);
}

bool is_redirect(std::string_view wikitext) {
  std::string_view rest = skip_blanks(wikitext);
  if (rest.starts_with("＃")) {
    rest.remove_prefix(std::string_view("＃").size());
  } else if (rest.starts_with('#')) {
    rest.remove_prefix(1);
  } else {
    return false;
  }
  rest = skip_blanks(rest);
  for (const std::string_view word : kRedirectWords) {
    if (!starts_with_folded(rest, word)) continue;
    std::string_view after = skip_blanks(rest.substr(word.size()));
    if (after.starts_with(':')) after = skip_blanks(after.substr(1));
    if (after.starts_with("[[")) return true;
  }
  return false;
}

}  // namespace bertha::corpus
