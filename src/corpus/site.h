#pragma once

// The header of a dump: the wiki's address and the names of its namespaces, which decide which
// pages are articles and which links are pictures or categories.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace bertha::corpus {

/// Numbers of the MediaWiki namespaces that the program treats specially.
enum NamespaceKey : int32_t { kMediaKey = -2, kArticleKey = 0, kFileKey = 6, kCategoryKey = 14 };

/// Knows the English names of namespaces, and the names of files and categories in the larger
/// languages, so that a dump without a header also works.
class Site {
 public:
  /// Adds a name from the dump's header.
  void add_namespace(std::string_view name, int32_t key);
  /// Sets the address of the main page. The part before its last slash begins every page address.
  /// Its host gives the language of a Wikimedia wiki.
  void set_base(std::string_view base);
  /// Sets the language that the dump names in xml:lang, for a wiki whose address names none.
  void set_language(std::string_view code);

  /// The namespace of "Name:rest", or nothing when no known name precedes a colon. Ignores case and
  /// treats `_` as a space.
  std::optional<int32_t> find_namespace(std::string_view title) const;
  /// The address of a page by its number, as WikiExtractor writes it.
  std::string page_url(int64_t id) const;
  /// The code of the wiki's language ("en", "pt"); "en" for a dump that does not name it.
  const std::string& language() const { return language_; }

 private:
  std::unordered_map<std::string, int32_t> keys_;  // names from the dump's header, in lower case
  std::string url_base_ = "https://en.wikipedia.org/wiki";
  std::string language_ = "en";
};

/// Converts ASCII letters to lower case and `_` to a space, and removes spaces at both ends.
std::string normalized_name(std::string_view name);

/// True when a wikitext is a redirect ("#REDIRECT [[…]]", in any of many languages).
bool is_redirect(std::string_view wikitext);

}  // namespace bertha::corpus
