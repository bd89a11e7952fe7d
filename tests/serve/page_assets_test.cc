#include "serve/page/page_assets.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

namespace bertha::serve {
namespace {

std::string body_of(std::string_view path) {
  const PageAsset* asset = find_page_asset(path);
  return asset == nullptr ? "" : std::string(asset->body);
}

std::string all_scripts() {
  std::string scripts;
  for (const PageAsset& asset : page_assets()) {
    if (asset.content_type.starts_with("text/javascript")) scripts += asset.body;
  }
  return scripts;
}

// The first group of each match.
std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), expression);
       at != std::sregex_iterator(); ++at) {
    found.insert((*at)[1].str());
  }
  return found;
}

TEST(PageAssets, AllFilesTogetherAreSmall) {
  size_t bytes = 0;
  for (const PageAsset& asset : page_assets()) bytes += asset.body.size();
  EXPECT_GT(bytes, 10000U);
  EXPECT_LT(bytes, 60000U);
}

TEST(PageAssets, EachFileHasItsOwnTagAndType) {
  std::set<std::string_view> tags;
  for (const PageAsset& asset : page_assets()) {
    EXPECT_TRUE(tags.insert(asset.etag).second) << asset.path;
    EXPECT_TRUE(asset.etag.starts_with('"') && asset.etag.ends_with('"')) << asset.etag;
    EXPECT_TRUE(asset.content_type.ends_with("; charset=utf-8")) << asset.content_type;
  }
}

TEST(PageAssets, UnknownPathsAreNotFound) {
  EXPECT_EQ(find_page_asset("/page/none.js"), nullptr);
  EXPECT_EQ(find_page_asset("/page/../page.js"), nullptr);
  EXPECT_EQ(find_page_asset(""), nullptr);
}

TEST(PageAssets, FilesThatTheDocumentNamesExist) {
  const auto named = matches(body_of("/"), R"re((?:href|src)="(page/[^"]+)")re");
  EXPECT_GE(named.size(), 2U);
  for (const std::string& path : named) EXPECT_NE(find_page_asset("/" + path), nullptr) << path;
}

TEST(PageAssets, FilesThatScriptsImportExist) {
  const auto imported = matches(all_scripts(), R"re(from "\./([^"]+)")re");
  EXPECT_GE(imported.size(), 6U);
  for (const std::string& name : imported) {
    EXPECT_NE(find_page_asset("/page/" + name), nullptr) << name;
  }
}

// The policy would block these; the browser would then show a page that does not work.
TEST(PageAssets, DocumentHasNoInlineScriptOrStyle) {
  const std::string document = body_of("/");
  EXPECT_FALSE(std::regex_search(document, std::regex(R"re(<style|\sstyle=|\son[a-z]+=)re")));
  EXPECT_FALSE(std::regex_search(document, std::regex(R"re(<script(?![^>]*\ssrc=))re")));
  EXPECT_EQ(document.find("javascript:"), std::string::npos);
}

TEST(PageAssets, ScriptsMakeNoMarkupOrCodeFromText) {
  const std::string scripts = all_scripts();
  for (const char* call :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
        "createContextualFragment", "DOMParser", "srcdoc"}) {
    EXPECT_EQ(scripts.find(call), std::string::npos) << call;
  }
}

TEST(PageAssets, NoFileNamesAnotherServer) {
  for (const PageAsset& asset : page_assets()) {
    for (const std::string& address :
         matches(std::string(asset.body), R"re((https?://[^'" )]+))re")) {
      EXPECT_EQ(address, "http://www.w3.org/2000/svg") << asset.path;
    }
  }
}

TEST(PageAssets, KeyIsNeverStored) {
  const std::string scripts = all_scripts();
  for (const char* place : {"localStorage", "sessionStorage", "document.cookie", "indexedDB"}) {
    EXPECT_EQ(scripts.find(place), std::string::npos) << place;
  }
}

TEST(PageAssets, PolicyForbidsAllButOwnFiles) {
  std::string policy;
  for (const PageHeader& header : page_headers()) {
    if (header.name == "Content-Security-Policy") policy = header.value;
  }
  EXPECT_TRUE(policy.starts_with("default-src 'none'; ")) << policy;
  EXPECT_NE(policy.find("connect-src 'self'"), std::string::npos);
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(policy.find('*'), std::string::npos);
}

}  // namespace
}  // namespace bertha::serve
