#pragma once

// What a wiki says of itself at the head of a dump: its address and the names of its namespaces,
// which decide what is an article and which links are pictures or categories.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace bertha::corpus {

/// MediaWiki's numbers of namespaces that mean something here.
enum NamespaceKey : int32_t { kMediaKey = -2, kArticleKey = 0, kFileKey = 6, kCategoryKey = 14 };

/// Knows the English names and, for files and categories, those of the larger languages, so that a
/// dump without a head works too.
class Site {
 public:
  /// Adds a name of the dump's head.
  void add_namespace(std::string_view name, int32_t key);
  /// `base`, the address of the main page: what comes before its last slash leads every address.
  void set_base(std::string_view base);

  /// The namespace of "Name:rest", or nothing where no colon stands behind a known name. Case and
  /// `_` for blanks do not matter.
  std::optional<int32_t> find_namespace(std::string_view title) const;
  /// The address of a page, as WikiExtractor writes it: by number.
  std::string page_url(int64_t id) const;

 private:
  std::unordered_map<std::string, int32_t> keys_;  // the dump's own, by name in lower case
  std::string url_base_ = "https://en.wikipedia.org/wiki";
};

/// ASCII letters in lower case, `_` as a blank, no blanks at the ends; other letters as they are.
std::string normalized_name(std::string_view name);

/// Whether a wikitext is nothing but a redirect ("#REDIRECT [[…]]", in any of many languages).
bool is_redirect(std::string_view wikitext);

}  // namespace bertha::corpus
